// The page to draw on: strokes go to picture.js, the picture to network.js, and what
// comes out is shown. Nothing leaves the reader's device.

const FOLDER = new URL(".", document.currentScript.src);
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const part = (name) => document.getElementById(`draw-${name}`);
const pad = part("pad");

let layers, chosen, frame; // of the network in use; its file; the next one to show
let drawing = { strokes: [] }; // or an example, which also has a picture and a label
const past = []; // drawings, one for each step that can be taken back
const told = new Map(); // from drawings to what the reader has meant
const pen = { x: 0.5, y: 0.25, by: undefined, arrows: new Set() }; // "keys" or a pointer

// Drawing

function start(point, by) {
  pen.by = by;
  const before = drawing.picture || told.has(drawing) ? [] : drawing.strokes;
  past.push(drawing);
  drawing = { strokes: [...before, [point]] };
  showSoon();
}

function replace(other) {
  pen.by = undefined;
  pen.arrows.clear();
  drawing = other;
  readOut();
}

function undo() {
  told.delete(drawing);
  replace(past.pop() ?? { strokes: [] });
}

const goOn = (point) => drawing.strokes.at(-1).push(point) && showSoon();
const erase = () => past.push(drawing) && replace({ strokes: [] });
const showSoon = () => (frame ??= requestAnimationFrame(show));
// An event counts pixels of the screen's size, clientWidth those before any CSS zoom.
const place = ({ offsetX, offsetY }) => [offsetX, offsetY].map(
  (n) => clip(n / pad.clientWidth / (pad.currentCSSZoom ?? 1)));

pad.onpointerdown = (event) => {
  if (event.button !== 0 || pen.by >= 0) return; // one finger at a time
  pad.setPointerCapture(event.pointerId);
  start(place(event), event.pointerId);
};
pad.onpointermove = (event) => event.pointerId === pen.by && goOn(place(event));
pad.onlostpointercapture = (event) => event.pointerId === pen.by && replace(drawing);

const KEYS = { " ": lowerOrLiftPen, u: undo, U: undo, Delete: erase, Backspace: erase };
pad.onkeydown = (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return; // the browser's own
  const act = event.key in MOVES ? movePen : KEYS[event.key];
  if (!event.repeat || act === movePen) act?.(event.key);
  if (act) event.preventDefault(); // the page shall not scroll
};
pad.onkeyup = (event) => pen.arrows.delete(event.key) && readOut(pen.by
  ? say("Pen down, {0} across, {1} down the field.", percent(pen.x), percent(pen.y))
  : say("Pen up, {0} across, {1} down the field.", percent(pen.x), percent(pen.y)));
pad.onfocus = pad.onblur = () => replace(drawing);

function movePen(key) {
  for (const arrow of pen.arrows.add(key)) {
    pen.x = clip(pen.x + MOVES[arrow][0] / SIDE);
    pen.y = clip(pen.y + MOVES[arrow][1] / SIDE);
  }
  if (pen.by === "keys") goOn([pen.x, pen.y]);
  showSoon();
}

function lowerOrLiftPen() {
  if (pen.by === "keys") return replace(drawing);
  start([pen.x, pen.y], "keys");
  readOut(say("Pen down."));
}

// Reading

function read(picture) {
  if (!layers || !picture.some(Boolean)) return { fires: [], probabilities: Array(10).fill(0) };
  const [fires, ...others] = forward(layers, picture);
  const probabilities = others.at(-1) ?? fires;
  const sureness = Math.max(...probabilities);
  return { digit: probabilities.indexOf(sureness), sureness, probabilities, fires };
}

function describe({ digit, sureness }) {
  if (digit === undefined) return layers ? say("Draw a digit.") : say("Waiting for a network.");
  const answer = sureness < 0.5 ? say("Perhaps {0} ({1}).", named(digit), percent(sureness))
    : say("I read {0} ({1}).", named(digit), percent(sureness));
  const label = drawing.picture && say("But it is labeled {0}.", drawing.label);
  const two = areTwoDigits(drawing.strokes) && say("I see two digits, but read one.");
  return [answer, label, two].filter(Boolean).join(" ");
}

