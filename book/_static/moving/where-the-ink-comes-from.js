// Chapter 8: where a bent digit has its ink from, and what the network of chapter 10 reads.

const SIDE = 28;
const WEIGHTS_SCRIPT = new URL("../draw/weights.js", document.currentScript.src);
const field = document.getElementById("moving");
const part = (name) => document.getElementById(`moving-${name}`);
const digits = picturesOf(bytesOf(setInMotion("where-the-ink-comes-from").digits), 255);
const line = [...Array(SIDE).keys()];
const straight = line.flatMap((row) => line.map((column) => [row, column]));
const dot = (a, b) => a.reduce((sum, number, k) => sum + number * b[k], 0);
let [bends, layers, loading] = [[bend(), bend()]]; // for rows and columns; of the network

// Noise of variance 1, blurred along its rows and columns: blur @ noise @ blur.T
function bend() {
  const noise = line.map(() => line.map(() => 6 ** 0.5 * (Math.random() - Math.random())));
  const bells = line.map((i) => line.map((j) => Math.exp(-0.5 * ((i - j) / 4) ** 2)));
  const blur = bells.map((bell) => bell.map((height) => height / Math.hypot(...bell)));
  const across = noise.map((row) => blur.map((bell) => dot(bell, row)));
  return blur.flatMap((bell) => line.map((j) => dot(bell, across.map((row) => row[j]))));
}

// The row and column of the old picture from where each new pixel has its ink.
function findPlaces() {
  const [degrees, size, slant, shift, elastic] = ["rotation", "scale", "shear", "shift", "elastic"]
    .map((name) => part(name).valueAsNumber);
  const [angle, middle] = [(degrees * Math.PI) / 180, (SIDE - 1) / 2];
  return straight.map((place, pixel) => {
    const [y, x] = place.map((number) => number - middle);
    const row = (Math.cos(angle) * y - Math.sin(angle) * x) / size;
    const column = (Math.sin(angle) * y + Math.cos(angle) * x) / size + slant * y - shift;
    return [row, column].map((number, k) => number + middle + elastic * bends[k][pixel]);
  });
}

// Each new pixel is a weighted sum of four old ones.
function warp(picture, places) {
  return Float32Array.from(places, ([row, column]) => [0, 1, 2, 3].reduce((ink, corner) => {
    const [i, j] = [Math.floor(row) + (corner >> 1), Math.floor(column) + (corner & 1)];
    const share = (1 - Math.abs(row - i)) * (1 - Math.abs(column - j));
    return ink + (j >= 0 && j < SIDE ? share * (picture[i * SIDE + j] ?? 0) : 0);
  }, 0));
}

function draw(canvas, picture, places) {
  const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  paint(small, picture, inkOnPaper);
  const [context, width] = [clear(canvas), canvas.clientWidth];
  const place = (i, j) => places[i * SIDE + j].map((at) => ((at + 0.5) * width) / SIDE).reverse();
  Object.assign(context, { imageSmoothingEnabled: false, strokeStyle: bookColor("vermillion") });
  context.drawImage(small, 0, 0, width, width);
  for (let i = 0; i < SIDE; i += 3) {
    for (const at of [(j) => place(i, j), (j) => place(j, i)]) trace(context, line.map(at));
  }
  const [x, y] = place(12, 15);
  trace(Object.assign(context, { lineWidth: 9, lineCap: "round" }), [[x, y], [x + 0.1, y]]);
}

function show() {
  const [picture, places] = [digits[field.elements.digit.value], findPlaces()];
  const warped = warp(picture, places);
  draw(part("old"), picture, places);
  draw(part("new"), warped, straight);
  const probabilities = layers ? forward(layers, warped).at(-1) : [];
  const sureness = Math.max(...probabilities);
  if (layers) part("reads").textContent = say(
    "The network reads: {0} ({1})", probabilities.indexOf(sureness), percent(sureness));
}

// The network is loaded when the reader begins.
function load() {
  loading ??= loadBytes(WEIGHTS_SCRIPT, "WEIGHTS").then((bytes) => (layers = readWeights(bytes)));
  return loading.then(show, ({ message }) => (part("reads").textContent = say("No network: {0}.", message)));
}

field.oninput = load;
field.onchange = () => load().then(() => announce(field, part("reads").textContent));
part("again").onclick = () => (bends = [bend(), bend()]) && field.onchange();
for (const name of ["rotation", "scale", "shear", "shift", "elastic"]) slide(part(name), String, show);
digits.forEach((ink, i) => paint(field.elements.digit[i].nextElementSibling, ink, inkOnPaper));
new ResizeObserver(show).observe(part("old"));
