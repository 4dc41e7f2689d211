import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    NaiveDense,
    NaiveSequential,
    accuracy,
    fit_compiled,
    he_start,
    make_stand_in,
    mean_images,
    nearest_mean,
    predict,
    to_vectors,
)
from mnist_lib.digits import stand_in


@pytest.fixture(scope="module")
def small_sets():
    return make_stand_in(1500, 300, seed=3)


@pytest.fixture(scope="module")
def pictures(small_sets):
    return small_sets[0][0]


@pytest.mark.parametrize("sizes", [(1500, 300), (1, 20)])
def test_sets_look_like_mnist_to_a_program(sizes):
    sets = make_stand_in(*sizes, seed=3)
    shares = stand_in._TRAIN_COUNTS, stand_in._TEST_COUNTS
    for size, (images, labels), counts in zip(sizes, sets, shares, strict=True):
        assert images.shape == (size, 28, 28) and labels.shape == (size,)
        assert images.dtype == labels.dtype == np.uint8
        assert images.any(axis=(1, 2)).all()
        assert not (images[:, [0, -1], :].any() or images[:, :, [0, -1]].any())
        expected = size * np.array(counts) / sum(counts)
        assert np.abs(np.bincount(labels, minlength=10) - expected).max() < 1


def test_the_seed_decides_which_digits_are_drawn(small_sets):
    arrays = sum(small_sets, ())
    again, other = (sum(make_stand_in(1500, 300, seed=seed), ()) for seed in (3, 4))
    assert all(map(np.array_equal, arrays, again))
    assert not any(map(np.array_equal, arrays, other))


def test_train_and_test_are_different_draws():
    (train_images, train_labels), (test_images, test_labels) = make_stand_in(100, 100)
    assert np.any(train_labels != test_labels)
    for digit in range(10):
        ones = train_images[train_labels == digit][:, None]
        others = test_images[test_labels == digit][None]
        assert not (ones == others).all(axis=(2, 3)).any()


def test_center_of_mass_is_the_center_of_the_picture(pictures):
    mass = pictures.sum(axis=(1, 2))
    rows = pictures.sum(axis=2) @ np.arange(28) / mass
    columns = pictures.sum(axis=1) @ np.arange(28) / mass
    for centers in (rows, columns):
        assert abs(centers.mean() - 14) < 0.15
        assert np.quantile(np.abs(centers - 14), 0.98) < 0.75
        assert np.abs(centers - 14).max() < 2.5


def test_digits_fill_a_box_of_20_pixels(pictures):
    def larger_side(ink):
        return np.maximum(ink.any(axis=1).sum(axis=1), ink.any(axis=2).sum(axis=1))

    assert larger_side(pictures > 127).max() <= 20
    # Pictures are not shifted by whole pixels: soft edges may touch one more.
    assert larger_side(pictures > 0).max() <= 22
    assert larger_side(pictures > 0).min() >= 16
    assert 19 <= np.median(larger_side(pictures > 0)) <= 20


def test_ink_is_as_much_and_as_soft_as_in_mnist(pictures):
    assert 30 < pictures.mean() < 37
    assert 0.17 < np.mean(pictures > 0) < 0.22
    assert 0.06 < np.mean(pictures >= 250) < 0.11
    gray = np.mean((pictures > 0) & (pictures < 250)) / np.mean(pictures > 0)
    assert 0.4 < gray < 0.7
    assert len(np.unique(pictures)) == 256


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"train_size": 0}, "train_size must be at least 1, got 0"),
        ({"test_size": 10.0}, "test_size must be a positive integer, got 10.0"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"seed": None}, "seed must be a non-negative integer, got None"),
    ],
)
def test_wrong_arguments_are_explained(wrong, words):
    with pytest.raises((ValueError, TypeError), match=words):
        make_stand_in(**{"train_size": 10, "test_size": 10, **wrong})


def test_stand_in_is_as_hard_as_mnist_for_the_mean_digits():
    (images, labels), (test_images, test_labels) = make_stand_in(6000, 2000)
    means = mean_images(to_vectors(images), labels)
    guesses = nearest_mean(to_vectors(test_images), means)
    assert 0.74 < np.mean(guesses == test_labels) < 0.88


def train(images, labels, epochs=1):
    layers = [NaiveDense(784, 512, tf.nn.relu, he_start)]
    layers += [NaiveDense(512, 10, tf.nn.softmax, he_start)]
    model = NaiveSequential(layers)
    settings = {"shuffle": True, "seed": 0, "verbose": 0}
    fit_compiled(model, images, labels, epochs, 128, 0.3, **settings)
    return model


@pytest.mark.slow
@pytest.mark.mnist
def test_networks_read_the_stand_in_and_mnist_alike(mnist):
    drawn = [
        (to_vectors(images), labels) for images, labels in make_stand_in(20_000, 5000)
    ]
    real_network = train(*mnist[:2])
    for (images, labels), least in [(mnist[2:], 0.94), (drawn[1], 0.85)]:
        assert accuracy(labels, predict(real_network, images)) >= least
    drawn_network = train(*drawn[0], epochs=3)
    assert accuracy(mnist[3], predict(drawn_network, mnist[2])) >= 0.60
