// The network that the reader has trained in chapter 5: as a file of export_weights, and
// kept on the device for chapter 10.

// A file as readWeights takes it apart: layers { W, b } with relu, then softmax.
function writeWeights(layers) {
  const tensors = { "I8": [], "F32": [] };
  layers.forEach(({ W, b }, i) => {
    const { integers, scales } = quantize(W, b.length);
    tensors.F32.push([`${i}.biases`, b, [b.length]], [`${i}.scales`, scales, [b.length]]);
    tensors.I8.push([`${i}.weights`, integers, [W.length / b.length, b.length]]);
  });
  const header = {}, parts = [];
  let end = 0;
  for (const dtype of ["F32", "I8"]) {
    for (const [name, numbers, shape] of tensors[dtype]) {
      header[name] = { dtype, shape, data_offsets: [end, (end += numbers.byteLength)] };
      parts.push(numbers);
    }
  }
  const bytes = new Uint8Array(end);
  for (const [i, { data_offsets: [from] }] of Object.values(header).entries()) {
    const { buffer, byteOffset, byteLength } = parts[i];
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), from);
  }
  const about = { format: "digits-from-scratch weights", version: 2,
    activations: ["relu", "softmax"], crc32: checksum(bytes) };
  header.__metadata__ = { about: JSON.stringify(about) };
  const text = JSON.stringify(header);
  const padded = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  return new Blob([BigUint64Array.of(BigInt(padded.length)), padded, bytes]);
}

// Whole numbers from -127 to 127, and for each neuron what to multiply them by.
function quantize(W, outputs) {
  const scales = new Float32Array(outputs).fill(2 ** -126); // where all weights are 0
  W.forEach((w, i) => {
    scales[i % outputs] = Math.max(scales[i % outputs], Math.abs(w) / 127);
  });
  return { integers: Int8Array.from(W, (w, i) => Math.round(w / scales[i % outputs])), scales };
}

// Chapter 10 has a button for the network that is kept.
const KEPT = "digits-from-scratch network";

async function keep(file) {
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    Object.assign(reader, { onload: resolve, onerror: reject }).readAsDataURL(file);
  });
  localStorage.setItem(KEPT, reader.result);
}

const kept = () => bytesOf(localStorage.getItem(KEPT).split(",")[1]).buffer;

function isKept() {
  try {
    return localStorage.getItem(KEPT) !== null;
  } catch {
    return false; // this browser keeps nothing
  }
}
