// From strokes to a picture as MNIST has them: 28 × 28 numbers, 0 paper to 1 ink.
//
// A stroke is a list of points [x, y], 0 to 1 across the field. As for MNIST, a digit
// is scaled into a box of 20 × 20 pixels, and its center of mass comes to the middle.
// One thing differs: however large the digit is drawn, the pen has the same width.

const SIDE = 28;
const BOX = 20;
const MIDDLE = 14; // where MNIST has its centers of mass, counting pixels from 0
const PEN = 1.2; // half of the pen's width, in pixels; gives as much ink as in MNIST
const PIXELS = [...Array(SIDE).keys()];
const clip = (number) => Math.min(Math.max(number, 0), 1);

function makePicture(strokes) {
  if (!strokes.length) return new Float32Array(SIDE * SIDE);
  const [xs, ys] = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const size = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 0.1);
  const scale = (BOX - 2 * PEN) / size; // at most so much that a dot stays a dot
  const fitted = move(strokes, ([x, y]) => [(x - left) * scale + 5, (y - top) * scale + 5]);
  const [x0, y0] = centerOfMass(ink(fitted));
  return ink(move(fitted, ([x, y]) => [x - x0 + MIDDLE, y - y0 + MIDDLE]));
}

const move = (strokes, where) => strokes.map((stroke) => stroke.map(where));

// How far each pixel is covered: wholly inside of a line, in part at its edge.
function ink(strokes) {
  const picture = new Float32Array(SIDE * SIDE);
  const reach = PEN + 0.5;
  const near = (a, b) =>
    PIXELS.filter((i) => Math.min(a, b) - reach < i && i < Math.max(a, b) + reach);
  for (const stroke of strokes) {
    stroke.forEach((to, i) => {
      const from = stroke[i - 1] ?? to;
      for (const y of near(from[1], to[1])) {
        for (const x of near(from[0], to[0])) {
          const covered = clip(reach - distance(x, y, from, to));
          picture[y * SIDE + x] = Math.max(picture[y * SIDE + x], covered);
        }
      }
    });
  }
  return picture;
}

// From a point to the line between two others.
function distance(x, y, [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = clip(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1));
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}

function centerOfMass(picture) {
  const sum = (weight) => picture.reduce((total, pixel, i) => total + pixel * weight(i), 0);
  const all = sum(() => 1);
  return [sum((i) => i % SIDE) / all, sum((i) => Math.floor(i / SIDE)) / all];
}
