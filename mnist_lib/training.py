"""Chapter 5. From gradients to trained weights: many small steps downhill.

Bad input raises a ``ValueError`` or ``TypeError`` that names the argument.

Source: F. Chollet, *Deep Learning with Python*, 2nd edition, sections 2.5.2 and 2.5.3.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.batching import BatchGenerator
from mnist_lib.checks import arguments as checks
from mnist_lib.dense_layers import layers_of
from mnist_lib.gradient_tape import average_loss, loss_and_gradients

__all__ = [
    "Callback",
    "History",
    "fit",
    "one_training_step",
    "rate_at",
    "training_mode",
    "update_weights",
]


def update_weights(gradients, weights, learning_rate: float = 1e-3) -> None:
    """Step against the gradient, in place: ``w ← w - learning_rate * gradient``.

    Args:
        gradients: List of tensors, one for each weight, of the weight's shape.
        weights: List of as many ``tf.Variable``.
        learning_rate: The length of the step, 0 or above.
    """
    checks.check_number("learning_rate", learning_rate)
    checks.check_gradients(gradients, weights)
    for gradient, weight in zip(gradients, weights, strict=True):
        weight.assign_sub(learning_rate * gradient)


@contextlib.contextmanager
def training_mode(model) -> Iterator[None]:
    """Let the model's layers know that they are training, for a ``with`` block.

    A layer that works differently in training, such as dropout, has an attribute
    ``training``. It is True inside the block and False after it.

    Args:
        model: Callable whose layers can be reached through attributes and lists.
    """
    layers = [layer for layer in layers_of(model) if hasattr(layer, "training")]
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False


def one_training_step(
    model,
    images_batch,
    labels_batch,
    learning_rate: float = 1e-3,
    update: Callable = update_weights,
    loss: Callable = average_loss,
) -> tf.Tensor:
    """Take one step of gradient descent on one batch.

    Args:
        model: Callable with a list ``weights``; they are changed in place.
        images_batch: Array of shape (n, …) that the model takes.
        labels_batch: Integers of shape (n,), or the targets that ``loss`` takes.
        learning_rate: The length of the step, 0 or above.
        update: Rule that is called as ``update_weights`` is.
        loss: Function of (labels, predictions) that returns a scalar tensor.

    Returns:
        The batch's loss before the step, a scalar tensor, in nats by default.
    """
    with training_mode(model):
        value, gradients = loss_and_gradients(model, images_batch, labels_batch, loss)
    update(gradients, model.weights, learning_rate)
    return value


@dataclass
class History:
    """What happened during training, in the order in which it happened.

    Losses are means over examples, in nats.
    """

    batch_losses: list[float] = field(default_factory=list)  #: before each step
    batch_sizes: list[int] = field(default_factory=list)  #: examples in each batch
    epoch_losses: list[float] = field(default_factory=list)  #: over each epoch
    validation_losses: list[float] = field(default_factory=list)  #: after each epoch
    validation_metrics: list = field(default_factory=list)  #: after each epoch

    def add_batch(self, loss, size: int) -> None:
        """Add the loss of a batch of ``size`` examples."""
        self.batch_losses.append(float(loss))
        self.batch_sizes.append(size)

    def add_epoch(self, num_batches: int) -> None:
        """Add the mean over the examples of the last ``num_batches`` batches."""
        losses = self.batch_losses[-num_batches:]
        sizes = self.batch_sizes[-num_batches:]
        self.epoch_losses.append(float(np.average(losses, weights=sizes)))

    def add_validation(self, model, data, metric, verbose, loss=average_loss) -> None:
        """Measure the loss and the metric on validation data, and print them."""
        if data is None:
            return
        images, labels = map(np.asarray, data)
        predictions = model(images)
        several = isinstance(metric, dict)
        named = metric if several else {getattr(metric, "__name__", "metric"): metric}
        values = {name: float(f(labels, predictions)) for name, f in named.items() if f}
        self.validation_losses.append(float(loss(labels, predictions)))
        self.validation_metrics += [values] if several else values.values()
        if verbose:
            told = [f", {name}: {value:.4f}" for name, value in values.items()]
            print(f"validation loss: {self.validation_losses[-1]:.2f}", *told, sep="")


def rate_at(learning_rate, step: int) -> float:
    """Return the learning rate of a step.

    Args:
        learning_rate: Positive number, or a schedule: a function from the number
            of a step, counted from 0, to a number of 0 or above.
        step: The step's number.
    """
    rate = learning_rate(step) if callable(learning_rate) else learning_rate
    return float(rate)


class Callback:
    """What ``fit`` calls during training. Its methods do nothing; a subclass does.

    ``on_train_begin`` may also change what it is given: a saved run is restored there,
    and ``fit`` continues where the history ends. The callback below stops the training
    when the validation loss has not fallen to a new minimum in three epochs::

        class EarlyStopping(Callback):
            def on_epoch_end(self, epoch, history):
                losses = history.validation_losses
                return min(losses) < min(losses[-3:])
    """

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Called once, before the first step, with all parts of the run."""

    def on_batch_end(self, batch: int, history: History) -> None:
        """Called after the step on each batch, counted from 0 in its epoch."""

    def on_epoch_end(self, epoch: int, history: History) -> bool | None:
        """Called after an epoch and its validation; return True to stop training."""


