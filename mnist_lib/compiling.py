"""From many small calls to one program: the same training, many times faster.

Asking TensorFlow for one operation at a time costs more than most of them take.
``tf.function`` writes those of an epoch down as a graph; XLA makes it machine code.

Source: TensorFlow's guides *Better performance with tf.function* and *XLA*.
"""

import math
import os
from collections.abc import Callable

import tensorflow as tf

from mnist_lib import checks
from mnist_lib.batching import BatchGenerator
from mnist_lib.saving.checkpoints import TrainingCheckpoint
from mnist_lib.training import History, one_training_step, rate_at, update_weights

__all__ = ["fit_compiled"]


def split_batches(examples, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the full batches, one to a row, and the examples left over."""
    full = examples.shape[0] // batch_size
    batches, rest = tf.split(examples, [full * batch_size, -1])
    return tf.reshape(batches, (full, batch_size, *examples.shape[1:])), rest


def compile_epoch(
    model, images, labels, batch_size, update=update_weights, jit_compile=True
) -> Callable:
    """Return a function that takes all steps of an epoch in one call.

    It is made for tensors of the shapes of these images (n, width) and labels (n,).
    It takes such, and learning rates, one for each step. It changes the model's
    weights, and returns the losses of the batches before their steps, float32.
    """

    @tf.function(jit_compile=jit_compile)
    def run_epoch(images, labels, rates):
        size = int(min(batch_size, images.shape[0]))
        image_batches, last_images = split_batches(images, size)
        label_batches, last_labels = split_batches(labels, size)
        losses = tf.TensorArray(tf.float32, rates.shape[0])
        for i in tf.range(images.shape[0] // size):
            batch = image_batches[i], label_batches[i]
            losses = losses.write(i, one_training_step(model, *batch, rates[i], update))
        if last_images.shape[0] > 0:
            loss = one_training_step(model, last_images, last_labels, rates[-1], update)
            losses = losses.write(rates.shape[0] - 1, loss)
        return losses.stack()

    rates = tf.TensorSpec((math.ceil(images.shape[0] / batch_size),), tf.float32)
    run_epoch.get_concrete_function(images, labels, rates)  # traces now
    return run_epoch


def fit_compiled(
    model,
    images,
    labels,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float | Callable = 1e-3,
    shuffle: bool = False,
    seed: int | None = None,
    validation_data: tuple | None = None,
    metric: Callable | None = None,
    verbose: int | str = 1,
    update: Callable = update_weights,
    distort: Callable | None = None,
    jit_compile: bool = True,
    checkpoint_dir: str | os.PathLike | None = None,
) -> History:
    """Train the model as ``fit`` does, each epoch as one compiled program.

    It gives the weights of ``fit``, up to rounding, and prints its lines by epoch.

    Args:
        model: Callable with a list ``weights``; they are changed in place.
        images: Vectors of shape (n, width of the first layer), float32, finite.
        labels: Integers of shape (n,).
        epochs: Times that every example is used, at least 1.
        batch_size: Examples per step.
        learning_rate: Positive number or schedule, as for ``fit``.
        shuffle: Draw a new order of the examples for every epoch, that of ``fit``.
        seed: Integer that fixes those orders, or None.
        validation_data: Pair (images, labels) to measure after every epoch.
        metric: Function of (labels, predictions) to measure too, like ``accuracy``.
        verbose: 1 prints every 100th batch's loss, "bar" shows a bar, 0 nothing.
        update: Rule as for ``fit``; what it remembers must be in ``tf.Variable``.
        distort: Function from the images to as many others, called for each epoch.
        jit_compile: Let XLA turn the graph into machine code.
        checkpoint_dir: Folder as for ``fit``, which saves here after each epoch only.

    Returns:
        ``History`` with every batch's loss and each epoch's figures.

    Raises:
        What ``fit`` raises; for a loss that is not finite, at the end of its epoch.
    """
    checks.check_training(model, images, labels)
    checks.check_settings(model, epochs, learning_rate, verbose, update, distort)
    checks.check_validation(model, validation_data, metric)
    generator = BatchGenerator(images, labels, batch_size, shuffle, seed)
    checks.check_last_rate(learning_rate, epochs * generator.num_batches)
    checks.check_batch(model, images[:batch_size], labels[:batch_size])
    history = History()
    checkpoint = TrainingCheckpoint(
        checkpoint_dir, model, history, generator, update, distort
    )
    checks.check_epoch_start(generator.index)
    images, labels = tf.constant(images), tf.constant(labels)
    run_epoch = compile_epoch(model, images, labels, batch_size, update, jit_compile)
    for epoch in checkpoint.epochs(epochs):
        if verbose:
            print(f"Epoch {epoch}")
        bar = tf.keras.utils.Progbar(generator.num_batches, verbose=verbose == "bar")
        data = draw_epoch(images, labels, generator, distort)
        steps = range(epoch * len(generator), (epoch + 1) * len(generator))
        rates = tf.constant([rate_at(learning_rate, i) for i in steps], tf.float32)
        report_losses(history, run_epoch(*data, rates), generator, verbose)
        bar.add(generator.num_batches, [("loss", history.epoch_losses[-1])])
        history.add_validation(model, validation_data, metric, verbose)
    return history


def draw_epoch(images, labels, generator, distort) -> tuple:
    """Return all images and labels, distorted and in the order of the next epoch."""
    images = images if distort is None else tf.constant(distort(generator.images))
    checks.check_distorted(images, generator.images)
    if generator.shuffle:
        images, labels = (tf.gather(part, generator.order) for part in (images, labels))
    generator.restart()
    return images, labels


def report_losses(history, losses, generator, verbose) -> None:
    """Add an epoch's losses to the history, and print what ``fit`` prints of them."""
    left = len(generator.images)
    for batch, loss in enumerate(losses.numpy()):
        checks.check_finite_loss(loss, len(history.epoch_losses), batch)
        history.add_batch(loss, min(generator.batch_size, left))
        left -= generator.batch_size
        if verbose == 1 and batch % 100 == 0:
            print(f"loss at batch {batch}: {loss:.2f}")
    history.add_epoch(generator.num_batches)
