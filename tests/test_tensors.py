import warnings

import numpy as np
import pytest

from mnist_lib import (
    StandInWarning,
    describe_digits,
    load_mnist,
    mean_images,
    nearest_mean,
    to_vectors,
)
from mnist_lib.digits import files


@pytest.fixture
def stand_ins(monkeypatch):
    """A tiny stand-in instead of the full one, and no setting from outside."""
    digits = ((np.zeros((3, 28, 28), "uint8"), np.zeros(3, "uint8")),) * 2
    monkeypatch.setattr(files, "load_stand_in", lambda: digits)
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.delenv("MNIST_SOURCE", raising=False)
    return digits


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty Keras cache, and an address at which nobody answers."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(files, "ADDRESSES", ["http://127.0.0.1:9/mnist.npz"])


def test_vectors_are_rows_of_784_numbers_between_0_and_1():
    images = np.zeros((3, 28, 28), "uint8")
    images[1, 0, 27] = 255
    images[2, 27, 0] = 51
    vectors = to_vectors(images)
    assert vectors.shape == (3, 784) and vectors.dtype == np.float32
    assert vectors[1, 27] == 1.0 and vectors[2, 27 * 28] == np.float32(0.2)
    assert vectors.sum() == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((28, 28), "uint8"), ValueError, r"got shape \(28, 28\)"),
        (np.zeros((0, 28, 28), "uint8"), ValueError, "n > 0"),
        (np.zeros((2, 28, 28), "float32"), TypeError, "images must be uint8"),
        (np.zeros((2, 28, 28), "int64"), TypeError, "got int64"),
    ],
)
def test_wrong_pictures_are_explained(images, error, words):
    with pytest.raises(error, match=words):
        to_vectors(images)


def test_mean_images_are_the_mean_of_each_digit():
    labels = np.arange(20) % 10
    images = np.stack([np.full((2, 2), value, "float32") for value in range(20)])
    means = mean_images(images, labels)
    assert means.shape == (10, 2, 2)
    assert means[:, 0, 0].tolist() == [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_mean_images_need_labels_that_fit():
    images = np.zeros((20, 2, 2))
    with pytest.raises(ValueError, match="of the same length"):
        mean_images(images, np.zeros(19, int))
    with pytest.raises(ValueError, match="labels must be in 0 to 9"):
        mean_images(images, np.arange(20))
    with pytest.raises(ValueError, match="labels must be all ten digits"):
        mean_images(images, np.zeros(20, int))
    with pytest.raises(TypeError, match="labels must be a NumPy array, got list"):
        mean_images(images, [*range(10)] * 2)


def test_nearest_mean_picks_the_smallest_distance():
    means = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    vectors = np.array([[1.0, 0.5], [2.0, 0.5], [1.0, 3.0]])
    assert nearest_mean(vectors, means).tolist() == [0, 1, 2]


def test_nearest_mean_needs_decimal_vectors_of_the_means_width():
    means = np.zeros((10, 784))
    with pytest.raises(TypeError, match="vectors must be decimal .*got uint8"):
        nearest_mean(np.zeros((5, 784), "uint8"), means)
    with pytest.raises(ValueError, match=r"vectors must be of shape \(n, 784\)"):
        nearest_mean(np.zeros((5, 28, 28)), means)


@pytest.mark.mnist
def test_nearest_mean_reads_82_percent_of_mnist(mnist):
    train_images, train_labels, test_images, test_labels = mnist
    guesses = nearest_mean(test_images, mean_images(train_images, train_labels))
    assert np.mean(guesses == test_labels) == pytest.approx(0.82, abs=0.001)


@pytest.mark.mnist
def test_mnist_is_loaded_like_keras_does_and_described():
    (train_images, train_labels), (test_images, test_labels) = load_mnist()
    assert train_images.shape == (60000, 28, 28) and train_labels.shape == (60000,)
    assert test_images.shape == (10000, 28, 28) and test_labels.shape == (10000,)
    arrays = (train_images, train_labels, test_images, test_labels)
    assert all(array.dtype == np.uint8 for array in arrays)
    assert "These are the digits of MNIST" in describe_digits(train_images)


def test_stand_ins_are_described_as_what_they_are(stand_ins):
    assert "NOT the digits of MNIST" in describe_digits(stand_ins[0][0])


def test_stand_ins_come_with_a_warning_when_asked_for(stand_ins, monkeypatch):
    monkeypatch.setenv("MNIST_SOURCE", "stand-in")
    monkeypatch.setenv("MNIST_NPZ", "nowhere.npz")  # asking for them comes first
    with pytest.warns(StandInWarning, match="stand-in digits"):
        assert load_mnist() is stand_ins


def test_without_network_stand_ins_come_with_a_warning(stand_ins, no_network):
    with pytest.warns(StandInWarning, match="MNIST could not be had"):
        assert load_mnist() is stand_ins


def test_without_network_stand_ins_can_be_forbidden(stand_ins, no_network, monkeypatch):
    monkeypatch.setenv("MNIST_SOURCE", "mnist")
    with pytest.raises(ConnectionError, match="MNIST_SOURCE forbids stand-ins"):
        load_mnist()


def test_an_unusable_path_is_an_error_and_not_a_reason_for_stand_ins(
    stand_ins, monkeypatch, tmp_path
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="given.npz is not a file"):
            load_mnist(tmp_path / "given.npz")
        monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "named.npz"))
        with pytest.raises(ValueError, match="named.npz is not a file"):
            load_mnist()
        with pytest.raises(ValueError, match="given.npz is not a file"):
            load_mnist(tmp_path / "given.npz")


def test_an_unknown_source_is_explained(stand_ins, monkeypatch):
    monkeypatch.setenv("MNIST_SOURCE", "minst")
    with pytest.raises(ValueError, match="MNIST_SOURCE must be one of"):
        load_mnist()
