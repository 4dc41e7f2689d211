import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mnist_lib import (
    StandInWarning,
    describe_digits,
    load_mnist,
    mean_images,
    nearest_mean,
    tensors,
    to_vectors,
)
from mnist_lib.digits import files

DRAWN = np.zeros((60_000, 28, 28), "uint8")


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Blank stand-ins, no setting from outside, an empty cache and no network."""
    digits = ((DRAWN, np.zeros(60_000, "uint8")),) * 2
    monkeypatch.setattr(tensors, "cached_stand_in", lambda: digits)
    for name in ("MNIST_NPZ", "MNIST_SOURCE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(files, "ADDRESSES", ["http://127.0.0.1:9/mnist.npz"])
    return digits


def test_vectors_are_rows_of_784_numbers_between_0_and_1():
    images = np.zeros((3, 28, 28), "uint8")
    images[1, 0, 27] = 255
    images[2, 27, 0] = 51
    vectors = to_vectors(images)
    assert vectors.shape == (3, 784) and vectors.dtype == np.float32
    assert vectors[1, 27] == 1.0 and vectors[2, 27 * 28] == np.float32(0.2)
    assert vectors.sum() == pytest.approx(1.2)


PICTURES = np.arange(5 * 784).reshape(5, 28, 28) % 256


@pytest.mark.parametrize(
    "images",
    [
        PICTURES.reshape(5, 784),
        PICTURES.reshape(5, 28, 28, 1),
        PICTURES.tolist(),
        tf.constant(PICTURES),
        [Image.fromarray(picture.astype("uint8")) for picture in PICTURES],
    ],
    ids=["rows", "channel", "lists", "tensor", "PIL"],
)
def test_pictures_may_come_in_other_forms(images):
    assert np.array_equal(to_vectors(images), to_vectors(PICTURES))


@pytest.mark.parametrize(
    ("images", "largest"),
    [
        (np.full((5, 8, 8), 16.0), 16),
        (np.ones((5, 20, 28), bool), 1),
        (np.full((5, 64), 65535, "uint16"), 65535),
    ],
)
def test_pixels_are_divided_by_the_largest_and_what_came_is_kept(images, largest):
    before = images.copy()
    vectors = to_vectors(images, largest)
    assert vectors.shape == (5, images[0].size) and np.all(vectors == 1)
    assert vectors.dtype == np.float32 and np.array_equal(images, before)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.ones((28, 28)), r"image\[np.newaxis\] for one, .*got shape \(28, 28\)"),
        (np.ones((28, 28, 3)), r"colors gray\), got shape \(28, 28, 3\)"),
        (np.ones((28, 28, 1)), r"\(n, height, width\)"),
        (np.ones((5, 785)), r"\(n, side \* side\).* got shape \(5, 785\)"),
        (np.ones((0, 28, 28)), "n > 0"),
        (None, r"got shape \(\)"),
        (np.full((2, 28, 28), "a"), "of numbers, got <U1"),
        (np.full((2, 28, 28), 256), "from 0 to about 255 .*, got 256 to 256"),
        (np.full((2, 28, 28), np.nan), "got nan to nan"),
        (np.full((2, 8, 8), 16.0), "set largest for another scale.*got 16.0 to 16.0"),
    ],
)
def test_what_could_be_meant_otherwise_is_not_guessed(images, words):
    with pytest.raises((ValueError, TypeError), match=f"images must be .*{words}"):
        to_vectors(images)


@pytest.mark.parametrize("classes", [2, 26])
def test_mean_images_are_the_mean_of_each_class(classes):
    labels = np.arange(2 * classes, dtype="uint8") % classes
    images = np.stack([np.full((2, 2), i, "float32") for i in range(2 * classes)])
    means = mean_images(images, labels)
    assert means.shape == (classes, 2, 2)
    assert np.array_equal(means[:, 0, 0], np.arange(classes) + classes / 2)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(19, int), "of the same length"),
        (np.arange(20) - 1, "labels must be in 0 to"),
        (np.arange(20) % 5 + 1, r"return_inverse=True\)\[1\]\), got \[1 2 3 4 5\]"),
        (np.arange(20.0), "labels must be integers"),
        ([*range(20)], "labels must be a NumPy array .*, got list"),
    ],
)
def test_mean_images_need_labels_that_fit(labels, words):
    with pytest.raises((ValueError, TypeError), match=words):
        mean_images(np.zeros((20, 2, 2)), labels)


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
    part = describe_digits(train_images[:6400])
    assert part.startswith("These 6,400 pictures are not MNIST's training digits as")


@pytest.mark.usefixtures("stand_ins")
def test_digits_are_described_as_what_they_are():
    assert "NOT the digits of MNIST but stand-ins" in describe_digits(DRAWN)
    for others in (DRAWN + 1, DRAWN[:12]):
        words = f"These {len(others):,} pictures are not MNIST's training digits"
        assert describe_digits(others).startswith(words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MNIST_SOURCE": "stand-in", "MNIST_NPZ": "nowhere.npz"}, "asks for them"),
        ({}, "MNIST could not be downloaded .*refused"),
    ],
)
def test_stand_ins_come_with_a_warning_and_may_be_written_to(
    stand_ins, settings, words
):
    os.environ.update(settings)
    with pytest.warns(StandInWarning, match=f"stand-in digits: .*{words}"):
        (images, _), _ = load_mnist()
    images += 1
    assert images.any() and not stand_ins[0][0].any()


@pytest.mark.parametrize(
    ("path", "settings", "words"),
    [
        (None, {"MNIST_SOURCE": "mnist"}, "MNIST_SOURCE forbids stand-ins"),
        (None, {"MNIST_SOURCE": "minst"}, "MNIST_SOURCE must be one of"),
        ("gone", {"MNIST_NPZ": "other"}, "^gone is not usable: No.*Without a path"),
        (None, {"MNIST_NPZ": "gone"}, "^gone is not usable: No.*Without a path"),
        ("", {}, "folder with train-images-idx3-ubyte"),
        (3, {}, "PathLike"),
    ],
)
@pytest.mark.usefixtures("stand_ins")
@pytest.mark.filterwarnings("error")
def test_what_is_unusable_is_no_reason_for_stand_ins(path, settings, words):
    os.environ.update(settings)
    with pytest.raises((ValueError, TypeError, ConnectionError), match=words):
        load_mnist(path)


@pytest.mark.usefixtures("stand_ins")
def test_a_damaged_copy_of_keras_can_be_downloaded_anew(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/mnist.npz").write_text("half")
    with pytest.raises(ValueError, match="Delete the file to download it anew"):
        load_mnist()
