"""Chapter 4. From predictions to gradients: which way does a weight lower the loss?

The loss is one number that says how wrong the predictions are. A gradient has
the shape of a weight and holds the slope of the loss along every entry.
TensorFlow's tape computes it exactly; finite differences compute it slowly, by
trying, and so can test the tape.
"""

import copy
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mnist_lib.checks import arguments as checks

__all__ = ["average_loss", "in_float64", "loss_and_gradients", "numerical_gradient"]

# log(0) is minus infinity. Keras cuts probabilities off at the same place.
SMALLEST_PROBABILITY = 1e-7


def average_loss(labels, predictions) -> tf.Tensor:
    """Compute the mean cross-entropy: ``mean(-log(probability of the label))``.

    Probabilities below 1e-7 count as 1e-7, so one example costs at most 16.1.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes), each row summing to 1.

    Returns:
        Scalar tensor of the dtype of ``predictions``, in nats, 0 or above.

    Raises:
        TypeError: ``labels`` are not integers.
        ValueError: A label is not a class, a row does not sum to 1, or lengths or
            shapes do not fit. In a ``tf.function`` there are no values to look at.

    Source: F. Chollet, *Deep Learning with Python*, 2nd edition, section 2.5.2,
    with ``keras.losses.sparse_categorical_crossentropy``.
    """
    checks.check_probabilities(labels, predictions)
    predictions = tf.convert_to_tensor(predictions)
    columns = tf.cast(labels, tf.int32)
    chosen = tf.one_hot(columns, predictions.shape[1], dtype=predictions.dtype)
    probabilities = tf.reduce_sum(chosen * predictions, axis=1)
    losses = -tf.math.log(tf.maximum(probabilities, SMALLEST_PROBABILITY))
    return tf.reduce_mean(losses)


def loss_and_gradients(
    model, images, labels, loss: Callable = average_loss
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Compute the loss of a batch and its gradient for each of the model's weights.

    Args:
        model: Callable with a list ``weights``, such as ``NaiveSequential``.
        images: Array of shape (n, …) that the model takes, such as (n, 784), float32.
        labels: Integers of shape (n,), or the targets that ``loss`` takes.
        loss: Function of (labels, predictions) that returns a scalar tensor.

    Returns:
        The loss, a scalar, in nats for ``average_loss``, and a list of gradients, each
        with the shape and dtype of its weight, in units of the loss per unit of weight.

    Raises:
        ValueError, TypeError: The model has no weights, or one that the loss does not
            depend on, or it or the loss does not take the data.

    Source: F. Chollet, *Deep Learning with Python*, 2nd edition, section 2.5.2.
    """
    checks.check_model(model)
    with tf.GradientTape() as tape:
        predictions = model(images)
        value = loss(labels, predictions)
    gradients = tape.gradient(value, model.weights)
    checks.check_gradients(gradients, model.weights)
    return value, gradients


def in_float64(model) -> Callable:
    """Return a copy of the model whose variables are float64.

    Args:
        model: ``NaiveSequential``, a layer, or any other object that holds
            variables, at any depth.

    Returns:
        A model of the same kind that shares nothing with the first.
    """
    copies = {}  # what deepcopy has copied, by its id; it takes what is there already
    copy.deepcopy(model, copies)
    twins = {}
    for key, part in copies.items():
        if isinstance(part, tf.Variable) and part.dtype.is_floating:
            twins[key] = tf.Variable(tf.cast(part, tf.float64))
    return copy.deepcopy(model, twins)


def numerical_gradient(
    model,
    images,
    labels,
    weight: int = 0,
    positions=None,
    step: float = 1e-6,
    loss: Callable = average_loss,
) -> np.ndarray:
    """Estimate a gradient by central differences: ``(L(w + h) - L(w - h)) / 2h``.

    Everything is computed in float64 on a copy, so the model stays as it is. The
    loss is computed twice for each entry: meant for small networks, or for a few
    positions of a large one.

    Args:
        model: What ``in_float64`` can copy, with a list ``weights``.
        images: Array of a shape that the model takes, such as (n, 784).
        labels: Integers of shape (n,), or the targets that ``loss`` takes.
        weight: Which of ``model.weights``, from 0.
        positions: List of index tuples into that weight, or None for all entries.
        step: The step h, positive. A smaller one crosses fewer of relu's kinks, a
            larger one loses fewer digits in the difference.
        loss: Function of (labels, predictions) that returns a scalar tensor.

    Returns:
        float64 array of the weight's shape, or of shape (number of positions,).

    Raises:
        ValueError: ``step`` is not positive and finite, there is no such weight
            or position, or the data do not fit the model.
    """
    checks.check_model(model)
    checks.check_positive_number("step", step)
    checks.check_choice("weight", weight, tuple(range(len(model.weights))))
    twin = in_float64(model)
    images = tf.cast(images, tf.float64)
    variable = twin.weights[weight]
    start = np.array(variable.numpy())

    def loss_at(position, shift):
        moved = start.copy()
        moved[tuple(position)] += shift
        variable.assign(moved)
        return loss(labels, twin(images)).numpy()

    chosen = list(np.ndindex(start.shape) if positions is None else positions)
    checks.check_positions(chosen, start.shape)
    slopes = [(loss_at(p, step) - loss_at(p, -step)) / (2 * step) for p in chosen]
    return np.reshape(slopes, start.shape if positions is None else -1)
