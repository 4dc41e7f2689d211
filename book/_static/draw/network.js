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

const add = (a, b) => a.map((number, j) => number + b[j]);

const ACTIVATIONS = {
  relu: (sums) => sums.map((z) => Math.max(z, 0)),
  sigmoid: (sums) => sums.map((z) => 1 / (1 + Math.exp(-z))),
  tanh: (sums) => sums.map(Math.tanh),
  softmax: (sums) => {
    const largest = Math.max(...sums); // only differences count; none overflows
    const powers = sums.map((z) => Math.exp(z - largest));
    const total = powers.reduce((sum, power) => sum + power);
    return powers.map((power) => power / total);
  },
};

// Takes a file of export_weights apart; an Error says what is wrong with it.
function readWeights(buffer) {
  const bytes = new Uint8Array(buffer);
  // 123 is {, with which the line of JSON begins. The CRC-32 of bytes with their own
  // CRC-32 behind them is always the same number.
  if (bytes[0] !== 123 || bytes.length > 2 ** 25 || crc32(bytes) !== 0x2144df1c) {
    throw Error("it is damaged, cut off, above 32 MB, or not a file of export_weights");
  }
  let offset = bytes.indexOf(10) + 1; // after the line of JSON
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, offset)));
  if (header.version !== 1) throw Error("it is of another version than this page");
  const take = (Numbers, count) =>
    new Numbers(buffer.slice(offset, (offset += count * Numbers.BYTES_PER_ELEMENT)));
  const layers = header.layers.map(({ inputs, outputs, activation }) => {
    const scales = take(Float32Array, outputs);
    const b = take(Float32Array, outputs);
    const integers = take(Int8Array, inputs * outputs);
    const W = Float32Array.from(integers, (whole, k) => whole * scales[k % outputs]);
    return { W, b, activation: ACTIVATIONS[activation], inputs, outputs };
  });
  const fits = ({ inputs, W, b, activation }, i) =>
    activation && inputs > 0 && inputs === (layers[i - 1]?.outputs ?? 784)
    && [...W, ...b].every(isFinite);
  const { activation, outputs } = layers.at(-1) ?? {};
  const ends = outputs === 10 && activation === ACTIVATIONS.softmax && offset === bytes.length - 4;
  if (!ends || !layers.every(fits)) {
    throw Error("its network does not lead from 784 pixels to 10 probabilities");
  }
  return layers;
}

function crc32(bytes) {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}
