// From strokes to a picture as MNIST has them: 28 × 28 numbers, 0 paper to 1 ink.
//
// A stroke is a list of points [x, y], 0 to 1 across the field. As for MNIST, a digit
// is scaled into a box of 20 × 20 pixels, and its center of mass comes to the middle.
// One thing differs: however large the digit is drawn, the pen has the same width.

const SIDE = 28;
const BOX = 20;
const MIDDLE = 14; // where MNIST has its centers of mass, counting pixels from 0
const PEN = 1.2; // half of the pen's width, in pixels; gives as much ink as in MNIST
const clip = (number) => Math.min(Math.max(number, 0), 1);

// The corners of the box around points: left and top, then right and bottom.
const box = (points) => [Math.min, Math.max].map((choose) => [0, 1].map(
  (axis) => points.reduce((found, point) => choose(found, point[axis]), points[0][axis])));

function makePicture(strokes) {
  if (!strokes.length) return new Float32Array(SIDE * SIDE);
  const [[left, top], [right, bottom]] = box(strokes.flat());
  const size = Math.max(right - left, bottom - top, 0.1);
  const scale = (BOX - 2 * PEN) / size; // at most so much that a dot stays a dot
  const fitted = move(strokes, ([x, y]) => [(x - left) * scale + 5, (y - top) * scale + 5]);
  const [x0, y0] = centerOfMass(ink(fitted));
  return ink(move(fitted, ([x, y]) => [x - x0 + MIDDLE, y - y0 + MIDDLE]));
}

const move = (strokes, where) => strokes.map((stroke) => stroke.map(where));

// Whether blank paper parts the strokes into two tall digits, one beside the other.
function areTwoDigits(strokes) {
  const boxes = strokes.map(box);
  const height = (some) => box(some.flat())[1][1] - box(some.flat())[0][1];
  const isTall = (some) => some.length && height(some) > 0.6 * height(boxes);
  return boxes.some(([, [end]]) => {
    const sides = [([, [x]]) => x <= end, ([[x]]) => x > end + (3 * PEN) / SIDE];
    const [left, right] = sides.map((isThere) => boxes.filter(isThere));
    return left.length + right.length === boxes.length && isTall(left) && isTall(right);
  });
}

// How far each pixel is covered: wholly inside of a line, in part at its edge.
function ink(strokes) {
  const picture = new Float32Array(SIDE * SIDE);
  const reach = PEN + 0.5;
  const first = (a, b) => Math.max(Math.ceil(Math.min(a, b) - reach), 0);
  const last = (a, b) => Math.min(Math.max(a, b) + reach, SIDE - 1);
  for (const stroke of strokes) {
    stroke.forEach((to, i) => {
      const from = stroke[i - 1] ?? to;
      for (let y = first(from[1], to[1]); y <= last(from[1], to[1]); y++) {
        for (let x = first(from[0], to[0]); x <= last(from[0], to[0]); x++) {
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
  return Math.sqrt((x - x1 - along * dx) ** 2 + (y - y1 - along * dy) ** 2);
}

function centerOfMass(picture) {
  const sum = (weight) => picture.reduce((total, pixel, i) => total + pixel * weight(i), 0);
  return [(i) => i % SIDE, (i) => Math.floor(i / SIDE)].map((w) => sum(w) / sum(() => 1));
}
