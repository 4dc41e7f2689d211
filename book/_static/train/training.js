// Training: chapter 5 in the reader's browser, with the network of draw/network.js.
//
// A batch is a list of images, each an array of 784 numbers, and as many labels. A
// gradient has the form of a layer, { W, b }. All functions here run in a worker, so
// that the page stays free while they do.

// The chapter's three formulas: forward, in network.js, then gradients and update.

function oneTrainingStep(layers, images, labels, learningRate) {
  const { loss, gradients } = lossAndGradients(layers, images, labels);
  updateWeights(gradients, layers, learningRate);
  return loss;
}

// The mean of -log(probability of the label), and its slope along each weight.
function lossAndGradients(layers, images, labels) {
  const [first, second] = layers.map(({ W, b }) => (
    { W: new Float64Array(W.length), b: new Float64Array(b.length) }));
  let loss = 0;
  images.forEach((image, i) => {
    const [hidden, probabilities] = forward(layers, image);
    const probability = probabilities[labels[i]];
    loss -= Math.log(Math.max(probability, 1e-7)) / images.length;
    if (probability < 1e-7) return; // where the loss is flat
    const errors = probabilities.map((p, k) => (p - (k === labels[i])) / images.length);
    addProducts(second, hidden, errors);
    addProducts(first, image, sendBack(errors, layers[1].W, hidden));
  });
  return { loss, gradients: [first, second] };
}

// The slope along W[i, j] is input i times error j; along b[j], error j alone. Half of
// the hidden neurons have no error.
function addProducts({ W, b }, inputs, errors) {
  const wrong = [...errors.keys()].filter((j) => errors[j] !== 0);
  for (const j of wrong) b[j] += errors[j];
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i], row = i * b.length;
    if (input !== 0) for (const j of wrong) W[row + j] += input * errors[j];
  }
}

// A hidden neuron receives the errors through its weights if relu lets them pass.
function sendBack(errors, W, hidden) {
  return hidden.map((output, j) => {
    if (output === 0) return 0;
    let sum = 0;
    for (let k = 0; k < errors.length; k++) sum += W[j * errors.length + k] * errors[k];
    return sum;
  });
}

// w ← w − learning rate × slope
function updateWeights(gradients, layers, learningRate) {
  layers.forEach(({ W, b }, layer) => {
    const slopes = gradients[layer];
    for (let i = 0; i < W.length; i++) W[i] -= learningRate * slopes.W[i];
    for (let j = 0; j < b.length; j++) b[j] -= learningRate * slopes.b[j];
  });
}

// The weights before training: all positive as in chapter 2, from 0 to 0.1, or with
// both signs, as Glorot draws them.
function drawStart(hidden, bothSigns) {
  return [[784, hidden], [hidden, 10]].map(([inputs, outputs]) => {
    const reach = Math.sqrt(6 / (inputs + outputs));
    const draw = () => (bothSigns ? reach * (2 * Math.random() - 1) : 0.1 * Math.random());
    const W = new Float32Array(inputs * outputs).map(draw);
    return { W, b: new Float32Array(outputs) };
  });
}

// Digits: { images, labels }

