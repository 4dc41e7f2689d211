"""What an argument must be, and what came instead: one form for every error.

It names the argument, what it must be, and what came, before TensorFlow would say it in
other words. Inside a ``tf.function`` there are no values yet, so only shape and dtype
are checked there.
"""

import inspect
import math
import numbers

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.checks.tracing import unchanged

TRIED = 128  # examples, before the training

NO_GRADIENT = (
    "The loss does not depend on it through TensorFlow. Is it used at all? Does NumPy "
    "compute something on the way from it to the loss? Is it a running mean, which "
    "belongs in the layer's list state?"
)


def require(holds, name: str, expected: str, got, error=ValueError) -> None:
    """Raise unless it holds: every message of the library has this one form."""
    if not holds:
        raise error(f"{name} must be {expected}, got {got}")


# Numbers, functions and choices


def is_number(value) -> bool:
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def check_number(name: str, value, below: float = math.inf, positive=False) -> None:
    if not tf.is_symbolic_tensor(value):
        require(is_number(value), name, "a number", repr(value), TypeError)
        limit = f"below {below}" if below < math.inf else "finite"
        least = "positive" if positive else "at least 0"
        fits = 0 <= np.asarray(value) < below and not (positive and value == 0)
        require(fits, name, f"{least} and {limit}", value)


def check_positive_number(name: str, value, below: float = math.inf) -> None:
    check_number(name, value, below, positive=True)


def check_positive_integer(name: str, value) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    require(whole, name, "a positive integer", repr(value), TypeError)
    require(value >= 1, name, "at least 1", value)


def check_seed(seed, may_be_none: bool = True) -> None:
    if seed is not None or not may_be_none:
        whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
        require(whole and seed >= 0, "seed", "a non-negative integer", repr(seed))


def check_callable(name: str, value) -> None:
    expected = "a function, no class" if isinstance(value, type) else "a function"
    function = callable(value) and not isinstance(value, type)
    require(function, name, expected, repr(value), TypeError)


def check_iterable(name: str, value) -> None:
    require(hasattr(value, "__iter__"), name, "a list", repr(value), TypeError)


def check_choice(name: str, value, choices: tuple) -> None:
    require(np.ndim(value) == 0 and value in choices, name, f"one of {choices}", value)


# Data


def _shape_and_dtype(array) -> tuple[tuple, tf.DType]:
    array = array if tf.is_tensor(array) else np.asarray(array)
    return tuple(array.shape), tf.as_dtype(array.dtype)


def _name_of_dtype(array) -> str:
    """Return the dtype in its owner's words, such as pandas' category."""
    dtype = getattr(array, "dtype", None) or np.asarray(array).dtype
    return getattr(dtype, "name", str(dtype))


def check_same_length(examples, labels, name: str = "images") -> None:
    advice = "images, labels = dataset.batch(len(dataset)).get_single_element()"
    is_dataset = isinstance(examples, tf.data.Dataset)
    require(not is_dataset, name, f"an array ({advice})", "a Dataset", TypeError)
    first, second = ((_shape_and_dtype(a)[0] or (0,))[0] for a in (examples, labels))
    same = first == second or None in (first, second)
    got = f"{first} {name} and {second} labels"
    require(same, f"{name} and labels", "of the same length", got)
    require(first != 0, name, "one or more", "none")


def check_finite(name: str, values) -> None:
    got, values = _name_of_dtype(values), np.asarray(values)
    expected = f"numbers ({name}.astype may convert them)"
    require(values.dtype.kind in "fiu", name, expected, got, TypeError)
    require(values.size, name, "one or more", "none")
    wrong = values.size - np.count_nonzero(np.isfinite(values))
    require(wrong == 0, name, "finite", f"{wrong} NaN or infinite values")


def check_pictures(images, largest) -> None:
    pixels = np.asarray(images)
    shape, sides = pixels.shape, [side for side in pixels.shape[1:] if side != 1]
    in_rows = len(sides) == 1 and math.isqrt(sides[0]) ** 2 == sides[0] != shape[0]
    as_pictures = len(sides) == 2 and (sides[0] == sides[1] or sides[1] > 4)
    expected = (
        "pictures of shape (n, height, width) or (n, side * side), n > 0 "
        "(write image[np.newaxis] for one, images.mean(axis=-1) to make colors gray)"
    )
    fits = (in_rows or as_pictures) and 0 not in shape
    require(fits, "images", expected, f"shape {shape}")
    numeric = pixels.dtype.kind in "biuf"
    require(numeric, "images", "of numbers", pixels.dtype, TypeError)
    check_positive_number("largest", largest)
    low, high = pixels.min(), pixels.max()
    expected = f"of pixels from 0 to about {largest} (set largest for another scale)"
    fits = low >= 0 and (high == 0 or largest / 10 < high <= largest)
    require(fits, "images", expected, f"{low} to {high}")


