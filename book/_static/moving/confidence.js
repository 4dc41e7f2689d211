// Chapter 6: digits that the network reads with little confidence are left to people.

const field = document.getElementById("moving");
const part = (name) => document.getElementById(`moving-${name}`);
const BAR = 5; // numbers to a bar
// How many digits have a confidence of 0.00 to 0.01, 0.01 to 0.02 and so on.
const { right, wrong } = setInMotion("confidence");
const total = (counts, first = 0, end = 100) =>
  counts.slice(first, end).reduce((sum, count) => sum + count, 0);
const all = total(right) + total(wrong);
const HEIGHT = 1.2 * Math.max(...right.map((_, i) => total(right, i, i + BAR)));
const many = (count) => count.toLocaleString("en");

function show(threshold) {
  const y = { from: 0.7, to: HEIGHT, scale: Math.log, ticks: [] };
  for (let count = 1; count <= HEIGHT; count *= 10) y.ticks.push([count, many(count)]);
  const x = { from: 0, to: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((n) => [n, `${n}`]) };
  const { context, place } = plot(part("bars"), { x, y, curves: [] });
  for (const [counts, name, inset] of [[right, "blue", 0], [wrong, "vermillion", 0.25]]) {
    for (let first = 0; first < 100; first += BAR) {
      const count = Math.max(total(counts, first, first + BAR), 0.7);
      const [left, top] = place([(first + inset * BAR) / 100, count]);
      const [end, bottom] = place([(first + BAR - inset * BAR) / 100, 0.7]);
      Object.assign(context, { globalAlpha: 0.8, fillStyle: bookColor(name) });
      context.fillRect(left + 1, top, end - left - 2, bottom - top);
    }
  }
  // A veil over those that people read.
  const [[left, top], [line, bottom]] = [place([0, HEIGHT]), place([threshold / 100, 0.7])];
  Object.assign(context, { globalAlpha: 0.75, fillStyle: "#fff", strokeStyle: "#444", lineWidth: 2 });
  context.fillRect(left, top, line - left, bottom - top);
  context.globalAlpha = 1;
  trace(context, [[line, top], [line, bottom]]);

  const errors = total(wrong, threshold);
  const read = errors + total(right, threshold);
  const share = read ? ` (${((100 * errors) / read).toFixed(1)}%)` : "";
  part("people").textContent = `${many(all - read)} (${percent(1 - read / all)})`;
  part("network").textContent = many(read);
  part("wrong").textContent = `${many(errors)}${share}`;
}

part("threshold").onchange = () => announce(field, say(
  "{0} left to people; {1} read by the network, {2} of them wrong.",
  ...["people", "network", "wrong"].map((name) => part(name).textContent)));
slide(part("threshold"), (threshold) => (threshold / 100).toFixed(2), show);
new ResizeObserver(() => show(part("threshold").valueAsNumber)).observe(part("bars"));