// Reads the picture that the build has made: a hundred digits to a row of 16 grays,
// with a row of pixels below whose grays are the labels.
function readDigits(picture) {
  if (picture?.width !== 2800 || picture.height !== 3480) throw Error("damaged");
  const [side, rows, images, labels] = [28, 120, [], []];
  const canvas = new OffscreenCanvas(picture.width, side + 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let row = 0; row < rows; row++) {
    context.drawImage(picture, 0, -row * canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const level = (x, y) => Math.round(data[4 * (y * canvas.width + x)] / 17);
    for (let left = 0; left < canvas.width; left += side) {
      const image = new Float32Array(side * side);
      images.push(image.map((_, i) => level(left + (i % side), Math.floor(i / side)) / 15));
      labels.push(level(left, side));
    }
  }
  return { training: take({ images, labels }, 0, 10000), test: take({ images, labels }, 10000) };
}

function take({ images, labels }, from, to) {
  return { images: images.slice(from, to), labels: labels.slice(from, to) };
}

// The part of the digits for which guess(image) is right, and one for which it is not.
function measure({ images, labels }, guess) {
  const guesses = images.map(guess);
  const wrong = [...labels.keys()].filter((i) => guesses[i] !== labels[i]);
  const i = wrong[Math.floor(Math.random() * wrong.length)];
  const example = i !== undefined && { image: images[i], label: labels[i], guess: guesses[i] };
  return { accuracy: 1 - wrong.length / labels.length, example };
}

function likeliest(numbers) {
  return numbers.indexOf(Math.max(...numbers));
}

// Chapter 1's reader, which takes the nearest of the ten mean digits.
function nearestMean({ images, labels }) {
  const means = Array.from({ length: 10 }, () => new Float32Array(784));
  const counts = Array(10).fill(0);
  labels.forEach((label) => counts[label]++);
  images.forEach((image, i) => {
    for (let k = 0; k < 784; k++) means[labels[i]][k] += image[k] / counts[labels[i]];
  });
  const distance = (image, mean) => {
    let sum = 0;
    for (let k = 0; k < 784; k++) sum += (image[k] - mean[k]) ** 2;
    return sum;
  };
  return (image) => likeliest(means.map((mean) => -distance(image, mean)));
}

// BatchGenerator: each digit once in an epoch; the last batch has what is left over.
function takeBatch(state) {
  const { training: { images, labels }, batchSize, shuffled } = state;
  if (!state.order.length) {
    state.order = [...labels.keys()];
    for (let i = shuffled ? labels.length : 0; i > 1; i--) {
      const j = Math.floor(i * Math.random());
      [state.order[i - 1], state.order[j]] = [state.order[j], state.order[i - 1]];
    }
  }
  const chosen = state.order.splice(0, batchSize);
  return [chosen.map((i) => images[i]), chosen.map((i) => labels[i])];
}

// The worker. A message to it is a list: the name of a command, and what it takes. Each
// is answered once; reports come in between.
function work() {
  const state = { order: [], steps: 0, left: 0 };
  const { port1, port2 } = new MessageChannel(); // between two rounds, messages come in
  let isWaiting = false, timeStepping = 0, timeMeasuring = 0, shown = 0;

  const read = (image) => likeliest(forward(state.layers, image)[1]);
  const commands = {
    load(picture) {
      Object.assign(state, readDigits(picture));
      return measure(state.test, nearestMean(state.training)).accuracy;
    },
    start(weights, settings) {
      const activations = [ACTIVATIONS.relu, ACTIVATIONS.softmax];
      const layers = weights.map((layer, i) => ({ ...layer, activation: activations[i] }));
      Object.assign(state, settings, { layers, order: [], steps: 0, left: 0 });
      timeStepping = timeMeasuring = 0;
      return report([], true);
    },
    choose: (settings) => void Object.assign(state, settings),
    run(steps) {
      state.left = steps;
      goOn();
    },
    send: () => state.layers.map(({ W, b }) => ({ W, b })),
  };
  onmessage = async ({ data: [command, ...values] }) => {
    try {
      postMessage({ answer: await commands[command](...values) });
    } catch ({ message }) {
      postMessage({ trouble: message });
    }
  };

  function goOn() {
    if (!isWaiting) port2.postMessage("");
    isWaiting = true;
  }

  // Takes steps for a while, tells of them, and goes on.
  port1.onmessage = () => {
    const [begin, losses] = [performance.now(), []];
    let epochEnds = false;
    isWaiting = false;
    while (state.left > 0 && !epochEnds && performance.now() < begin + 50) {
      losses.push(oneTrainingStep(state.layers, ...takeBatch(state), state.learningRate));
      epochEnds = !state.order.length;
      state.steps++;
      state.left--;
    }
    timeStepping += performance.now() - begin;
    const isDue = epochEnds || !state.left || timeMeasuring < 0.1 * timeStepping;
    postMessage({ report: { ...report(losses, isDue), epochEnds, stops: !state.left } });
    if (state.left > 0) goOn();
  };

  function report(losses, isDue) {
    const begin = performance.now(), news = { losses, steps: state.steps };
    if (isDue) Object.assign(news, measure(state.test, read));
    if (isDue) timeMeasuring += performance.now() - begin;
    if (isDue || begin > shown + 150) {
      const [{ W, b }] = state.layers;
      const template = (_, j) => Float32Array.from({ length: 784 }, (_, i) => W[i * b.length + j]);
      news.templates = Array.from({ length: 16 }, template);
      shown = begin;
    }
    return news;
  }
}

// A page opened from the disk may start no worker but one whose text it has.
function startWorker() {
  const functions = [dense, forward, multiply, add, oneTrainingStep, lossAndGradients,
    addProducts, sendBack, updateWeights, readDigits, take, measure, likeliest, nearestMean,
    takeBatch, work];
  const activations = Object.entries(ACTIVATIONS).map(([name, code]) => `${name}: ${code}`);
  const text = `${functions.join("\n")}\nconst ACTIVATIONS = { ${activations} };\nwork();`;
  return new Worker(URL.createObjectURL(new Blob([text])));
}
