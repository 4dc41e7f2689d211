// The page to draw on: strokes go to picture.js, the picture to network.js, and what
// comes out is shown. Nothing leaves the reader's device.

const FOLDER = new URL(".", document.currentScript.src);
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const part = (name) => document.getElementById(`draw-${name}`);
const pad = part("pad");

let layers; // of the network, once it is loaded
let drawing = { strokes: [] }; // or an example, which also has a picture and a label
let frame; // the next one, when something has changed
const past = []; // drawings, one for each step that can be taken back
const told = new Map(); // from drawings to what the reader has meant
const pen = { x: 0.5, y: 0.25, down: false, arrows: new Set() }; // moved by keys

// Drawing

function start(point) {
  const before = drawing.picture || told.has(drawing) ? [] : drawing.strokes;
  past.push(drawing);
  drawing = { strokes: [...before, [point]] };
  showSoon();
}

function goOn(point) {
  drawing.strokes.at(-1).push(point);
  showSoon();
}

function replace(other) {
  pen.down = false;
  drawing = other;
  say();
}

const undo = () => replace(past.pop() ?? { strokes: [] });
const erase = () => past.push(drawing) && replace({ strokes: [] });
const showSoon = () => (frame ??= requestAnimationFrame(show));
const place = ({ offsetX, offsetY }) => [offsetX / pad.clientWidth, offsetY / pad.clientHeight];

pad.onpointerdown = (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  pad.setPointerCapture(event.pointerId);
  pen.down = false;
  start(place(event));
};
pad.onpointermove = (event) => pad.hasPointerCapture(event.pointerId) && goOn(place(event));
pad.onlostpointercapture = say;

const KEYS = { " ": lowerOrLiftPen, u: undo, U: undo, Delete: erase, Backspace: erase };
pad.onkeydown = (event) => {
  const act = event.key in MOVES ? movePen : KEYS[event.key];
  act?.(event.key);
  if (act) event.preventDefault(); // the page shall not scroll
};
pad.onkeyup = (event) => pen.arrows.delete(event.key);
pad.onfocus = showSoon;
pad.onblur = () => {
  pen.down = false;
  pen.arrows.clear();
  showSoon();
};

function movePen(key) {
  for (const arrow of pen.arrows.add(key)) {
    pen.x = clip(pen.x + MOVES[arrow][0] / SIDE);
    pen.y = clip(pen.y + MOVES[arrow][1] / SIDE);
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

function read(picture) {
  if (!layers || !picture.some(Boolean)) return { fires: [], probabilities: Array(10).fill(0) };
  const [fires, ...others] = forward(layers, picture);
  const probabilities = others.at(-1) ?? fires;
  const sureness = Math.max(...probabilities);
  return { digit: probabilities.indexOf(sureness), sureness, probabilities, fires };
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

function mean(digit) {
  told.set(drawing, digit);
  show();
  part("said").textContent = part("score").textContent;
}

function showExample() {
  const wrong = examples.filter(({ picture, label }) => read(picture).digit !== label);
  const shown = wrong.findIndex(({ picture }) => picture === drawing.picture);
  past.push(drawing);
  if (wrong.length) replace(wrong[(shown + 1) % wrong.length]);
  else tell("This network reads all the digits that the page has.");
}

// Showing

const percent = (probability) => `${Math.round(100 * probability)}%`;
const redOrBlue = (weight) =>
  (weight > 0 ? [178, 24, 43] : [33, 102, 172]).map((c) => 255 - Math.abs(weight) * (255 - c));

function show() {
  cancelAnimationFrame(frame);
  frame = undefined;
  const picture = drawing.picture ?? makePicture(drawing.strokes);
  const { digit, sureness, probabilities, fires } = read(picture);
  drawing.digit = digit;
  part("answer").textContent = words({ digit, sureness });
  paint(part("seen"), picture, (ink) => Array(3).fill(255 - 255 * ink));
  showDrawing();
  [...part("bars").children].forEach((row, i) => {
    row.style.setProperty("--probability", probabilities[i]);
    row.classList.toggle("draw-first", i === digit);
    row.lastElementChild.textContent = percent(probabilities[i]);
  });
  showNeurons(fires);
  showScore();
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
  context.beginPath();
  for (const stroke of drawing.strokes) {
    context.moveTo(stroke[0][0] + 1e-4, stroke[0][1]); // a little beside, so that a dot shows
    for (const point of stroke) context.lineTo(...point);
  }
  context.stroke();
  if (!pad.matches(":focus-visible")) return; // the mouse shows its own pen
  Object.assign(context, { lineWidth: 0.008, strokeStyle: pen.down ? "#D55E00" : "#0072B2" });
  context.beginPath();
  context.arc(pen.x, pen.y, 0.03, 0, 2 * Math.PI);
  context.stroke();
}

// The neurons of the first layer that fire most, each as its 784 weights.
function showNeurons(fires) {
  const most = [...fires.keys()].filter((i) => fires[i] > 0).sort((a, b) => fires[b] - fires[a]);
  [...part("neurons").children].forEach((item, i) => {
    const weight = (_, pixel) => (i in most ? layers[0].W[pixel * fires.length + most[i]] : 0);
    const weights = Array.from({ length: SIDE * SIDE }, weight);
    const largest = Math.max(...weights.map(Math.abs), 1e-9);
    paint(item.firstElementChild, weights.map((w) => w / largest), redOrBlue);
    item.lastElementChild.textContent = fires[most[i]]?.toFixed(1) ?? "";
  });
}

function showScore() {
  for (const button of part("meant").querySelectorAll("button")) {
    button.disabled = drawing.digit === undefined || "picture" in drawing;
    button.setAttribute("aria-pressed", String(told.get(drawing)) === button.textContent);
  }
  const right = [...told].filter(([{ digit }, meant]) => digit === meant).length;
  part("score").textContent = !told.size ? "Say what you meant, and the page keeps your score."
    : `${right} of ${told.size} read as you meant. Your next stroke begins a new drawing.`;
}

// Loading

const tell = (sentence) => (part("trouble").textContent = sentence);
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// Real digits that the book's network gets wrong; chapter 10 puts them into the page.
const examples = JSON.parse(part("digits")?.textContent ?? "[]").map(({ label, pixels }) => (
  { strokes: [], label, picture: Float32Array.from(bytesOf(pixels), (byte) => byte / 255) }));

async function fetchWeights() {
  if (location.protocol !== "file:") {
    const answer = await fetch(new URL("weights.bin", FOLDER));
    if (!answer.ok) throw Error(`the server answers ${answer.status}`);
    return answer.arrayBuffer();
  }
  // A page opened from the disk may fetch nothing, but it may load a script.
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL("weights.js", FOLDER), onload: resolve });
    script.onerror = () => reject(Error("weights.js is missing"));
    document.head.append(script);
  });
  return bytesOf(WEIGHTS).buffer;
}

async function use(name, content) {
  try {
    layers = readWeights(await content);
    told.clear(); // a score is of one network
    part("network").textContent = `${name}, ${[784, ...layers.map(({ b }) => b.length)].join("-")}`;
    tell("");
  } catch (error) {
    tell(`${name} cannot be used: ${error.message}.`);
  }
  show();
}

function useFile(input) {
  if (input.files.length) use(input.files[0].name, input.files[0].arrayBuffer());
  input.value = ""; // so that the same file can be chosen again
}

part("example").hidden = !examples.length;
part("missing").hidden = true;
part("desk").hidden = false;
show();
use("the book's network", fetchWeights());
