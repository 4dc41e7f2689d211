"""From pixels to tensors: the digits, and the shape a network takes them in.

MNIST is 70,000 pictures of handwritten digits, 28 × 28 pixels each. This module
loads them, makes sure that they are what they should be, and turns each picture
into a vector of 784 numbers between 0 and 1.
"""

import os
import warnings

import numpy as np

from mnist_lib import checks
from mnist_lib.digits import files

__all__ = [
    "StandInWarning",
    "describe_digits",
    "load_mnist",
    "mean_images",
    "nearest_mean",
    "to_vectors",
]


class StandInWarning(UserWarning):
    """The digits are stand-ins drawn by the program, not MNIST."""


def load_mnist(path: str | os.PathLike | None = None) -> tuple[tuple, tuple]:
    """Load the digits, like ``keras.datasets.mnist.load_data``.

    Looks at ``path``, then at the environment variable ``MNIST_NPZ``, then in
    Keras's cache, then downloads. Without a connection it falls back on stand-in
    digits and warns. ``MNIST_SOURCE=mnist`` forbids that fallback;
    ``MNIST_SOURCE=stand-in`` asks for the stand-ins, unless ``path`` is given.

    Args:
        path: An ``mnist.npz`` in Keras's layout, or None.

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
        return files.read_mnist(path)
    problem = "MNIST_SOURCE asks for them"
    if source != "stand-in":
        try:
            return files.read_mnist(files.download_mnist())
        except OSError as error:
            problem = f"MNIST could not be had ({error})"
        if source == "mnist":
            raise ConnectionError(f"{problem}, and MNIST_SOURCE forbids stand-ins")
    warnings.warn(f"stand-in digits: {problem}", StandInWarning, stacklevel=2)
    return files.load_stand_in()


def describe_digits(train_images: np.ndarray) -> str:
    """Say in plain words which digits these are.

    Args:
        train_images: The training images just as ``load_mnist`` returned them.

    Returns:
        A sentence or two.
    """
    if files.is_mnist(train_images):
        return f"These are the digits of MNIST, {len(train_images):,} to train on."
    return (
        "These are NOT the digits of MNIST but stand-ins drawn by the program.\n"
        "Everything works as described, but the numbers in the text are MNIST's."
    )


def to_vectors(images: np.ndarray) -> np.ndarray:
    """Lay each picture out as a vector and scale its pixels: ``pixel / 255``.

    Args:
        images: Pictures of shape (n, 28, 28), uint8.

    Returns:
        Array of shape (n, 784), float32, in [0, 1].

    Raises:
        ValueError: ``images`` has no picture in it or another rank.
        TypeError: ``images`` is not uint8.
    """
    checks.check_pictures(images)
    vectors = np.reshape(images, (len(images), -1)).astype("float32")
    vectors /= 255
    return vectors


def mean_images(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average all images of each digit.

    Args:
        images: Array of shape (n, …), each digit at least once among the labels.
        labels: Integers in 0 to 9, of shape (n,).

    Returns:
        The mean 0, the mean 1, … in an array of shape (10, …).

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_same_length(images, labels)
    checks.check_every_digit(labels)
    return np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])


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