// For those who listen: at the end of a stroke, the answer.
function readOut(sentence) {
  show();
  part("said").textContent = sentence ?? part("answer").textContent;
}

function mean(digit) {
  told.set(drawing, digit);
  show();
  readOut(part("score").textContent);
}

function showExample() {
  const wrong = examples.filter(({ picture, label }) => read(picture).digit !== label);
  const shown = wrong.findIndex(({ picture }) => picture === drawing.picture);
  if (!wrong.length) return tell(say("This network reads all the digits that the page has."));
  past.push(drawing) && replace(wrong[(shown + 1) % wrong.length]);
}

// Showing

function show() {
  frame = cancelAnimationFrame(frame); // none is due any more
  const picture = drawing.picture ?? makePicture(drawing.strokes);
  const { digit, sureness, probabilities, fires } = read(picture);
  drawing.digit = digit;
  part("answer").textContent = describe({ digit, sureness });
  paint(part("seen"), picture, inkOnPaper);
  showDrawing();
  [...part("bars").children].forEach((row, i) => {
    row.style.setProperty("--probability", probabilities[i]);
    row.classList.toggle("draw-first", i === digit);
    row.lastElementChild.textContent = percent(probabilities[i]);
  });
  showNeurons(fires);
  showScore();
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
  Object.assign(context, { lineWidth: 0.008, strokeStyle: pen.by ? "#D55E00" : "#0072B2" });
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
    item.lastElementChild.textContent = fires[most[i]]?.toPrecision(2) ?? "";
  });
}

function showScore() {
  for (const button of part("meant").querySelectorAll("button")) {
    button.disabled = drawing.digit === undefined || "picture" in drawing;
    button.setAttribute("aria-pressed", String(told.get(drawing)) === button.textContent);
  }
  const right = [...told].filter(([{ digit }, meant]) => digit === meant).length;
  part("score").textContent = !told.size ? say("Say what you meant, and the page keeps your score.")
    : say("{0} of {1} read as you meant. Your next stroke begins a new drawing.", right, told.size);
}

// Loading

const tell = (sentence) => (part("trouble").textContent = sentence);

// Real digits that the book's network gets wrong; chapter 10 puts them into the page.
const examples = JSON.parse(part("digits")?.textContent ?? "[]").map(({ label, pixels }) => (
  { strokes: [], label, picture: Float32Array.from(bytesOf(pixels), (byte) => byte / 255) }));

const loadWeights = () => loadBytes(new URL("weights.js", FOLDER), "WEIGHTS");

async function use(name, content) {
  chosen = content;
  try {
    const network = readWeights(await content);
    if (chosen !== content) return; // another has been chosen since
    layers = network;
    told.clear(); // a score is of one network
    part("network").textContent = `${name}, ${[784, ...layers.map(({ b }) => b.length)].join("-")}`;
    tell("");
  } catch (error) {
    if (chosen === content) tell(say("{0} cannot be used: {1}.", name, error.message));
  }
  readOut();
}

// Buttons

const useTheBooks = () => use(say("the book's network"), loadWeights());
const useKept = () => use(say("your network of chapter 5"), kept());
for (const [name, press] of Object.entries({ undo, clear: erase, example: showExample,
  books: useTheBooks, kept: useKept })) part(name).onclick = press;
part("kept").hidden = !isKept();
part("meant").onclick = ({ target }) => target.matches("button") && mean(Number(target.textContent));
part("file").onchange = ({ target }) => {
  if (target.files[0]) use(target.files[0].name, target.files[0].arrayBuffer());
  target.value = ""; // so that the same file can be chosen again
};
pad.onmousedown = (event) => event.preventDefault(); // else it would take the keys from the page

show();
// The network is loaded once the field comes near.
new IntersectionObserver(([{ isIntersecting }], watcher) => {
  if (isIntersecting) watcher.disconnect() ?? useTheBooks();
}, { rootMargin: "300px" }).observe(pad);
