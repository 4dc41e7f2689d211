"""Checks of numbers and arrays, and the one form that every error has.

It names the argument, what it must be, and what came. Inside a ``tf.function`` there
are no values yet, so only shape and dtype are checked there.
"""

import math
import numbers

import numpy as np
import tensorflow as tf


def require(holds, name: str, expected: str, got, error=ValueError) -> None:
    """Raise unless it holds: every message of the library has this one form."""
    if not holds:
        raise error(f"{name} must be {expected}, got {got}")


def _shape_and_dtype(array) -> tuple[tuple, tf.DType]:
    known = isinstance(array, np.ndarray) or tf.is_tensor(array)
    array = array if known else np.asarray(array)
    return tuple(array.shape), tf.as_dtype(array.dtype)


def _name_of_dtype(array) -> str:
    """Return the dtype in its owner's words, such as pandas' category."""
    if hasattr(array, "dtype"):
        return getattr(array.dtype, "name", str(array.dtype))
    dtype = np.asarray(array).dtype
    return type(array).__name__ if dtype.kind == "O" else dtype.name


def is_number(value) -> bool:
    simple = not isinstance(value, list | tuple) and np.ndim(value) == 0
    return simple and np.asarray(value).dtype.kind in "iuf"


def check_positive_integer(name: str, value) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    require(whole, name, "a positive integer", repr(value), TypeError)
    require(value >= 1, name, "at least 1", value)


def check_number(name: str, value, below: float = math.inf, positive=False) -> None:
    if not tf.is_symbolic_tensor(value):
        require(is_number(value), name, "a number", repr(value), TypeError)
        limit = f"below {below}" if below < math.inf else "finite"
        least = "positive" if positive else "at least 0"
        fits = 0 <= np.asarray(value) < below and not (positive and value == 0)
        require(fits, name, f"{least} and {limit}", value)


def check_positive_number(name: str, value, below: float = math.inf) -> None:
    check_number(name, value, below, positive=True)


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
    if not tf.is_symbolic_tensor(values):
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
    require(
        pixels.dtype.kind in "biuf", "images", "of numbers", pixels.dtype, TypeError
    )
    check_positive_number("largest", largest)
    low, high = pixels.min(), pixels.max()
    expected = f"of pixels from 0 to about {largest} (set largest for another scale)"
    fits = low >= 0 and (high == 0 or largest / 10 < high <= largest)
    require(fits, "images", expected, f"{low} to {high}")


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


def check_predictions(labels, predictions, may_be_nan: bool = False) -> None:
    shape, dtype = _shape_and_dtype(predictions)
    fits = len(shape) == 2 and dtype.is_floating
    expected = "probabilities of shape (n, classes)"
    got = f"{_name_of_dtype(predictions)} of shape {shape}"
    require(fits, "predictions", expected, got)
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


def check_start(start, shape: tuple[int, ...]) -> None:
    name, given = "the initializer's values", tuple(start.shape)
    require(given == shape, name, f"of shape {shape}", given)
    check_finite(name, start)
