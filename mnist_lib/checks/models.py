"""Checks of models, and of what they are trained on."""

import inspect
import math
import operator

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.checks.arrays import (
    check_callable,
    check_choice,
    check_finite,
    check_iterable,
    check_labels,
    check_number,
    check_positive_integer,
    check_positive_number,
    check_same_length,
    is_number,
    require,
)

TRIED = 128  # examples, before the training

NO_GRADIENT = (
    "The loss does not depend on it through TensorFlow. Is it used at all? Does NumPy "
    "compute something on the way from it to the loss? Is it a running mean, which "
    "belongs in the layer's list state?"
)


def check_layers_fit(layers) -> None:
    require(len(layers) > 0, "layers", "one or more", "none")
    for layer in layers:
        usable = callable(layer) and isinstance(getattr(layer, "weights", None), list)
        expected = "callable, each with a list of weights (function.weights = [])"
        require(usable, "layers", expected, repr(layer))
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
    for number, (gradient, weight) in enumerate(zip(gradients, weights, strict=True)):
        name, expected = f"the gradient of weight {number}", f"of shape {weight.shape}"
        got = f"None. {NO_GRADIENT}" if gradient is None else gradient.shape
        require(got == weight.shape, name, f"a tensor {expected}", got)


def check_positions(positions, shape: tuple[int, ...]) -> None:
    for position in positions:
        inside = np.shape(position) == (len(shape),)
        inside = inside and np.all((np.array(position) >= 0) & np.less(position, shape))
        require(inside, "positions", f"in shape {shape}", position)


def check_training(model, data, validation_data, metric, loss, takes_classes) -> None:
    """Try model, loss and metrics on a few examples, before the first step."""
    check_callable("model", model)
    check_callable("loss", loss)
    check_examples(model, data, loss, takes_classes)
    if validation_data is None:
        needed = "given, since a metric is measured on it"
        return require(metric is None, "validation_data", needed, "None")
    is_pair = isinstance(validation_data, tuple | list) and len(validation_data) == 2
    got = type(validation_data).__name__
    require(is_pair, "validation_data", "a pair (images, labels)", got, TypeError)
    metrics = metric if isinstance(metric, dict) else {"metric": metric}
    check_examples(model, validation_data, loss, takes_classes, metrics)


def check_examples(model, data, loss, takes_classes: bool, metrics=None) -> None:
    images, labels = data
    check_same_length(images, labels)
    check_finite("images", images)
    check_finite("labels", labels)
    few_images, few = np.asarray(images)[:TRIED], np.asarray(labels)[:TRIED]
    try:
        predictions = model(few_images)
        check_model(model)
        value = loss(few, predictions)
    except tf.errors.InvalidArgumentError as error:
        reason = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
        got = f"shapes {few_images.shape} and {few.shape}: {reason}"
        told = f"images and labels must be what the model and the loss take, got {got}"
        raise ValueError(told) from error
    check_one_number("what loss returns", value, tf.is_tensor(value), "a tensor with ")
    if takes_classes:
        check_labels(labels, num_classes=predictions.shape[1])
    for name, metric in (metrics or {}).items():
        if metric is not None and np.isfinite(value):
            check_metric(name, metric, few, predictions)


def check_one_number(name: str, value, fits: bool = True, kind: str = "") -> None:
    got = f"{type(value).__name__} of shape {np.shape(value)}"
    expected = f"{kind}one number (see tf.reduce_mean)"
    require(fits and is_number(value), name, expected, got)


def check_metric(name: str, metric, labels, predictions) -> None:
    check_callable(name, metric)
    anew = f"a function, lambda *data: {type(metric).__name__}()(*data)"
    got = "a Keras metric, which adds up over all epochs"
    require(not hasattr(metric, "reset_state"), name, anew, got, TypeError)
    check_one_number(f"what {name} returns", metric(labels, predictions))


def check_settings(epochs, verbose, update, distort, step, callbacks) -> None:
    check_positive_integer("epochs", epochs)
    check_choice("verbose", verbose, (0, 1, "bar"))
    check_callable("update", update)
    check_callable("step", step)
    if distort is not None:
        check_callable("distort", distort)
    check_iterable("callbacks", callbacks)
    for callback in callbacks:
        methods = ("on_train_begin", "on_batch_end", "on_epoch_end")
        known = all(callable(getattr(callback, name, None)) for name in methods)
        foreign = isinstance(callback, type | keras.callbacks.Callback)
        expected, got = "objects of subclasses of mnist_lib.Callback", repr(callback)
        require(known and not foreign, "callbacks", expected, got, TypeError)


def check_rule(rule, weights) -> None:
    same = len(rule.weights) == len(weights)
    same = same and all(map(operator.is_, rule.weights, weights))
    got = "those of another model (make the rule anew, too)"
    require(same, "the rule's weights", "those it was made for", got)


def check_rule_weights(weights) -> None:
    variables = isinstance(weights, list | tuple) and len(weights) > 0
    variables = variables and all(hasattr(weight, "assign") for weight in weights)
    expected = "a list of variables, such as model.weights"
    require(variables, "weights", expected, repr(weights), TypeError)


def check_schedule(learning_rate, num_steps: int) -> None:
    """Try a schedule at every step before the first one is taken."""
    if not callable(learning_rate):
        return check_positive_number("learning_rate", learning_rate)
    for step in range(num_steps):
        name = f"learning_rate at step {step} of {num_steps}"
        try:
            rate, again = learning_rate(step), learning_rate(step)
        except Exception as error:  # whatever a reader's function may raise
            told = f"{type(error).__name__}: {error}"
            raise ValueError(f"{name} must be a number, got {told}") from error
        check_number(name, rate)
        require(rate == again, name, "the same in every call", f"{rate} and {again}")


def check_trainable(layers) -> None:
    """Find what would be trained wrongly, in silence: a model and its layers."""
    for weight in layers[0].weights:
        name = tf.as_dtype(weight.dtype).name
        known = name in ("float32", "float64")
        require(known, "weights", "float32 or float64", name, TypeError)
    for layer in layers:
        alone = isinstance(layer, keras.Layer) and not isinstance(layer, keras.Model)
        told = alone and "training" in inspect.signature(layer.call).parameters
        # Running means, or the seeds of random numbers.
        missed = told and layer.non_trainable_variables
        expected = "told by an attribute training whether they train"
        got = f"the Keras layer {layer!r}"
        require(not missed, "layers", expected, got)


def check_distorted(distorted, images) -> None:
    expected, got = (
        f"{np.asarray(array).dtype.name} of shape {np.shape(array)}"
        for array in (images, distorted)
    )
    require(got == expected, "distorted images", expected, got)


def check_finite_loss(loss, epoch: int, batch: int) -> None:
    name = f"the loss at epoch {epoch}, batch {batch}"
    got = f"{loss}. Create a new model and try a learning rate ten times smaller"
    require(math.isfinite(loss), name, "finite", got, FloatingPointError)


def check_dense_layers(model) -> None:
    layers, needed = getattr(model, "layers", []), ("W", "b", "activation")
    known = all(hasattr(layer, name) for layer in layers for name in needed)
    require(layers and known, "model", "a NaiveSequential of NaiveDense", repr(model))


def check_for_page(model, names: list[str]) -> None:
    ends = model.layers[0].W.shape[0], model.layers[-1].W.shape[1], names[-1]
    expected = "one from 784 pixels to 10 probabilities of softmax"
    require(ends == (784, 10, "softmax"), "model", expected, repr(model))


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
    expected = "given, to shuffle on all workers alike"
    require(fixed or not several, "seed", expected, None)
