// The page to draw on: strokes go to picture.js, the picture to network.js, and what
// comes out is shown. Nothing leaves the reader's device.
"use strict";

const FOLDER = new URL(".", document.currentScript.src);
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const part = (name) => document.getElementById(`draw-${name}`);
const pad = part("pad");

let layers; // of the network, once it is loaded
let drawing = { strokes: [] }; // with a picture and a label, if it is an example
let frame; // the next one, when something has changed
const told = new Map(); // from drawings to what the reader has meant
const pen = { x: 0.5, y: 0.25, down: false, arrows: new Set() }; // moved by keys

// Drawing

function start(point) {
  if (drawing.picture || told.has(drawing)) drawing = { strokes: [] };
  drawing.strokes.push([point]);
  showSoon();
}

function goOn(point) {
  drawing.strokes.at(-1).push(point);
  showSoon();
}

function replace(fresh) {
  drawing = { strokes: [], ...fresh };
  pen.down = false;
  say();
}

function place(event) {
  const { left, top, width, height } = pad.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height];
}

pad.onpointerdown = (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  pad.setPointerCapture(event.pointerId);
  pen.down = false;
  start(place(event));
};
pad.onpointermove = (event) => pad.hasPointerCapture(event.pointerId) && goOn(place(event));
pad.onlostpointercapture = say;

pad.onkeydown = (event) => {
  if (event.key in MOVES) movePen(pen.arrows.add(event.key));
  else if (event.key === " ") lowerOrLiftPen();
  else if (event.key.toLowerCase() === "u") undo();
  else if (["Delete", "Backspace"].includes(event.key)) replace();
  else return;
  event.preventDefault(); // the page shall not scroll
};
pad.onkeyup = (event) => pen.arrows.delete(event.key);
pad.onfocus = showSoon;
pad.onblur = () => {
  pen.down = false;
  pen.arrows.clear();
  showSoon();
};

function movePen(arrows) {
  for (const [dx, dy] of [...arrows].map((key) => MOVES[key])) {
    pen.x = clip(pen.x + dx / SIDE);
    pen.y = clip(pen.y + dy / SIDE);
  }
  if (pen.down) goOn([pen.x, pen.y]);
  showSoon();
}

function lowerOrLiftPen() {
  pen.down = !pen.down;
  if (pen.down) start([pen.x, pen.y]);
  say();
}

// Reading

const undo = () => replace({ strokes: drawing.strokes.slice(0, -1) });
part("undo").onclick = undo;
part("clear").onclick = () => replace();
part("example").onclick = () => {
  const wrong = examples.filter(({ picture, label }) => read(picture).digit !== label);
  const shown = wrong.findIndex(({ picture }) => picture === drawing.picture);
  replace(wrong[(shown + 1) % wrong.length]);
  if (!wrong.length) tell("This network reads all digits that the page has.");
};
part("meant").onclick = (event) => {
  if (!event.target.value || drawing.digit === undefined || drawing.picture) return;
  told.set(drawing, Number(event.target.value));
  const right = [...told].filter(([{ digit }, meant]) => digit === meant).length;
  part("score").textContent = `Your score: ${right} of ${told.size} read as you meant them.`;
};

function read(picture) {
  if (!layers || !picture.some(Boolean)) return {};
  const outputs = forward(layers, picture);
  const sureness = Math.max(...outputs.at(-1));
  const digit = outputs.at(-1).indexOf(sureness);
  return { digit, sureness, probabilities: outputs.at(-1), fires: outputs[0] };
}

function words({ digit, sureness }) {
  if (digit === undefined) return layers ? "Draw a digit." : "Waiting for a network.";
  const sure = `${digit === 8 ? "an" : "a"} ${digit} (${percent(sureness)})`;
  const label = drawing.picture ? `, but it is labeled ${drawing.label}` : "";
  return `${sureness < 0.5 ? "Perhaps" : "I read"} ${sure}${label}.`;
}

// For those who listen, at the end of a stroke.
function say() {
  show();
  part("said").textContent = (pen.down ? "Pen down. " : "") + part("answer").textContent;
}

// Showing

const percent = (probability) => `${Math.round(100 * probability)}%`;
const gray = (ink) => Array(3).fill(255 * (1 - ink));
const redOrBlue = (weight) =>
  (weight > 0 ? [178, 24, 43] : [33, 102, 172]).map((c) => 255 - Math.abs(weight) * (255 - c));