def check_vectors(name: str, vectors, width: int | None = None) -> None:
    shape, dtype = _shape_and_dtype(vectors)
    fits = len(shape) == 2 and width in (None, shape[-1])
    require(fits, name, f"of shape (n, {width or 'width'})", f"shape {shape}")
    require(dtype.is_floating, name, "decimal (see to_vectors)", dtype.name, TypeError)


def check_square_vectors(images) -> None:
    shape, dtype = _shape_and_dtype(images)
    square = len(shape) == 2 and shape[0] > 0 and math.isqrt(shape[1]) ** 2 == shape[1]
    require(square, "images", "of shape (n, side * side), n > 0", f"shape {shape}")
    require(dtype == tf.float32, "images", "float32", dtype.name, TypeError)


def check_inputs(inputs, weights) -> None:
    shape, dtype = _shape_and_dtype(inputs)
    width, wanted = weights.shape[0], tf.as_dtype(weights.dtype)
    expected = f"vectors of shape (n, {width}), as to_vectors makes them of pictures"
    require(shape[1:] == (width,), "images", expected, f"shape {shape}")
    expected = f"{wanted.name} like the weights (to_vectors converts pixels)"
    require(dtype == wanted, "images", expected, dtype.name, TypeError)


def check_labels(labels, num_classes: int = 10) -> None:
    shape, dtype = _shape_and_dtype(labels)
    require(dtype.is_integer, "labels", "integers", _name_of_dtype(labels), TypeError)
    require(len(shape) == 1, "labels", "of shape (n,)", f"shape {shape}")
    if not tf.is_symbolic_tensor(labels):
        labels = np.asarray(labels)
        wrong = labels[(labels < 0) | (labels >= num_classes)]
        require(not wrong.size, "labels", f"in 0 to {num_classes - 1}", wrong[:1])


def check_classes(images, labels) -> None:
    for name, array in {"images": images, "labels": labels}.items():
        got, expected = type(array).__name__, "a NumPy array (np.asarray makes one)"
        require(isinstance(array, np.ndarray), name, expected, got, TypeError)
    check_same_length(images, labels)
    check_labels(labels, num_classes=math.inf)
    present = np.unique(labels)
    expected = "0, 1, … (as by np.unique(labels, return_inverse=True)[1])"
    require(len(present) == present[-1] + 1, "labels", expected, present)


def check_predictions(labels, predictions, may_be_nan: bool = False) -> None:
    shape, dtype = _shape_and_dtype(predictions)
    fits = len(shape) == 2 and dtype.is_floating
    expected = "probabilities of shape (n, classes)"
    require(fits, "predictions", expected, f"{dtype.name} of shape {shape}")
    check_labels(labels, num_classes=shape[1])
    check_same_length(predictions, labels, "predictions")
    if not may_be_nan:
        check_finite("predictions", predictions)


def check_probabilities(labels, predictions) -> None:
    check_predictions(labels, predictions, may_be_nan=True)  # fit explains NaN
    if not tf.is_symbolic_tensor(predictions):
        values = np.asarray(predictions)
        sums, smallest = values.sum(axis=1, dtype="float64"), values.min(axis=1)
        wrong = (np.abs(sums - 1) > 0.01) | (smallest < -0.01)
        expected = "rows that sum to 1, none below 0 (is softmax the last activation?)"
        got = f"sums {sums[wrong][:3]}, smallest {smallest[wrong][:3]}"
        require(not wrong.any(), "predictions", expected, got)


def check_distorted(distorted, images) -> None:
    expected, got = (
        f"{np.asarray(array).dtype.name} of shape {np.shape(array)}"
        for array in (images, distorted)
    )
    require(got == expected, "distorted images", expected, got)


# Models


