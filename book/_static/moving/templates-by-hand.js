// Chapter 2: a neuron multiplies a digit by its template, pixel by pixel, and adds up.

const SIDE = 28;
const PEN = 2; // stands for the pixel where the pen is, or the sum; weights are below 1
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const field = document.getElementById("moving");
const part = (name) => document.getElementById(`moving-${name}`);
const { digit, pen, template } = field.elements; // each is a group of choices
const passed = setInMotion("templates-by-hand");
const digits = picturesOf(bytesOf(passed.digits), 255);
const templates = picturesOf(new Int8Array(bytesOf(passed.templates).buffer), 127);
const limit = Math.max(...templates.map((weights) => Math.max(...weights.map(Math.abs))));
const color = (number) => (number === PEN ? [0, 0, 0] : redOrBlue(number / limit));
const signed = (number) => number.toFixed(1).replace("-", "−");
let [column, row] = [14, 14]; // of the pen
let frame;

function show() {
  const [ink, weights] = [digits[digit.value], templates[template.value]];
  const [count, bias] = [part("pixels").valueAsNumber, part("bias").valueAsNumber];
  const products = ink.map((x, i) => (i < count ? x * weights[i] : 0));
  const sum = products.reduce((total, product) => total + product);
  const here = part("template").matches(":focus-visible") ? row * SIDE + column : -1;
  paint(part("digit"), ink, inkOnPaper);
  paint(part("template"), weights.map((w, i) => (i === here ? PEN : w)), color);
  paint(part("product"), products.map((w, i) => (i === count ? PEN : w)), color);
  part("sum").textContent = say("Sum {0}, with the bias {1}", signed(sum), signed(sum + bias));
  part("answer").textContent = count < SIDE ** 2 ? say("The sum is not complete.")
    : sum + bias > 0 ? say("The neuron fires: {0}.", signed(sum + bias))
    : say("The neuron does not fire: relu makes it 0.");
}

function readOut() {
  show();
  announce(field, `${part("sum").textContent}. ${part("answer").textContent}`);
}

// Row by row, in about two seconds.
function addUp(count) {
  cancelAnimationFrame(frame);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  part("pixels").value = calm ? SIDE ** 2 : count;
  part("pixels").oninput();
  if (part("pixels").valueAsNumber === SIDE ** 2) readOut();
  else frame = requestAnimationFrame(() => addUp(count + 7));
}

// Paints three by three pixels, on a copy that is the reader's own template.
function paintAt(x, y) {
  [column, row] = [x, y].map((n) => Math.min(Math.max(Math.floor(n), 0), SIDE - 1));
  const isNear = (i) => Math.hypot((i % SIDE) - column, Math.floor(i / SIDE) - row) < 1.5;
  templates[10] = templates[template.value].map((w, i) => (isNear(i) ? pen.value * limit : w));
  template.value = 10;
  show();
}

part("template").onpointerdown = part("template").onpointermove = (event) => {
  if (event.buttons !== 1) return;
  part("template").setPointerCapture(event.pointerId);
  const scale = SIDE / part("template").clientWidth / (part("template").currentCSSZoom ?? 1);
  paintAt(event.offsetX * scale, event.offsetY * scale);
};
part("template").onkeydown = (event) => {
  if (event.key === " ") paintAt(column, row);
  else if (event.key in MOVES) [column, row] = MOVES[event.key].map(
    (step, i) => Math.min(Math.max([column, row][i] + step, 0), SIDE - 1));
  else return;
  event.preventDefault(); // the page shall not scroll
  show();
};
part("template").onfocus = part("template").onblur = show;
part("template").onpointerup = part("template").onkeyup = field.onchange = readOut;
part("add").onclick = () => addUp(0);
templates.push(new Float32Array(SIDE ** 2)); // empty, for the reader
digits.forEach((ink, i) => paint(digit[i].nextElementSibling, ink, inkOnPaper));
templates.forEach((w, i) => paint(template[i].nextElementSibling, w, color));
slide(part("pixels"), (count) => say("{0} of 784", count), show);
slide(part("bias"), signed, show);