function showSoon() {
  frame ??= requestAnimationFrame(show);
}

function show() {
  cancelAnimationFrame(frame);
  frame = undefined;
  const picture = drawing.picture ?? makePicture(drawing.strokes);
  const reading = read(picture);
  drawing.digit = reading.digit;
  part("answer").textContent = words(reading);
  paint(part("seen"), picture, gray);
  showDrawing();
  [...part("bars").children].forEach((row, digit) => {
    const probability = reading.probabilities?.[digit] ?? 0;
    row.style.setProperty("--probability", probability);
    row.classList.toggle("draw-first", digit === reading.digit);
    row.lastElementChild.textContent = percent(probability);
  });
  showNeurons(reading.fires ?? []);
}

function paint(canvas, numbers, color) {
  const image = new ImageData(SIDE, SIDE);
  numbers.forEach((number, i) => image.data.set([...color(number), 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function showDrawing() {
  const context = pad.getContext("2d");
  pad.width = pad.width; // clears it
  context.scale(pad.width, pad.height); // from 0 to 1, as strokes are
  context.imageSmoothingEnabled = false;
  Object.assign(context, { lineWidth: (2 * PEN) / SIDE, lineCap: "round", lineJoin: "round" });
  if (drawing.picture) context.drawImage(part("seen"), 0, 0, 1, 1);
  for (const stroke of drawing.strokes) {
    context.beginPath();
    for (const point of [stroke[0], ...stroke]) context.lineTo(...point);
    context.stroke();
  }
  if (!pad.matches(":focus-visible")) return; // the mouse shows its own pen
  Object.assign(context, { lineWidth: 0.008, strokeStyle: pen.down ? "#D55E00" : "#0072B2" });
  context.beginPath();
  context.arc(pen.x, pen.y, 0.03, 0, 2 * Math.PI);
  context.stroke();
}

// The neurons of the first layer that fire most, each as its 784 weights.
function showNeurons(fires) {
  const most = [...fires.keys()].sort((a, b) => fires[b] - fires[a]);
  const pixels = [...Array(SIDE * SIDE).keys()];
  [...part("neurons").children].forEach((item, i) => {
    const neuron = most[i];
    item.hidden = !(fires[neuron] > 0);
    if (item.hidden) return;
    const weights = pixels.map((pixel) => layers[0].W[pixel * fires.length + neuron]);
    const largest = Math.max(...weights.map(Math.abs));
    paint(item.firstElementChild, weights.map((w) => w / largest), redOrBlue);
    item.lastElementChild.textContent = fires[neuron].toFixed(1);
  });
}

// Loading

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const tell = (sentence) => (part("trouble").textContent = sentence);

// Real digits that the book's network gets wrong; chapter 10 puts them into the page.
const examples = JSON.parse(part("digits")?.textContent ?? "[]").map(({ label, pixels }) => {
  return { label, picture: Float32Array.from(bytesOf(pixels), (gray) => gray / 255) };
});

async function fetchWeights() {
  if (location.protocol !== "file:") {
    const answer = await fetch(new URL("weights.bin", FOLDER));
    if (!answer.ok) throw Error(`the server answers ${answer.status}`);
    return answer.arrayBuffer();
  }
  // A page opened from the disk may fetch nothing, but it may load a script.
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const onerror = () => reject(Error("weights.js is missing"));
    Object.assign(script, { src: new URL("weights.js", FOLDER), onload: resolve, onerror });
    document.head.append(script);
  });
  return bytesOf(WEIGHTS).buffer;
}

async function use(name, buffer) {
  try {
    layers = readWeights(await buffer);
    part("network").textContent = `${name}, ${[784, ...layers.map(({ b }) => b.length)].join("-")}`;
    tell("");
  } catch (error) {
    tell(`${name} cannot be used: ${error.message}.`);
  }
  show();
}

part("file").onchange = ({ target }) => {
  if (target.files.length) use(target.files[0].name, target.files[0].arrayBuffer());
  target.value = ""; // so that the same file can be chosen again
};

part("example").hidden = !examples.length;
part("missing").hidden = true;
part("desk").hidden = false;
show();
use("the book's network", fetchWeights());
