"""Checks of models, and of what they are trained on; see ``checks`` for the form."""

import math

import numpy as np

from mnist_lib.checks import (
    check_callable,
    check_finite,
    check_inputs,
    check_labels,
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


def check_finite_loss(loss, epoch: int, batch: int) -> None:
    name = f"the loss at epoch {epoch}, batch {batch}"
    got = f"{loss}. Make the model anew and try a learning rate ten times smaller"
    require(math.isfinite(loss), name, "finite", got, FloatingPointError)
