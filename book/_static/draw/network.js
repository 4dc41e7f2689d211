// The network of chapter 2 and the file of chapter 10, in the reader's browser.
//
// A vector is an array of numbers. So is a matrix, row by row: in W of a layer,
// W[i * outputs + j] leads from input i to neuron j.

// relu(xW + b), then softmax(xW + b)
function dense(inputs, { W, b, activation }) {
  const weightedSums = add(multiply(inputs, W), b);
  return activation(weightedSums);
}

// What comes out of each layer; out of the last one, ten probabilities.
function forward(layers, picture) {
  const outputs = [];
  for (const layer of layers) outputs.push(dense(outputs.at(-1) ?? picture, layer));
  return outputs;
}

function multiply(inputs, W) {
  const sums = new Float32Array(W.length / inputs.length);
  inputs.forEach((input, i) => {
    if (input === 0) return; // as most pixels are, and half of the neurons
    for (let j = 0; j < sums.length; j++) sums[j] += input * W[i * sums.length + j];
  });
  return sums;
}

function add(a, b) {
  return a.map((number, j) => number + b[j]);
}

const ACTIVATIONS = {
  relu: (sums) => sums.map((z) => Math.max(z, 0)),
  sigmoid: (sums) => sums.map((z) => 1 / (1 + Math.exp(-z))),
  tanh: (sums) => sums.map(Math.tanh),
  softmax: (sums) => {
    const powers = sums.map((z) => Math.exp(z - Math.max(...sums))); // none overflows
    const total = powers.reduce((sum, power) => sum + power);
    return powers.map((power) => power / total);
  },
};

// Takes a file of export_weights apart; an Error says what is wrong with it. It is a
// safetensors file: 8 bytes with a length, so many bytes of JSON, then all the numbers.
function readWeights(buffer) {
  let trouble = say("it is damaged, cut off, above 32 MB, or not a file of this export_weights");
  try {
    const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(buffer.slice(8, start)));
    const { version, activations, crc32 } = JSON.parse(header.__metadata__.about);
    const numbers = buffer.slice(start, 2 ** 25);
    if (version !== 2 || crc32 !== checksum(new Uint8Array(numbers))) throw Error(trouble);
    trouble = say("its network does not lead from 784 pixels to 10 probabilities");
    const take = (name, Numbers, dtype, ...shape) => {
      const [from] = header[name].data_offsets;
      const taken = new Numbers(numbers, from, shape.reduce((a, b) => a * b));
      const expected = { dtype, shape, data_offsets: [from, from + taken.byteLength] };
      if (JSON.stringify(header[name]) === JSON.stringify(expected)) return taken;
    };
    const sizes = [784, ...activations.map((_, i) => header[`${i}.biases`].shape[0])];
    const layers = activations.map((name, i) => {
      const scales = take(`${i}.scales`, Float32Array, "F32", sizes[i + 1]);
      const b = take(`${i}.biases`, Float32Array, "F32", sizes[i + 1]);
      const integers = take(`${i}.weights`, Int8Array, "I8", sizes[i], sizes[i + 1]);
      const W = Float32Array.from(integers, (whole, k) => whole * scales[k % b.length]);
      return { W, b, activation: ACTIVATIONS[name] };
    });
    const fits = ({ W, b, activation }) => activation && [...W, ...b].every(isFinite);
    const ends = [Object.keys(header).length, sizes.at(-1), activations.at(-1)];
    // What is not a tensor is the metadata.
    if (`${ends}` === `${3 * layers.length + 1},10,softmax` && layers.every(fits)) return layers;
  } catch { /* what is wrong has been said */ }
  throw Error(trouble);
}

function checksum(bytes) {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}
