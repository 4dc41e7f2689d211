"""Settings and made-up data that the tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import NaiveDense, NaiveSequential, load_mnist, to_vectors


def pytest_runtest_setup(item):
    if item.get_closest_marker("mnist") and not os.environ.get("MNIST_NPZ"):
        pytest.skip("needs the real MNIST: set MNIST_NPZ to a copy of mnist.npz")


@pytest.fixture(autouse=True)
def seed():
    tf.random.set_seed(7)


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def small_data(random):
    """50 examples of 6 numbers, in 3 classes that differ in their mean."""
    labels = random.integers(0, 3, 50).astype("uint8")
    images = random.random((50, 6), dtype="float32") + labels[:, None]
    return images / 4, labels


@pytest.fixture
def small_model():
    """6 numbers in, 5 hidden neurons, 3 classes; a smooth activation."""
    return NaiveSequential(
        [NaiveDense(6, 5, tf.nn.tanh), NaiveDense(5, 3, tf.nn.softmax)]
    )


@pytest.fixture
def source_model():
    """The network of the course: 784-512-10, all weights positive at first."""
    return NaiveSequential(
        [NaiveDense(784, 512, tf.nn.relu), NaiveDense(512, 10, tf.nn.softmax)]
    )


@pytest.fixture(scope="session")
def mnist():
    """The real MNIST as vectors: train images, labels, test images, labels."""
    (train_images, train_labels), (test_images, test_labels) = load_mnist()
    return (
        to_vectors(train_images),
        train_labels,
        to_vectors(test_images),
        test_labels,
    )
