"""Ways to train a dense network for one epoch, all on the same work.

Each competitor is a function of a ``Work`` that returns a function without
arguments. That one trains for an epoch, shuffling included where the work says
so, and returns the epoch's mean loss in nats. All start from the same weights, so
their losses must fall alike. A floor does the matrix products of an epoch and
nothing else; it learns nothing and returns None.
"""

import itertools
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from mnist_lib import (
    BatchGenerator,
    NaiveDense,
    NaiveSequential,
    fit,
    one_training_step,
)
from mnist_lib.compiling import compile_epoch, split_batches


@dataclass
class Work:
    """One training: the data, the sizes, and how."""

    images: np.ndarray  # (n, width), float32
    labels: np.ndarray  # (n,), integers
    units: tuple[int, ...] = (512,)  # neurons of the hidden layers
    batch_size: int = 128
    learning_rate: float = 0.1
    seed: int = 1

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Inputs and outputs of every layer."""
        return [*itertools.pairwise([self.images.shape[1], *self.units, 10])]

    def start(self) -> list[np.ndarray]:
        """Return the start that all share: Glorot's matrices, biases 0."""
        random, weights = np.random.default_rng(self.seed), []
        for sizes in self.sizes:
            limit = np.sqrt(6 / sum(sizes))
            weights += [random.uniform(-limit, limit, sizes), np.zeros(sizes[1])]
        return [weight.astype("float32") for weight in weights]

    def batches(self):
        """Return where each batch of an epoch begins and ends."""
        n, size = len(self.images), self.batch_size
        return [(first, min(first + size, n)) for first in range(0, n, size)]


def naive_model(work: Work) -> NaiveSequential:
    """Return the course's model with the shared start."""
    activations = [tf.nn.relu] * len(work.units) + [tf.nn.softmax]
    layers = zip(work.sizes, activations, strict=True)
    model = NaiveSequential([NaiveDense(*size, f) for size, f in layers])
    for weight, value in zip(model.weights, work.start(), strict=True):
        weight.assign(value)
    return model


# The course's own ways


def eager_source(work):
    """The loop as the blog post and its book have it: no checks, no shuffling."""
    weights = [tf.Variable(value) for value in work.start()]
    layers = [*zip(weights[::2], weights[1::2], strict=True)]

    def step(images, labels):
        with tf.GradientTape() as tape:
            for W, b in layers[:-1]:
                images = tf.nn.relu(tf.matmul(images, W) + b)
            W, b = layers[-1]
            predictions = tf.nn.softmax(tf.matmul(images, W) + b)
            losses = keras.losses.sparse_categorical_crossentropy(labels, predictions)
            loss = tf.reduce_mean(losses)
        for gradient, weight in zip(tape.gradient(loss, weights), weights, strict=True):
            weight.assign_sub(work.learning_rate * gradient)
        return loss

    def epoch():
        parts = [(work.images[a:b], work.labels[a:b]) for a, b in work.batches()]
        losses = [float(step(*part)) for part in parts]
        return np.average(losses, weights=[len(labels) for _, labels in parts])

    return epoch


def eager_fit(work):
    """``fit``, which also checks and shuffles."""
    model, seeds = naive_model(work), itertools.count(work.seed)
    data = work.images, work.labels
    settings = {"shuffle": True, "learning_rate": work.learning_rate, "verbose": 0}

    def epoch():
        settings["seed"] = next(seeds)
        return fit(model, *data, 1, work.batch_size, **settings).epoch_losses[0]

    return epoch


def graph_of_step(work, on_device=False):
    """``tf.function`` on one step; with the data as one tensor if ``on_device``."""
    model, rate = naive_model(work), tf.constant(work.learning_rate)
    step = tf.function(one_training_step)
    generator = BatchGenerator(work.images, work.labels, work.batch_size, True, 1)
    images, labels = tf.constant(work.images), tf.constant(work.labels)

    def batches():
        if not on_device:
            yield from generator
        else:
            generator.restart()
            shuffled = [tf.gather(part, generator.order) for part in (images, labels)]
            for first, last in work.batches():
                yield [part[first:last] for part in shuffled]

    def epoch():
        results = [(step(model, *batch, rate), len(batch[1])) for batch in batches()]
        losses, sizes = zip(*results, strict=True)
        return np.average([float(loss) for loss in losses], weights=sizes)

    return epoch


def graph_of_epoch(work, jit_compile=False):
    """One epoch as one graph; with XLA, what ``fit_compiled`` does."""
    images, labels = tf.constant(work.images), tf.constant(work.labels)
    generator = BatchGenerator(work.images, work.labels, work.batch_size, True, 1)
    settings = {"batch_size": work.batch_size, "jit_compile": jit_compile}
    run = compile_epoch(naive_model(work), images, labels, **settings)
    rates = tf.fill([generator.num_batches], work.learning_rate)
    sizes = [last - first for first, last in work.batches()]

    def epoch():
        generator.restart()
        data = [tf.gather(part, generator.order) for part in (images, labels)]
        return np.average(run(*data, rates).numpy(), weights=sizes)

    return epoch


# Peers