def check_start(start, shape: tuple[int, ...]) -> None:
    name, given = "the initializer's values", tuple(start.shape)
    require(given == shape, name, f"of shape {shape}", given)
    check_finite(name, start)


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


def check_dense_layers(model) -> None:
    layers, needed = getattr(model, "layers", []), ("W", "b", "activation")
    known = all(hasattr(layer, name) for layer in layers for name in needed)
    require(layers and known, "model", "a NaiveSequential of NaiveDense", repr(model))


def check_for_page(model, names: list[str]) -> None:
    ends = model.layers[0].W.shape[0], model.layers[-1].W.shape[1], names[-1]
    expected = "one from 784 pixels to 10 probabilities of softmax"
    require(ends == (784, 10, "softmax"), "model", expected, repr(model))


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


# What fit is given, before its first step


def check_training(model, data, validation_data, metric, loss, takes_classes) -> None:
    """Try model, loss and metrics on a few examples, before the first step."""
    check_callable("model", model)
    check_callable("loss", loss)
    labels, predictions = check_examples(model, data, loss, takes_classes)
    if validation_data is None:
        needed = "given, since a metric is measured on it"
        return require(metric is None, "validation_data", needed, "None")
    is_pair = isinstance(validation_data, tuple | list) and len(validation_data) == 2
    got = type(validation_data).__name__
    require(is_pair, "validation_data", "a pair (images, labels)", got, TypeError)
    check_examples(model, validation_data, loss, takes_classes)
    metrics = metric if isinstance(metric, dict) else {"metric": metric}
    for name, function in metrics.items():
        if function is not None and np.isfinite(predictions).all():  # fit explains NaN
            check_metric(name, function, labels, predictions)


def check_examples(model, data, loss, takes_classes: bool) -> tuple:
    """Try model and loss; return the labels tried, and their predictions."""
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
    return few, predictions


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


def check_settings(epochs, verbose, update, distort, callbacks) -> None:
    check_positive_integer("epochs", epochs)
    check_choice("verbose", verbose, (0, 1, "bar"))
    check_callable("update", update)
    if distort is not None:
        check_callable("distort", distort)
    for callback in callbacks:
        foreign = isinstance(callback, type | keras.callbacks.Callback)
        known = hasattr(callback, "on_batch_end") and not foreign
        expected = "objects of subclasses of mnist_lib.Callback"
        require(known, "callbacks", expected, repr(callback), TypeError)


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
        require(not missed, "layers", expected, f"the Keras layer {layer!r}")


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


# Steps, update rules and workers


def check_finite_loss(loss, epoch: int, batch: int) -> None:
    name = f"the loss at epoch {epoch}, batch {batch}"
    got = f"{loss}. Create a new model and try a learning rate ten times smaller"
    require(math.isfinite(loss), name, "finite", got, FloatingPointError)


def check_epoch_start(index: int) -> None:
    expected = "one from the end of an epoch, to go on compiled (go on with fit first)"
    require(index == 0, "the checkpoint", expected, f"one after {index} examples")


def check_rule_weights(weights) -> None:
    variables = isinstance(weights, list | tuple) and len(weights) > 0
    variables = variables and all(hasattr(weight, "assign") for weight in weights)
    expected = "a list of variables, such as model.weights"
    require(variables, "weights", expected, repr(weights), TypeError)


def check_rule(rule, weights) -> None:
    same = [*map(id, rule.weights)] == [*map(id, weights)]
    got = "those of another model (make the rule anew, too)"
    require(same, "the rule's weights", "those it was made for", got)


def check_rule_state(rule, weights) -> None:
    """Trace an update rule alone, and find what it remembers in Python."""
    gradients = [tf.zeros_like(weight) for weight in weights]
    rate = tf.constant(0.0, weights[0].dtype)
    trial = tf.function(lambda: rule(gradients, weights, rate))
    if not isinstance(rule, keras.Optimizer):
        with unchanged(update=rule):
            trial.get_concrete_function()


def check_workers(strategy, batch_size, settings: dict) -> None:
    """Make sure that each replica has a share, and that all draw the same orders."""
    replicas = strategy.num_replicas_in_sync
    expected = f"at least 1 for each of {replicas} replicas"
    require(batch_size >= replicas, "batch_size", expected, batch_size)
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    fixed = not settings.get("shuffle") or settings.get("seed") is not None
    expected = "given, to shuffle on all workers alike"
    require(fixed or not several, "seed", expected, None)
