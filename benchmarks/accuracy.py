"""How long it takes to read 97, 98, 99 and 99.2% of the test digits.

Each recipe is run for several seeds, from its first line to its last, compiling
included. The recipes were chosen on 10,000 digits held back from the training set
(the chapter on improving says how); the test digits only tell here how good they
are.

    python benchmarks/accuracy.py --seeds 1 2 3 --json accuracy.json
"""

import itertools
import math
import statistics
import time
from functools import partial

import measuring

TARGETS = (0.97, 0.98, 0.99, 0.992, 0.995)


class StopWatch:
    """A metric for training: notes when which accuracy was reached."""

    def __init__(self, bar):
        self.bar, self.start = bar, time.perf_counter()
        self.seconds, self.accuracies = [], []

    def note(self, reached: float) -> float:
        """Note the accuracy after an epoch, and return it."""
        self.seconds.append(time.perf_counter() - self.start)
        self.accuracies.append(float(reached))
        self.bar.add(1)
        return reached

    def __call__(self, labels, predictions) -> float:
        """Measure and note the accuracy; ``fit`` calls its metric so."""
        from mnist_lib import accuracy

        return self.note(accuracy(labels, predictions))

    def seconds_to(self, target: float) -> float | None:
        """Return the time after which the accuracy was reached, or None."""
        pairs = zip(self.seconds, self.accuracies, strict=True)
        return next((seconds for seconds, reached in pairs if reached >= target), None)


def train_keras(data, seed, watch, epochs):
    """Train the usual Keras model in the usual way."""
    import keras

    keras.utils.set_random_seed(seed)
    images, labels, tests = data
    model = keras.Sequential([keras.Input((images.shape[1],))])
    model.add(keras.layers.Dense(512, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ended = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: watch.note(logs["val_accuracy"])
    )
    settings = {"batch_size": 128, "validation_data": tests, "verbose": 0}
    model.fit(images, labels, epochs=epochs, callbacks=[ended], **settings)


def train_ours(data, seed, watch, epochs, units=(512,), distort=None, **adam):
    """Train dense layers with ``fit_compiled`` and what the course improves."""
    import tensorflow as tf

    import mnist_lib as m

    tf.random.set_seed(seed)
    images, labels, tests = data
    sizes = [*itertools.pairwise([images.shape[1], *units, 10])]
    activations = [tf.nn.relu] * len(units) + [tf.nn.softmax]
    model = m.NaiveSequential(
        [
            m.NaiveDense(*size, activation, m.he_start)
            for size, activation in zip(sizes, activations, strict=True)
        ]
    )
    num_steps = epochs * math.ceil(len(images) / BATCH_SIZE)
    peak = adam.pop("peak", 0.004)
    m.fit_compiled(
        model,
        images,
        labels,
        epochs,
        BATCH_SIZE,
        m.one_cycle(peak, num_steps),
        shuffle=True,
        seed=seed,
        validation_data=tests,
        metric=watch,
        verbose=0,
        update=m.Adam(model.weights, **adam),
        distort=None if distort is None else m.Distortion(seed=seed, **distort),
    )


BATCH_SIZE = 120  # divides 60,000, so that there is no short batch to compile too
STRONG = {"rotation": 12, "scale": 0.12, "shear": 0.12, "shift": 1.5, "elastic": 1.2}
RECIPES = {
    "Keras": partial(train_keras, epochs=15),
    "plain": partial(train_ours, epochs=4),
    "distorted": partial(train_ours, epochs=20, distort={}),
    "distorted, long": partial(train_ours, epochs=100, distort={}, weight_decay=0.05),
    "larger": partial(
        train_ours,
        epochs=200,
        units=(1024, 512),
        distort=STRONG,
        peak=0.002,
        weight_decay=0.05,
    ),
}


def run(recipe, data, seed, name, **changes):
    """Train with one seed; return its watch."""
    epochs = changes.get("epochs", recipe.keywords["epochs"])
    print(f"{name}, seed {seed}")
    watch = StopWatch(measuring.progress(epochs, "epoch"))
    recipe(data, seed, watch, **changes)
    print(f"{watch.accuracies[-1]:.2%} after {watch.seconds[-1]:.1f} s")
    return watch


def tabulate(watches):
    """Return medians over the seeds: the last accuracy, and the time to each target.

    A target that most of the seeds do not reach has no time.
    """
    times = {}
    for target in TARGETS:
        reached = [watch.seconds_to(target) for watch in watches]
        reached = [math.inf if seconds is None else seconds for seconds in reached]
        median = statistics.median_high(reached)
        times[target] = None if median == math.inf else median
    return {
        "accuracy": statistics.median(watch.accuracies[-1] for watch in watches),
        "accuracies": [watch.accuracies[-1] for watch in watches],
        "seconds": statistics.median(watch.seconds[-1] for watch in watches),
        "seconds_to": times,
    }


def print_table(rows) -> None:
    """Print the recipes' accuracies and times; a dash is what was not reached."""
    heads = ("accuracy", "s", *(f"{target:.1%}" for target in TARGETS))
    print(f"{'medians; seconds to':24}", *(f"{head:>9}" for head in heads))
    for name, row in rows.items():
        times = [row["seconds"], *row["seconds_to"].values()]
        cells = ["-" if seconds is None else f"{seconds:.1f}" for seconds in times]
        cells.insert(0, f"{row['accuracy']:.2%}")
        print(f"{name:24}", *(f"{cell:>9}" for cell in cells))


def main() -> None:
    """Measure, print, and write what was asked for."""
    usual = [name for name in RECIPES if name != "larger"]
    only = {"nargs": "+", "choices": RECIPES, "default": usual}
    numbers = {"seeds": [1, 2, 3], "examples": 60_000, "epochs": None, "threads": None}
    settings = measuring.parse(__doc__, ("--only", only), **numbers)
    images, labels, test_images, test_labels = measuring.load(settings.examples)
    data = images, labels, (test_images, test_labels)
    machine = measuring.describe_machine()
    measuring.print_machine(machine)
    changes = {"epochs": settings.epochs} if settings.epochs else {}
    watches = {name: [] for name in settings.only}
    for seed in settings.seeds:  # in turns, so that a slow minute hits them all
        for name in settings.only:
            watches[name].append(run(RECIPES[name], data, seed, name, **changes))
    rows = {name: tabulate(runs) for name, runs in watches.items()}
    print_table(rows)
    results = {"machine": machine, "settings": vars(settings), "recipes": rows}
    measuring.write_json(settings.json, results)


if __name__ == "__main__":
    main()
