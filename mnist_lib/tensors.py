"""Chapter 1. From pixels to tensors: digits, in the shape that a network takes.

MNIST is 70,000 pictures of handwritten digits, 28 × 28 pixels each. This module
loads them, makes sure that they are what they should be, and turns each picture
into a vector of 784 numbers between 0 and 1.
"""

import functools
import os
import warnings
from copy import deepcopy

import numpy as np

from mnist_lib.checks import arguments as checks
from mnist_lib.digits import files
from mnist_lib.digits.stand_in import make_stand_in

__all__ = [
    "StandInWarning",
    "describe_digits",
    "load_mnist",
    "mean_images",
    "nearest_mean",
    "to_vectors",
]


cached_stand_in = functools.cache(make_stand_in)  # drawing takes seconds


class StandInWarning(UserWarning):
    """The digits are stand-ins drawn by the program, not MNIST."""


def load_mnist(path: str | os.PathLike | None = None) -> tuple[tuple, tuple]:
    """Load the digits, like ``keras.datasets.mnist.load_data``.

    Looks at ``path``, then at the environment variable ``MNIST_NPZ``, then in
    Keras's cache, then downloads. Without a connection it falls back on stand-in
    digits and warns. ``MNIST_SOURCE=mnist`` forbids that fallback;
    ``MNIST_SOURCE=stand-in`` asks for the stand-ins, unless ``path`` is given.

    Args:
        path: An ``mnist.npz`` in Keras's layout, or a folder with the four idx files
            of MNIST, as they are or with gzip; or None. ``MNIST_NPZ`` takes the same.

    Returns:
        ``(train_images, train_labels), (test_images, test_labels)``, all uint8, of
        shapes (60000, 28, 28), (60000,), (10000, 28, 28), (10000,); pixels from
        0 (paper) to 255 (ink), labels from 0 to 9.

    Raises:
        ValueError: The file is missing, damaged or not MNIST, or ``MNIST_SOURCE``
            is unknown.
        ConnectionError: No network, no copy, and no stand-ins allowed.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database*, 1998.
    """
    source = os.environ.get("MNIST_SOURCE") or "any"
    checks.check_choice("MNIST_SOURCE", source, ("any", "mnist", "stand-in"))
    if path is None and source != "stand-in":
        path = os.environ.get("MNIST_NPZ") or None
    if path is not None:
        advice = "Without a path and MNIST_NPZ, load_mnist downloads MNIST"
        return files.read_mnist(path, advice)
    problem = "MNIST_SOURCE asks for them"
    if source != "stand-in":
        try:
            copy = files.fetch_mnist()
            return files.read_mnist(copy, "Delete the file to download it anew")
        except OSError as error:
            problem = f"MNIST could not be downloaded ({error})"
        if source == "mnist":
            raise ConnectionError(f"{problem}, and MNIST_SOURCE forbids stand-ins")
    warnings.warn(f"stand-in digits: {problem}", StandInWarning, stacklevel=2)
    return deepcopy(cached_stand_in())


def describe_digits(train_images: np.ndarray) -> str:
    """Say in plain words which digits these are.

    Args:
        train_images: The training images just as ``load_mnist`` returned them.

    Returns:
        A sentence or two, true of any pictures.
    """
    count = len(train_images)
    if files.is_mnist(train_images):
        return f"These are the digits of MNIST, {count:,} to train on."
    numbers = "the numbers in the text are MNIST's."
    if count == 60_000 and np.array_equal(train_images, cached_stand_in()[0][0]):
        return (
            "These are NOT the digits of MNIST but stand-ins drawn by the program.\n"
            f"Everything works as described, but {numbers}"
        )
    which = f"These {count:,} pictures are not MNIST's training digits as they come"
    return f"{which};\n{numbers}"


def to_vectors(images: np.ndarray, largest: float = 255) -> np.ndarray:
    """Lay each picture out as a vector and scale its pixels: ``pixel / largest``.

    Args:
        images: Gray pictures of shape (n, height, width), or one in a row, as in a
            CSV file without its labels, of shape (n, side * side). Pixels are numbers
            from 0 to ``largest``.
        largest: The largest number that a pixel can have: 255 for one byte, 1 for
            pixels that are scaled already, 16 for scikit-learn's small digits.

    Returns:
        Array of shape (n, height * width), float32, in [0, 1].

    Raises:
        ValueError: ``images`` has no picture in it or another shape, or its pixels are
            not on the scale from 0 to ``largest``.
        TypeError: ``images`` is not of numbers.
    """
    checks.check_pictures(images, largest)
    vectors = np.array(images, "float32").reshape(len(images), -1)
    vectors /= largest
    return vectors


def mean_images(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average all images of each class.

    Args:
        images: Array of shape (n, …).
        labels: Integers from 0, of shape (n,), each class at least once.

    Returns:
        The mean of class 0, of class 1, … in an array of shape (classes, …).

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_classes(images, labels)
    digits = range(labels.max() + 1)
    return np.stack([images[labels == digit].mean(axis=0) for digit in digits])


def nearest_mean(vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Find for each vector the nearest of the means, by squared distance.

    Args:
        vectors: Array of shape (n, width), of decimal numbers.
        means: Array of shape (k, width), of decimal numbers.

    Returns:
        The index of the nearest mean, shape (n,), int64.

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_vectors("means", means)
    checks.check_vectors("vectors", vectors, width=means.shape[1])
    squares = [np.sum((vectors - mean) ** 2, axis=1) for mean in means]
    return np.argmin(squares, axis=0)
