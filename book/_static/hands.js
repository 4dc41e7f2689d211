// What the fields and figures to be used by hand share: pictures, curves, sliders, files.
//
// Canvases lie on --book-paper in both themes, like the figures, so that their colors
// stay the same.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const named = (digit) => (digit === 8 ? say("an {0}", digit) : say("a {0}", digit));
const percent = (part) => `${Math.round(100 * part)}%`;
const bookColor = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--book-${name}`).trim();

// Colors for paint: of weights from -1 to 1, blue to red (what these take from white),
// and of ink from 0 to 1.
const redOrBlue = (w) => (w > 0 ? [77, 231, 212] : [222, 153, 83]).map((c) => 255 - Math.abs(w) * c);
const inkOnPaper = (ink) => Array(3).fill(255 - 255 * ink);

// Shows numbers, one in each pixel of the canvas, row by row; 0 is white.
function paint(canvas, numbers, color) {
  const image = new ImageData(canvas.width, canvas.height);
  image.data.fill(255);
  numbers.forEach((number, i) => number && image.data.set(color(number), 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Clears a canvas and returns its context, which counts in the page's pixels. The
// page's style gives the canvas its size.
function clear(canvas) {
  canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
  canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  context.font = `13px ${getComputedStyle(canvas).fontFamily}`;
  return context;
}

// Draws curves: { points: [[x, y], …], color, width, dash, dots }. The axes x and y are
// { from, to, ticks: [[value, text], …], scale }, where scale may be Math.log.
// Returns the context, and functions from numbers to the page's pixels and back.
function plot(canvas, { x, y, curves }) {
  const context = clear(canvas);
  const across = axis(x, 44, canvas.clientWidth - 12);
  const up = axis(y, canvas.clientHeight - 26, 10);
  Object.assign(context, { fillStyle: "#444", strokeStyle: "#e3e3e3", textBaseline: "middle" });
  context.textAlign = "right";
  for (const [value, text] of y.ticks) {
    trace(context, [[across.start, up.place(value)], [across.end, up.place(value)]]);
    context.fillText(text, across.start - 6, up.place(value));
  }
  context.textAlign = "center";
  for (const [value, text] of x.ticks) {
    trace(context, [[across.place(value), up.start], [across.place(value), up.end]]);
    context.fillText(text, across.place(value), up.start + 14);
  }
  for (const { points, color, width = 1.5, dash = [], dots = 0 } of curves) {
    const places = points.map(([a, b]) => [across.place(a), up.place(b)]);
    Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: width });
    context.setLineDash(dash);
    if (width) trace(context, places);
    for (const [a, b] of dots ? places : []) {
      context.beginPath();
      context.arc(a, b, dots, 0, 2 * Math.PI);
      context.fill();
    }
  }
  return { context, place: ([a, b]) => [across.place(a), up.place(b)],
    value: ([a, b]) => [across.value(a), up.value(b)] };
}

// A straight scale from numbers to pixels; with Math.log, from their logarithms.
function axis({ from, to, scale = Number }, start, end) {
  const back = scale === Math.log ? Math.exp : Number;
  const step = (end - start) / (scale(to) - scale(from));
  const place = (number) => start + (scale(number) - scale(from)) * step;
  const value = (pixel) => back(scale(from) + (pixel - start) / step);
  return { start, end, place, value };
}

function trace(context, places) {
  context.beginPath();
  for (const [a, b] of places) context.lineTo(a, b);
  context.stroke();
}

// Shows a slider's number in the `<output for>` it, as words(number), and calls moved
// (number) now and whenever the reader moves it.
function slide(input, words, moved = () => {}) {
  const output = document.querySelector(`output[for="${input.id}"]`);
  input.oninput = () => {
    output.textContent = input.ariaValueText = words(input.valueAsNumber);
    moved(input.valueAsNumber);
  };
  input.oninput();
}

// Has a sentence read out: in the element of role "status" of a field or figure.
function announce(field, sentence) {
  field.querySelector("[role='status']").textContent = sentence;
}

// The bytes that the build has put into a script, as `var NAME = "…"`: a page opened
// from the disk may load nothing else.
async function loadBytes(address, name) {
  const script = document.createElement("script");
  document.head.append(Object.assign(script, { src: address }));
  await new Promise((resolve) => (script.onload = script.onerror = resolve));
  const [file] = address.pathname.split("/").slice(-1);
  if (!window[name]) throw Error(say("{0} is missing or damaged", file));
  return bytesOf(window[name]).buffer;
}

// Shows what moves in a figure, in place of its picture, which stays for paper. Returns
// what the chapter has passed to it.
function setInMotion(name) {
  const passed = NUMBERS; // or an error, and the picture remains
  const picture = document.querySelector(`#${name} > img`);
  picture.classList.add("d-none", "d-print-block");
  document.getElementById("moving").hidden = false;
  return passed;
}

// Bytes as pictures of 28 × 28 numbers, where a byte of `one` is 1.
function picturesOf(bytes, one) {
  const numbers = Float32Array.from(bytes, (byte) => byte / one);
  return Array.from({ length: numbers.length / 784 }, (_, i) => numbers.slice(784 * i, 784 * (i + 1)));
}
