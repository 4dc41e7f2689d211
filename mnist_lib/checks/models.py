"""Checks of models, and of what they are trained on; see ``checks`` for the form."""

import math
import operator

import numpy as np
import tensorflow as tf

from mnist_lib.checks.arrays import (
    check_callable,
    check_choice,
    check_finite,
    check_inputs,
    check_labels,
    check_positive_integer,
    check_positive_number,
    check_predictions,
    check_same_length,
    require,
)


def check_layers_fit(layers) -> None:
    require(len(layers) > 0, "layers", "one or more", "none")
    for layer in layers:
        usable = callable(layer) and isinstance(getattr(layer, "weights", None), list)
        require(usable, "layers", "callable, each with a list of weights", repr(layer))
    for i, (first, second) in enumerate(zip(layers, layers[1:], strict=False)):
        handed_on = getattr(first, "output_size", None)
        taken = getattr(second, "input_size", None)
        fits = None in (handed_on, taken) or handed_on == taken
        name, expected = f"input_size of layer {i + 1}", f"{handed_on} to fit layer {i}"
        require(fits, name, expected, taken)


def check_model(model) -> None:
    weights = getattr(model, "weights", None)
    trainable = isinstance(weights, list | tuple) and len(weights) > 0
    require(trainable, "model", "a network with weights", repr(model))


def check_gradients(gradients, weights) -> None:
    got = f"{len(gradients)} gradients and {len(weights)} weights"
    same = len(gradients) == len(weights)
    require(same, "gradients and weights", "of the same length", got)
    for gradient, weight in zip(gradients, weights, strict=True):
        got = None if gradient is None else gradient.shape
        fits = gradient is not None and gradient.shape == weight.shape
        require(fits, "a gradient", f"of its weight's shape {weight.shape}", got)


def check_positions(positions, shape: tuple[int, ...]) -> None:
    for position in positions:
        inside = np.shape(position) == (len(shape),) and min(position) >= 0
        inside = inside and np.all(np.less(position, shape))
        require(inside, "positions", f"in shape {shape}", position)


def check_training(model, images, labels) -> None:
    check_model(model)
    check_same_length(images, labels)
    check_inputs(images, model.weights[0])
    check_finite("images", images)
    check_labels(labels, num_classes=model.weights[-1].shape[-1])


def check_validation(model, validation_data, metric) -> None:
    if metric is not None:
        check_callable("metric", metric)
        needed = "given, since a metric is measured on it"
        require(validation_data is not None, "validation_data", needed, "None")
    if validation_data is not None:
        is_pair = (
            isinstance(validation_data, tuple | list) and len(validation_data) == 2
        )
        got = type(validation_data).__name__
        require(is_pair, "validation_data", "a pair (images, labels)", got, TypeError)
        check_training(model, *validation_data)


def check_settings(model, epochs, learning_rate, verbose, update, distort) -> None:
    check_positive_integer("epochs", epochs)
    if not callable(learning_rate):
        check_positive_number("learning_rate", learning_rate)
    check_choice("verbose", verbose, (0, 1, "bar"))
    check_callable("update", update)
    check_rule(update, model.weights)
    if distort is not None:
        check_callable("distort", distort)


def check_rule(rule, weights) -> None:
    made_for = getattr(rule, "weights", weights)
    same = len(made_for) == len(weights) and all(map(operator.is_, made_for, weights))
    got = "those of another model (make the rule anew, too)"
    require(same, "the rule's weights", "those it was made for", got)


def check_rule_weights(weights) -> None:
    variables = isinstance(weights, list | tuple) and len(weights) > 0
    expected, got = "a list of variables, such as model.weights", repr(weights)
    variables = variables and all(hasattr(weight, "assign") for weight in weights)
    require(variables, "weights", expected, got, TypeError)


def check_batch(model, images, labels) -> None:
    """Find in one batch what a graph, which has no values, could not tell."""
    check_predictions(labels, model(images))


def check_last_rate(learning_rate, num_steps: int) -> None:
    """Find a schedule that is too short before the first step, not at its end."""
    if callable(learning_rate):
        check_positive_number("learning_rate", learning_rate(num_steps - 1))


def check_distorted(distorted, images) -> None:
    expected, got = tuple(np.shape(images)), tuple(np.shape(distorted))
    require(got == expected, "distorted images", f"of shape {expected}", got)
    dtypes = np.asarray(distorted).dtype, np.asarray(images).dtype
    require(dtypes[0] == dtypes[1], "distorted images", *reversed(dtypes), TypeError)


def check_finite_loss(loss, epoch: int, batch: int) -> None:
    name = f"the loss at epoch {epoch}, batch {batch}"
    got = f"{loss}. Make the model anew and try a learning rate ten times smaller"
    require(math.isfinite(loss), name, "finite", got, FloatingPointError)


def check_dense_layers(model) -> None:
    layers, needed = getattr(model, "layers", []), ("W", "b", "activation")
    known = all(hasattr(layer, name) for layer in layers for name in needed)
    require(layers and known, "model", "a NaiveSequential of NaiveDense", repr(model))


def check_for_page(model, names: list[str]) -> None:
    ends = model.layers[0].W.shape[0], model.layers[-1].W.shape[1], names[-1]
    expected = "one from 784 pixels to 10 probabilities of softmax"
    require(ends == (784, 10, "softmax"), "model", expected, repr(model))


def check_rounded(integers, scales, biases) -> None:
    got = [(array.dtype, np.shape(array)) for array in (integers, scales, biases)]
    outputs = np.shape(integers)[-1:]
    expected = [(np.int8, np.shape(integers)), *2 * [(np.float32, outputs)]]
    fits = got == expected and np.ndim(integers) == 2
    require(fits, "weights, scales, biases", "int8 of (inputs, outputs), float32", got)


def check_epoch_start(index: int) -> None:
    expected = "one from the end of an epoch, to go on compiled (go on with fit first)"
    require(index == 0, "the checkpoint", expected, f"one after {index} examples")


def check_shares(batch_size, replicas: int) -> None:
    """Make sure that every replica has a share of a batch."""
    check_positive_integer("batch_size", batch_size)
    enough, expected = batch_size >= replicas, f"at least 1 for each of {replicas}"
    require(enough, "batch_size", f"{expected} replicas", batch_size)


def check_order(strategy, settings: dict) -> None:
    """Make sure that all workers draw the same orders."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    fixed = not settings.get("shuffle") or settings.get("seed") is not None
    require(
        fixed or not several, "seed", "given, to shuffle on all workers alike", None
    )