def keras_fit(work, **settings):
    """``keras.Model.fit``; it shuffles by default."""
    model = keras.Sequential([keras.Input((work.images.shape[1],))])
    for units in work.units:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.set_weights(work.start())
    optimizer = keras.optimizers.SGD(work.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", **settings)
    fixed = {"batch_size": work.batch_size, "epochs": 1, "verbose": 0}

    def epoch():
        history = model.fit(work.images, work.labels, **fixed)
        return history.history["loss"][0]

    return epoch


def torch_eager(work):
    """PyTorch's usual loop, on tensors indexed in a new order for each epoch."""
    import torch

    layers = []
    for sizes in work.sizes:
        layers += [torch.nn.Linear(*sizes), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), work.start(), strict=True):
            parameter.copy_(torch.from_numpy(value.T))
    optimizer = torch.optim.SGD(model.parameters(), work.learning_rate)
    loss_of = torch.nn.CrossEntropyLoss()
    images = torch.from_numpy(work.images)
    labels = torch.from_numpy(work.labels.astype("int64"))

    def epoch():
        order, total = torch.randperm(len(images)), 0.0
        for first, last in work.batches():
            chosen = order[first:last]
            optimizer.zero_grad()
            loss = loss_of(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        return total / len(images)

    return epoch


def jax_scan(work):
    """JAX: the epoch as one ``lax.scan`` under ``jit``, the short batch after it."""
    import jax
    import jax.numpy as jnp

    size = work.batch_size
    full = len(work.images) // size
    order_of = np.random.default_rng(work.seed)

    def loss_of(layers, images, labels):
        for W, b in layers[:-1]:
            images = jax.nn.relu(images @ W + b)
        W, b = layers[-1]
        logs = jax.nn.log_softmax(images @ W + b)
        return -jnp.mean(jnp.take_along_axis(logs, labels[:, None], axis=1))

    def step(layers, batch):
        loss, slopes = jax.value_and_grad(loss_of)(layers, *batch)
        rate = work.learning_rate
        return jax.tree.map(lambda w, slope: w - rate * slope, layers, slopes), loss

    @jax.jit
    def run(layers, images, labels):
        batches = images[: full * size].reshape(full, size, -1)
        batches = batches, labels[: full * size].reshape(full, size)
        layers, losses = jax.lax.scan(step, layers, batches)
        total = losses.sum() * size
        if len(images) > full * size:
            rest = images[full * size :], labels[full * size :]
            layers, loss = step(layers, rest)
            total += loss * len(rest[1])
        return layers, total / len(images)

    start = [jnp.array(value) for value in work.start()]
    state = [[*zip(start[::2], start[1::2], strict=True)]]
    images, labels = jnp.array(work.images), jnp.array(work.labels.astype("int32"))

    def epoch():
        order = jnp.array(order_of.permutation(len(images)))
        state[0], loss = run(state[0], images[order], labels[order])
        return float(loss)

    return epoch


# Floors: the matrix products of forward and backward pass, and nothing else


def products(images, weights, multiply, transpose):
    """Return the gradients of a step as its matrix products alone would have them."""
    *inputs, signal = itertools.accumulate([images, *weights], multiply)
    gradients = [multiply(transpose(inputs[-1]), signal)]
    for W, values in zip(weights[:0:-1], inputs[-2::-1], strict=True):
        signal = multiply(signal, transpose(W))
        gradients.append(multiply(transpose(values), signal))
    return gradients


def floor_numpy(work):
    """With the BLAS that NumPy was built with, usually OpenBLAS."""
    weights = work.start()[::2]

    def epoch():
        for first, last in work.batches():
            products(work.images[first:last], weights, np.matmul, np.transpose)

    return epoch


def floor_graph(work, jit_compile=False):
    """TensorFlow, all batches in one graph."""
    weights = [tf.constant(W) for W in work.start()[::2]]

    @tf.function(jit_compile=jit_compile)
    def run(batches, rest):
        gradients = products(rest, weights, tf.matmul, tf.transpose)
        for i in tf.range(batches.shape[0]):
            gradients = products(batches[i], weights, tf.matmul, tf.transpose)
        return gradients

    parts = split_batches(tf.constant(work.images), work.batch_size)

    def epoch():
        run(*parts)[0].numpy()  # waits for it

    return epoch


def floor_torch(work):
    """With PyTorch's BLAS, on Intel's processors MKL."""
    import torch

    images = torch.from_numpy(work.images)
    weights = [torch.from_numpy(W) for W in work.start()[::2]]

    def epoch():
        with torch.no_grad():
            for first, last in work.batches():
                products(images[first:last], weights, torch.matmul, torch.t)

    return epoch


STEPS = {"steps_per_execution": 50}
COMPETITORS = {
    "products alone, NumPy": floor_numpy,
    "products alone, TensorFlow": floor_graph,
    "products alone, XLA": partial(floor_graph, jit_compile=True),
    "products alone, PyTorch": floor_torch,
    "eager, as in the source": eager_source,
    "eager, fit": eager_fit,
    "graph of a step": graph_of_step,
    "graph of a step, data on device": partial(graph_of_step, on_device=True),
    "graph of an epoch": graph_of_epoch,
    "graph of an epoch, XLA": partial(graph_of_epoch, jit_compile=True),
    "Keras fit": keras_fit,
    "Keras fit, 50 steps": partial(keras_fit, jit_compile=False, **STEPS),
    "Keras fit, 50 steps, XLA": partial(keras_fit, jit_compile=True, **STEPS),
    "PyTorch eager": torch_eager,
    "JAX scan": jax_scan,
}
