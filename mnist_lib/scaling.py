"""Chapter 9. From one device to many: each takes a share of every batch.

In synchronous data parallelism every replica has a copy of the weights. Each computes
the gradients of its share of the batch; the sum over all replicas is the gradient of
the whole batch, and all take the same step with it.

``python -m mnist_lib --workers 2 --epochs 1`` trains on worker processes.

Source: TensorFlow's guide *Distributed training with TensorFlow*.
"""

import functools
import inspect
import math
from collections.abc import Callable

import tensorflow as tf

from mnist_lib import compiling, training
from mnist_lib.callbacks.checkpoints import TrainingCheckpoint
from mnist_lib.callbacks.watching import watched
from mnist_lib.checks import arguments as checks
from mnist_lib.gradient_tape import average_loss, loss_and_gradients
from mnist_lib.training import History, training_mode, update_weights
from mnist_lib.workers import cluster

__all__ = ["distributed_step", "fit", "fit_compiled", "fit_distributed", "resumable"]


def resumable(fit: Callable) -> Callable:
    """Return a ``fit`` that saves its run in a folder and resumes it from there.

    Args:
        fit: Function that takes ``callbacks``, such as ``fit``.

    Returns:
        The same function with one more argument, ``checkpoint_dir``, a folder or None.
        If the folder has a checkpoint of the same run, the run is resumed from it. The
        checkpoint of a different run is refused. See ``TrainingCheckpoint``.
    """

    @functools.wraps(fit)
    def resumable_fit(*arguments, callbacks=(), checkpoint_dir=None, **settings):
        if checkpoint_dir is not None:
            given = inspect.signature(fit).bind(*arguments, **settings)
            given.apply_defaults()
            checkpoint = TrainingCheckpoint(checkpoint_dir, given.arguments)
            callbacks = [*callbacks, checkpoint]
        return fit(*arguments, callbacks=callbacks, **settings)

    return resumable_fit


# From here on, both take ``checkpoint_dir``, and a Keras optimizer as ``update``.
fit = watched(resumable(training.fit))
fit_compiled = watched(resumable(compiling.fit_compiled))


def gradients_of_share(
    strategy, model, images_batch, labels_batch, loss: Callable = average_loss
) -> tf.Tensor:
    """Compute what a replica's share of a batch adds to the gradients and the loss.

    Args:
        strategy: It says how many replicas there are.
        model: Callable with a list ``weights``.
        images_batch: The whole batch, of shape (n, …).
        labels_batch: Integers of shape (n,), or the targets that ``loss`` takes.
        loss: Function of (labels, predictions): a mean over examples.

    Returns:
        All gradients one after another, and the loss, in one vector: their mean over
        the share, times the part of the batch that it is. An empty share gives zeros.
    """
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    count, total = strategy.num_replicas_in_sync, labels_batch.shape[0]
    start, end = number * total // count, (number + 1) * total // count
    # As a mask, not as a slice: TensorFlow would find out that a slice is empty.
    own = (tf.range(total) >= start) & (tf.range(total) < end)
    images, labels = (tf.boolean_mask(x, own) for x in (images_batch, labels_batch))
    value, gradients = loss_and_gradients(model, images, labels, loss)
    parts = [tf.reshape(part, [-1]) for part in (*gradients, value)]
    share = tf.cast((end - start) / total, value.dtype)
    return tf.math.multiply_no_nan(tf.concat(parts, axis=0), share)


def distributed_step(strategy: tf.distribute.Strategy) -> Callable:
    """Return a function that is called as ``one_training_step``, for all replicas.

    Args:
        strategy: It says which devices there are, and adds up what they compute.

    Returns:
        Function of model, images_batch, labels_batch, learning_rate, update and loss.
        The batch is the whole one, the same on all workers. It returns the batch's
        loss, which has to be a mean over examples.
    """

    @tf.function
    def step(model, images_batch, labels_batch, learning_rate, update, loss):
        batch = strategy, model, images_batch, labels_batch, loss
        shapes = [weight.shape for weight in model.weights]
        with strategy.scope(), training_mode(model):
            shares = strategy.run(gradients_of_share, batch)
            summed = strategy.reduce("SUM", shares, axis=None)
            *parts, value = tf.split(summed, [*map(math.prod, shapes), 1])
            gradients = [tf.reshape(*pair) for pair in zip(parts, shapes, strict=True)]
            update(gradients, model.weights, learning_rate)
        return value[0]

    return lambda model, images, labels, rate, update, loss=average_loss: step(
        model, images, labels, tf.constant(rate, model.weights[0].dtype), update, loss
    )


def fit_distributed(
    model_factory: Callable,
    images,
    labels,
    epochs: int,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    rule: Callable | None = None,
    **settings,
) -> tuple[Callable, History]:
    """Train a model as ``fit`` does, on all devices of a strategy.

    It gives the weights of ``fit``, up to rounding.

    Args:
        model_factory: Function without arguments that makes the model. All replicas
            start with the weights of the first.
        images: Array of shape (n, …) that the model takes; the same on all workers,
            like everything else.
        labels: Integers of shape (n,), or the targets that ``loss`` takes.
        epochs: Times that every example is used, at least 1.
        batch_size: Examples per step, on all replicas together.
        strategy: Any of ``tf.distribute``; that of several workers: ``join_cluster``.
        rule: Function from the model's weights to an update rule, such as ``Adam``, or
            to a Keras optimizer. What it remembers must be in ``tf.Variable``.
        **settings: What else ``fit`` takes, such as ``learning_rate``. All workers
            read ``checkpoint_dir``, and one writes it.

    Returns:
        The trained model and the ``History``.

    Raises:
        ValueError, TypeError: What ``fit`` raises, fewer examples to a batch than
            replicas, or workers that differ in what they are given.
        ConnectionError: A worker was lost.
    """
    checks.check_workers(strategy, batch_size, settings)
    try:
        with strategy.scope():
            model = model_factory()
            update = update_weights if rule is None else rule(model.weights)
            checks.check_rule_state(update, model.weights)
        settings |= {"epochs": epochs, "batch_size": batch_size, "update": update}
        cluster.check_agreement(strategy, images, labels, settings)
        step = distributed_step(strategy)
        return model, fit(model, images, labels, **settings, step=step)
    except tf.errors.OpError as error:
        raise cluster.translate_error(error) from error
