// The field to train a network in: its controls, and what it shows of a training that
// goes on in a worker (training.js). Nothing leaves the reader's device.

const FOLDER = new URL(".", document.currentScript.src);
const field = document.getElementById("train-it-here");
const part = (name) => document.getElementById(`train-${name}`);
const tell = (sentence) => (part("trouble").textContent = sentence);
const inPercent = (accuracy) => `${(100 * accuracy).toFixed(1)}%`;

let worker;
let network; // a promise, once digits are loaded and the weights of a start are drawn
let meanDigits; // the accuracy of the reader of chapter 1
let record = { losses: [], epochs: [], accuracies: [] };
let templates = { isNew: false }; // now and at the start
let frame; // the next one, when something has changed
let learningRate;

// The worker

const waiting = []; // for answers

function ask(...message) {
  worker.postMessage(message, message.filter((value) => value instanceof ImageBitmap));
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

function listen({ data: { report, trouble, answer } }) {
  if (report) return hear(report);
  const { resolve, reject } = waiting.shift();
  if (trouble) reject(Error(trouble === "damaged" ? say("their picture is damaged") : trouble));
  else resolve(answer);
}

async function load() {
  readOut(say("Loading the digits."));
  try {
    const bytes = await loadBytes(new URL(field.dataset.digits, FOLDER), "DIGITS");
    const options = { colorSpaceConversion: "none" };
    // Not in the worker: from the disk, WebKit's reads no pictures.
    const picture = await createImageBitmap(new Blob([bytes]), options).catch(() => {});
    worker = startWorker();
    worker.onmessage = listen;
    meanDigits = await ask("load", picture);
  } catch (error) {
    network = undefined; // the next press tries again
    worker?.terminate();
    tell(say("The digits cannot be used: {0}.", error.message));
    throw error;
  }
  tell("");
  await begin();
}

// Training

async function begin(weights = drawStart(Number(part("hidden").value), part("signs").checked)) {
  const first = await ask("start", weights, settings());
  record = { ...first, epochs: [], accuracies: [[0, first.accuracy]] };
  templates = { start: first.templates, now: first.templates, isNew: true };
  stopped(say("A new network, {0} hidden neurons. Accuracy: {1}.", weights[0].b.length, inPercent(first.accuracy)));
}

const settings = () => ({
  learningRate, batchSize: Number(part("batch").value), shuffled: part("shuffled").checked });

async function act(action) {
  try {
    await (network ??= load());
  } catch {
    return; // what is wrong has been told
  }
  await action();
}

const train = () => act(() => {
  part("train").setAttribute("aria-pressed", "true");
  readOut(say("Training."));
  return ask("run", Infinity);
});
const pause = () => network && act(() => ask("run", 0));
const takeStep = () => act(() => ask("run", 1));
const startAgain = () => act(() => begin());
const choose = () => network && act(() => ask("choose", settings()));

function stopped(sentence) {
  part("train").setAttribute("aria-pressed", "false");
  readOut(sentence);
}

function hear({ losses, steps, epochEnds, stops, ...news }) {
  if (steps !== record.steps + losses.length) return; // of a network before
  record.losses.push(...losses);
  record.steps = steps;
  if (epochEnds) record.epochs.push(steps);
  if (news.templates) Object.assign(templates, { now: news.templates, isNew: true });
  if (news.accuracy !== undefined) {
    record.accuracies.push([steps, news.accuracy]);
    Object.assign(record, news);
  }
  const values = [record.losses.at(-1)?.toFixed(2), inPercent(record.accuracy)];
  if (stops) stopped(say("Step {0}: loss {1}, accuracy {2}.", steps, ...values));
  else if (epochEnds) readOut(say("Epoch {0}: loss {1}, accuracy {2}.", record.epochs.length, ...values));
  showSoon();
}

// Showing

function readOut(sentence) {
  announce(field, sentence);
  showSoon();
}

const showSoon = () => (frame ??= requestAnimationFrame(show));

function show() {
  frame = undefined;
  const { losses, epochs, accuracies, accuracy, example } = record;
  part("steps").textContent = losses.length;
  part("epochs").textContent = epochs.length;
  part("loss").textContent = losses.at(-1)?.toFixed(2) ?? "–";
  part("accuracy").textContent = accuracy === undefined ? "–" : inPercent(accuracy);
  part("means").textContent = meanDigits ? `(${inPercent(meanDigits)})` : "";
  showCurves(losses, epochs, accuracies);
  if (templates.isNew) showTemplates();
  if (!example) return;
  part("wrong").textContent = say("{0}, read as {1}", named(example.label), named(example.guess));
  paint(part("example"), example.image, inkOnPaper);
}

function showCurves(losses, epochs, accuracies) {
  const to = Math.max(losses.length, Math.ceil(10000 / part("batch").value));
  const every = Math.ceil(epochs.length / 5);
  const marked = epochs.filter((_, i) => (i + 1) % every === 0);
  const x = { from: 0, to, ticks: marked.map((step) => [step, epochs.indexOf(step) + 1]) };
  const wide = Math.ceil(losses.length / 400); // batches to a point
  const points = [];
  for (let i = 0; i < losses.length; i += wide) {
    const some = losses.slice(i, i + wide);
    const mean = some.reduce((sum, loss) => sum + loss) / some.length;
    points.push([i, Math.min(Math.max(mean, 0.01), 20)]);
  }
  const shownLosses = [0.01, 0.1, 1, 2.3, 10].map((loss) => [loss, loss]);
  plot(part("losses"), { x, y: { from: 0.01, to: 20, scale: Math.log, ticks: shownLosses },
    curves: [{ points, color: bookColor("blue") }] });
  const shownAccuracies = [0, 0.25, 0.5, 0.75, 1].map((part) => [part, percent(part)]);
  const line = meanDigits ? [[0, meanDigits], [to, meanDigits]] : [];
  plot(part("accuracies"), { x, y: { from: 0, to: 1, ticks: shownAccuracies }, curves: [
    { points: line, color: bookColor("vermillion"), dash: [6, 4] },
    { points: accuracies, color: bookColor("green"), dots: 2.5 }] });
}

// Sixteen templates in two rows, each 28 pixels wide with one of paper around it.
function showTemplates() {
  const { start, now } = templates;
  templates.isNew = false;
  const isChange = part("change").checked;
  const shown = now.map((weights, t) => (isChange ? weights.map((w, i) => w - start[t][i]) : weights));
  const largest = shown.reduce((most, weights) => weights.reduce(
    (high, w) => Math.max(high, Math.abs(w)), most), 1e-9);
  const { width, height } = part("templates");
  const colors = new Float32Array(width * height);
  shown.forEach((weights, t) => weights.forEach((w, i) => {
    const row = 30 * Math.floor(t / 8) + 1 + Math.floor(i / 28);
    colors[row * width + 30 * (t % 8) + 1 + (i % 28)] = w / largest;
  }));
  paint(part("templates"), colors, redOrBlue);
}

// Taking it along

async function keepNetwork() {
  const layers = await ask("send");
  try {
    await keep(writeWeights(layers));
    readOut(say("Kept on this device. The page of chapter 10 has a button for it."));
    part("kept").hidden = false;
  } catch (error) {
    tell(say("This browser cannot keep the network: {0}.", error.message));
  }
}

async function downloadNetwork() {
  const layers = await ask("send");
  const href = URL.createObjectURL(writeWeights(layers));
  Object.assign(document.createElement("a"), { href, download: "my_network.safetensors" }).click();
  readOut(say("Downloaded as my_network.safetensors."));
}

// Controls

for (const [name, press] of Object.entries({ train, pause, step: takeStep, again: startAgain,
  keep: () => act(keepNetwork), download: () => act(downloadNetwork) })) part(name).onclick = press;
for (const name of ["positive", "signs", "hidden"]) {
  part(name).onchange = () => network && startAgain();
}
for (const name of ["batch", "shuffled"]) part(name).onchange = choose;
for (const name of ["change", "itself"]) {
  part(name).onchange = () => showSoon(templates.isNew = "now" in templates);
}

// The slider moves along the rate's logarithm; one digit of the rate counts.
const rateAt = (power) => Number((10 ** power).toPrecision(1));
slide(part("rate"), (power) => String(rateAt(power)), (power) => {
  learningRate = rateAt(power);
  choose();
});
document.addEventListener("visibilitychange", () => document.hidden && pause());
new ResizeObserver(showSoon).observe(field);
