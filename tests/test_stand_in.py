import os

import numpy as np
import pytest

from mnist_lib import make_stand_in, stand_in

TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def small_sets():
    return make_stand_in(1500, 300, seed=3)


@pytest.fixture(scope="module")
def pictures(small_sets):
    return small_sets[0][0]


def test_sets_look_like_mnist_to_a_program(small_sets):
    (train_images, train_labels), (test_images, test_labels) = small_sets
    assert train_images.shape == (1500, 28, 28)
    assert train_labels.shape == (1500,)
    assert test_images.shape == (300, 28, 28)
    assert test_labels.shape == (300,)
    arrays = (train_images, train_labels, test_images, test_labels)
    assert all(array.dtype == np.uint8 for array in arrays)


def test_full_sizes_are_the_default():
    assert make_stand_in.__defaults__ == (60_000, 10_000, 0)


@pytest.mark.parametrize(
    "shares, counts", [(stand_in._TRAIN_COUNTS, TRAIN), (stand_in._TEST_COUNTS, TEST)]
)
def test_full_sets_have_the_class_counts_of_mnist(shares, counts):
    assert stand_in._class_counts(sum(counts), shares).tolist() == counts


@pytest.mark.parametrize("size", [1, 9, 10, 137, 59_999, 60_001, 1_000_000])
def test_class_counts_are_in_proportion_and_add_up(size):
    counts = stand_in._class_counts(size, TRAIN)
    assert counts.sum() == size
    assert np.abs(counts - size * np.array(TRAIN) / 60_000).max() < 1


def test_digits_left_over_go_where_most_was_cut_off():
    # 4 digits in the ratio 5 : 3 : 2 are 2, 1.2 and 0.8 digits.
    assert stand_in._class_counts(4, (5, 3, 2)).tolist() == [2, 1, 1]


def test_each_set_has_its_own_balance(small_sets):
    for (_, labels), shares in zip(small_sets, (TRAIN, TEST), strict=True):
        expected = stand_in._class_counts(len(labels), shares)
        assert np.bincount(labels, minlength=10).tolist() == expected.tolist()


def test_labels_are_in_random_order(small_sets):
    for _, labels in small_sets:
        assert 0.03 < np.mean(labels[1:] == labels[:-1]) < 0.2


def test_same_seed_draws_the_same_digits(small_sets):
    again = make_stand_in(1500, 300, seed=3)
    for (images, labels), (same_images, same_labels) in zip(
        small_sets, again, strict=True
    ):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(labels, same_labels)


def test_other_seed_draws_other_digits():
    (images, labels), (test_images, _) = make_stand_in(50, 50, seed=0)
    (other_images, other_labels), (other_test, _) = make_stand_in(50, 50, seed=1)
    assert np.any(labels != other_labels)
    assert np.any(images != other_images)
    assert np.any(test_images != other_test)


def test_no_digit_is_drawn_twice(small_sets):
    pixels = np.concatenate([images.reshape(-1, 784) for images, _ in small_sets])
    assert len(np.unique(pixels, axis=0)) == len(pixels)


def test_train_and_test_are_different_draws():
    (train_images, train_labels), (test_images, test_labels) = make_stand_in(100, 100)
    assert np.any(train_labels != test_labels)
    for digit in range(10):
        ones = train_images[train_labels == digit][:, None]
        others = test_images[test_labels == digit][None]
        assert not (ones == others).all(axis=(2, 3)).any()


@pytest.mark.parametrize("sizes", [(1, 1), (1, 20), (20, 1)])
def test_smallest_sets_can_be_drawn(sizes):
    for size, (images, labels) in zip(sizes, make_stand_in(*sizes), strict=True):
        assert len(images) == len(labels) == size
        assert images.any(axis=(1, 2)).all()


def test_large_groups_are_drawn_to_the_last_digit():
    images, _ = stand_in._draw_set(
        2600, (0, 1, 0, 0, 0, 0, 0, 0, 0, 0), np.random.default_rng(0)
    )
    assert images.max(axis=(1, 2)).min() > 200
    assert len(np.unique(images.reshape(2600, -1), axis=0)) == 2600


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


def test_paper_is_black_and_the_border_free(pictures):
    assert not pictures[:, [0, -1], :].any()
    assert not pictures[:, :, [0, -1]].any()


def test_ink_is_as_much_and_as_soft_as_in_mnist(pictures):
    assert 30 < pictures.mean() < 37
    assert 0.17 < np.mean(pictures > 0) < 0.22
    assert 0.06 < np.mean(pictures >= 250) < 0.11
    gray = np.mean((pictures > 0) & (pictures < 250)) / np.mean(pictures > 0)
    assert 0.4 < gray < 0.7
    assert len(np.unique(pictures)) == 256


def test_hands_differ_in_slant_and_lean_right():
    points = stand_in._write("50 53 56 59", 4000, np.random.default_rng(0))
    down = points[:, -1, -1] - points[:, 0, 0]
    slants = -down[:, 0] / down[:, 1]
    assert 0.05 < np.median(slants) < 0.25
    spread = np.diff(np.quantile(slants, [0.16, 0.84])) / 2
    assert 0.23 < spread < 0.4


def test_pens_differ_in_width():
    rng = np.random.default_rng(0)
    _, _, half_width = stand_in._fit(stand_in._write("50 53 56 59", 1000, rng), rng)
    assert half_width.shape == (1000, 1, 1)
    assert 1.1 < half_width.mean() < 1.7
    assert 0.15 < half_width.std() / half_width.mean() < 0.4
    # A finer pen would leave gaps, a broader one fill the loops.
    assert 0.89 < half_width.min() and half_width.max() < 2.11