def run_steps(
    model, generator, rates, update: Callable, step: Callable = one_training_step
) -> Iterator:
    """Run an epoch, or what is left of it, one step after the other.

    Args:
        model: Callable with a list ``weights``; they are changed in place.
        generator: ``BatchGenerator`` that hands out the batches.
        rates: Learning rates, one for each step.
        update: Rule that is called as ``update_weights`` is.
        step: Takes a step; it is called as ``one_training_step`` is.

    Yields:
        Each batch's loss, as soon as its step has been taken.
    """
    for rate in rates:
        images_batch, labels_batch = generator.next()
        yield step(model, images_batch, labels_batch, rate, update)


def record_losses(history, losses, generator, verbose, callbacks=()) -> None:
    """Add an epoch's losses to the history, print them, and tell the callbacks.

    Args:
        history: The ``History`` of this run.
        losses: The losses of an epoch's steps, or of those that are left.
        generator: The ``BatchGenerator`` of this run.
        verbose: As for ``fit``.
        callbacks: As for ``fit``.

    Raises:
        FloatingPointError: A loss is not finite.
    """
    epoch, first = divmod(len(history.batch_losses), len(generator))
    if verbose:
        print(f"Epoch {epoch}")
    bar = keras.utils.Progbar(len(generator), verbose=verbose == "bar")
    for batch, loss in enumerate(losses, first):  # asking for a loss takes the step
        checks.check_finite_loss(float(loss), epoch, batch)
        history.add_batch(loss, generator.size_of(batch))
        bar.update(batch + 1, [("loss", float(loss))])
        if verbose == 1 and batch % 100 == 0:
            print(f"loss at batch {batch}: {loss:.2f}")
        for callback in callbacks:
            callback.on_batch_end(batch, history)
    history.add_epoch(len(generator))


def fit(
    model,
    images,
    labels,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float | Callable = 1e-3,
    shuffle: bool = False,
    seed: int | None = None,
    validation_data: tuple | None = None,
    metric: Callable | dict[str, Callable] | None = None,
    verbose: int | str = 1,
    update: Callable = update_weights,
    distort: Callable | None = None,
    step: Callable = one_training_step,
    run_epoch: Callable = run_steps,
    callbacks: Sequence[Callback] = (),
    loss: Callable = average_loss,
) -> History:
    """Train the model by stochastic gradient descent.

    Args:
        model: Callable with a list ``weights``; they are changed in place.
        images: Array of shape (n, …) that the model takes, such as (n, 784), float32.
        labels: Integers of shape (n,), or the targets that ``loss`` takes.
        epochs: Times that every example is used, at least 1.
        batch_size: Examples per step.
        learning_rate: Positive number, the length of a step, or a schedule: a function
            from the step's number, counted from 0, to its rate, 0 or above.
        shuffle: Draw a new order of the examples for every epoch.
        seed: Integer that fixes those orders, or None.
        validation_data: Pair (images, labels) to measure after every epoch.
        metric: Function of (labels, predictions) to measure too, like ``accuracy``, or
            several in a dictionary; then ``validation_metrics`` holds dictionaries.
        verbose: 1 prints every 100th batch's loss, "bar" shows a bar, 0 nothing.
        update: Rule that is called as ``update_weights`` is.
        distort: Function that returns a changed copy of all images, for each epoch. It
            cannot write into what it is given.
        step: Takes a step; it is called as ``one_training_step`` is.
        run_epoch: Takes the steps of an epoch; it is called as ``run_steps`` is, and
            gives their losses in order.
        callbacks: Objects with the methods of ``Callback``, told as it goes on.
        loss: Function of (labels, predictions) that returns a scalar tensor, for the
            steps and for the validation data. Labels have to be classes only for
            ``average_loss``; other losses take what they are made for, such as the
            images themselves.

    Returns:
        ``History`` with every batch's loss and each epoch's figures.

    Raises:
        ValueError, TypeError: An argument is out of range, or does not fit others.
        FloatingPointError: The loss is no longer finite.
    """
    checks.check_training(
        model, (images, labels), validation_data, metric, loss, loss is average_loss
    )
    checks.check_settings(epochs, verbose, update, distort, callbacks)
    checks.check_trainable(layers_of(model))
    generator = BatchGenerator(images, labels, batch_size, shuffle, seed)
    images, history = generator.images.view(), History()
    images.setflags(write=False)
    checks.check_schedule(learning_rate, epochs * generator.num_batches)
    for callback in callbacks:
        callback.on_train_begin(model, generator, history, update, distort)
    for epoch in range(len(history.epoch_losses), epochs):
        generator.replace_images(images if distort is None else distort(images))
        steps = range(len(history.batch_losses), (epoch + 1) * len(generator))
        rates = [rate_at(learning_rate, number) for number in steps]
        losses = run_epoch(model, generator, rates, update, partial(step, loss=loss))
        record_losses(history, losses, generator, verbose, callbacks)
        generator.restart()
        history.add_validation(model, validation_data, metric, verbose, loss)
        if True in [callback.on_epoch_end(epoch, history) for callback in callbacks]:
            break
    return history
