// Chapter 4: a place on the curve of the loss, its tangent, and a step downhill from it.
//
// Place 0 is where the gradient was computed, and a step of length 1 leads from there to
// place 1. Elsewhere the slope is another, and the step as much longer or shorter.

const field = document.getElementById("moving");
const part = (name) => document.getElementById(`moving-${name}`);
const { lengths, losses } = setInMotion("downhill");
const gap = lengths[1] - lengths[0];
const last = lengths.length - 1;
const end = lengths[last];
const slopes = losses.map((_, i) => {
  if (i === 0) return (4 * losses[1] - 3 * losses[0] - losses[2]) / (2 * gap);
  const [before, after] = [i - 1, Math.min(i + 1, last)];
  return (losses[after] - losses[before]) / (gap * (after - before));
});

// Between two lengths, values are on the straight line from one to the other.
function between(values, place) {
  const i = Math.min(Math.floor(place / gap + 1e-9), last - 1);
  const share = place / gap - i;
  return (1 - share) * values[i] + share * values[i + 1];
}

const place = () => part("place").valueAsNumber;
const isSeen = (there) => there >= 0 && there <= end;
const landing = () => place()
  + (part("length").valueAsNumber * between(slopes, place())) / slopes[0];
let drawn; // where the plot has its numbers

function show() {
  const [here, there, slope] = [place(), landing(), between(slopes, place())];
  const loss = between(losses, here);
  const tangent = [-0.8, 0.8].map((reach) => {
    const x = Math.min(Math.max(here + reach / Math.hypot(1, slope / 2), 0), end);
    return [x, loss + (x - here) * slope];
  });
  const curves = [
    { points: lengths.map((length, i) => [length, losses[i]]), color: bookColor("blue") },
    { points: tangent, color: bookColor("vermillion"), dash: [6, 4] },
    { points: [[here, loss]], color: bookColor("vermillion"), width: 0, dots: 7 },
  ];
  if (isSeen(there)) {
    const way = [[here, loss], [there, loss], [there, between(losses, there)]];
    curves.push({ points: way, color: "#444", dash: [2, 3] },
      { points: way.slice(2), color: bookColor("green"), width: 0, dots: 5 });
  }
  const y = { from: 0, to: Math.ceil(Math.max(...losses)), ticks: [] };
  for (let nats = 0; nats <= y.to; nats += Math.ceil(y.to / 6)) y.ticks.push([nats, `${nats}`]);
  const x = { from: 0, to: end, ticks: [0, 1, 2, 3, 4].map((n) => [n, `${n}`]) };
  drawn = plot(part("curve"), { x, y, curves });
  part("loss").textContent = say("Here: loss {0}, slope {1}.", loss.toFixed(2),
    slope.toFixed(2).replace("-", "−"));
  part("step").disabled = !isSeen(there);
  part("landing").textContent = !isSeen(there) ? say("This step leads out of the picture.")
    : say("The step leads to {0}, with a loss of {1}.", there.toFixed(2),
      between(losses, there).toFixed(2));
}

function moveTo(there) {
  part("place").value = there;
  part("place").oninput();
}

part("step").onclick = () => {
  const [before, slope] = [between(losses, place()), between(slopes, place())];
  moveTo(landing());
  const after = between(losses, place());
  const values = [before.toFixed(2), after.toFixed(2)];
  const leap = slope * between(slopes, place()) < 0 ? `${say("The step leaps across the valley.")} ` : "";
  announce(field, leap + (after > before
    ? say("Loss {0} before, {1} now, higher than before.", ...values)
    : say("Loss {0} before, {1} now.", ...values)));
};
part("start").onclick = () => moveTo(0);
part("curve").onpointerdown = part("curve").onpointermove = (event) => {
  if (event.buttons !== 1) return;
  part("curve").setPointerCapture(event.pointerId);
  moveTo(drawn.value([event.offsetX / (part("curve").currentCSSZoom ?? 1), 0])[0]);
};
slide(part("place"), (there) => there.toFixed(2), show);
slide(part("length"), (length) => length.toFixed(1), show);
new ResizeObserver(show).observe(part("curve"));