def test_every_digit_has_several_ways_of_writing():
    lines = stand_in._STROKES.splitlines()
    for digit in "0123456789":
        own = [line for line in lines if line.startswith(digit + ": ")]
        assert sum(line.count("|") + 1 for line in own) >= 4


def test_curve_passes_through_the_points_of_a_stroke():
    stroke = np.array([[[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]]])
    curve = stand_in._smooth(stroke)
    assert curve.shape == (1, 2, 7, 2)
    np.testing.assert_allclose(curve[:, :, 0], stroke[:, :-1])
    np.testing.assert_allclose(curve[:, :, -1], stroke[:, 1:])
    # The points turn a right angle (cosine 0); the curve spreads it over its bits.
    before, after = curve[0, 0, -1] - curve[0, 0, -2], curve[0, 1, 1] - curve[0, 1, 0]
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert cosine > 0.7


def test_inked_line_has_the_width_of_its_pen():
    x = np.linspace(4, 24, 41)
    middles = np.stack([x, np.full(41, 14.0)], axis=1)[None].astype(np.float32)
    lengths = np.full((1, 41, 1), 0.5, np.float32)
    for half_width in (1.0, 2.0):
        pen = np.full((1, 1, 1), half_width, np.float32)
        column = stand_in._ink(middles, lengths, pen)[0, :, 14] / 255
        assert column[14] == 1
        assert column.sum() == pytest.approx(2 * half_width, abs=0.3)


@pytest.mark.parametrize("name", ["train_size", "test_size"])
@pytest.mark.parametrize(
    "value, error",
    [
        (0, ValueError),
        (-3, ValueError),
        (10.0, TypeError),
        (True, TypeError),
        ("10", TypeError),
        (None, TypeError),
    ],
)
def test_sizes_must_be_positive_integers(name, value, error):
    sizes = {"train_size": 10, "test_size": 10, name: value}
    with pytest.raises(error, match=name) as caught:
        make_stand_in(**sizes)
    assert str(value) in str(caught.value)


@pytest.mark.parametrize(
    "seed, error",
    [
        (-1, ValueError),
        (0.0, TypeError),
        (True, TypeError),
        ("0", TypeError),
        (None, TypeError),
    ],
)
def test_seed_must_be_a_non_negative_integer(seed, error):
    expected = rf"seed must be a non-negative integer, got {seed!r}"
    with pytest.raises(error, match=expected):
        make_stand_in(10, 10, seed=seed)


@pytest.mark.parametrize("seed", [0, 2**70, np.int64(7)])
def test_seed_may_be_any_other_integer(seed):
    (images, _), _ = make_stand_in(10, 10, seed=seed)
    assert images.shape == (10, 28, 28)


def to_vectors(images):
    return images.reshape(-1, 784).astype(np.float32) / 255


def train(images, labels, epochs=1, rate=0.3):
    """Train 784-512-10 by plain SGD, in NumPy so that nothing else is tested."""
    rng = np.random.default_rng(0)
    inputs, targets = to_vectors(images), np.eye(10, dtype=np.float32)[labels]
    hidden = rng.uniform(-0.068, 0.068, (784, 512)).astype(np.float32)
    output = rng.uniform(-0.107, 0.107, (512, 10)).astype(np.float32)
    hidden_bias, output_bias = np.zeros(512, np.float32), np.zeros(10, np.float32)
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(inputs)), len(inputs) // 128):
            x = inputs[batch]
            h = np.maximum(x @ hidden + hidden_bias, 0)
            powers = np.exp(h @ output + output_bias)
            error = powers / powers.sum(axis=1, keepdims=True) - targets[batch]
            error *= rate / len(batch)
            hidden_error = error @ output.T * (h > 0)
            output -= h.T @ error
            output_bias -= error.sum(axis=0)
            hidden -= x.T @ hidden_error
            hidden_bias -= hidden_error.sum(axis=0)
    return hidden, hidden_bias, output, output_bias


def accuracy(network, images, labels):
    hidden, hidden_bias, output, output_bias = network
    h = np.maximum(to_vectors(images) @ hidden + hidden_bias, 0)
    return np.mean((h @ output + output_bias).argmax(axis=1) == labels)


def nearest_mean_accuracy(train_set, test_set):
    images, labels = to_vectors(train_set[0]), train_set[1]
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    distances = (means**2).sum(axis=1) - 2 * to_vectors(test_set[0]) @ means.T
    return np.mean(distances.argmin(axis=1) == test_set[1])


def test_stand_in_is_as_hard_as_mnist_for_the_mean_digits():
    assert 0.74 < nearest_mean_accuracy(*make_stand_in(6000, 2000)) < 0.88


@pytest.mark.mnist
def test_networks_read_the_stand_in_and_mnist_alike():
    path = os.environ.get("MNIST_NPZ")
    if not path:
        pytest.skip("MNIST_NPZ does not name the real MNIST")
    with np.load(path, allow_pickle=False) as mnist:
        real_train = mnist["x_train"], mnist["y_train"]
        real_test = mnist["x_test"], mnist["y_test"]
    drawn_train, drawn_test = make_stand_in(20_000, 5000)
    real_network = train(*real_train)
    assert accuracy(real_network, *real_test) > 0.94
    assert accuracy(real_network, *drawn_test) >= 0.85
    assert accuracy(train(*drawn_train, epochs=3), *real_test) >= 0.60
