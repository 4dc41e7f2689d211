import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import Distortion, make_stand_in, to_vectors
from mnist_lib.digits.distortion import bend, warp

NONE = {"rotation": 0, "scale": 0, "shear": 0, "shift": 0, "elastic": 0}


@pytest.fixture(scope="module")
def digits():
    (images, _), _ = make_stand_in(130, 10)
    return to_vectors(images)


def places(side, down=0.0, right=0.0):
    rows, columns = np.indices((side, side), dtype="float32")
    return (rows + down).reshape(1, -1), (columns + right).reshape(1, -1)


def test_without_strength_nothing_changes(digits):
    assert np.array_equal(Distortion(**NONE)(digits), digits)


def test_ink_comes_from_where_the_places_say():
    image = np.arange(16, dtype="float32").reshape(1, 1, 16)
    moved = warp(tf.constant(image), *places(4, down=1)).numpy().reshape(4, 4)
    assert np.array_equal(moved[:3], np.arange(4, 16).reshape(3, 4))
    assert np.array_equal(moved[3], [0, 0, 0, 0])  # no ink from outside


def test_between_pixels_ink_is_shared_by_nearness():
    image = np.zeros((1, 1, 16), "float32")
    image[0, 0, 5] = 1  # row 1, column 1
    warped = warp(tf.constant(image), *places(4, down=0.25, right=-0.5))
    warped = warped.numpy().reshape(4, 4)
    expected = np.zeros((4, 4))
    expected[1, 1:3], expected[0, 1:3] = 0.75 * 0.5, 0.25 * 0.5
    assert np.allclose(warped, expected)


def test_turns_and_stretches_agree_with_tensorflow_s(digits):
    distortion = Distortion(elastic=0, shared_by=1, seed=3)
    drawn = Distortion(elastic=0, shared_by=1, seed=3).draw(len(digits), 28)
    rows, columns = drawn.reshape(2, -1, 28, 28)
    x, y, zero = columns[:, 0, 0], rows[:, 0, 0], np.zeros(len(digits))
    across = columns[:, 0, 1] - x, columns[:, 1, 0] - x, x
    down = rows[:, 0, 1] - y, rows[:, 1, 0] - y, y
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=digits.reshape(-1, 28, 28, 1),
        transforms=np.float32([*across, *down, zero, zero]).T,
        output_shape=[28, 28],
        fill_value=0.0,
        interpolation="BILINEAR",
    )
    expected = np.reshape(expected, (-1, 784))
    assert np.abs(distortion(digits) - expected).max() < 1e-3
    assert np.abs(digits - expected).mean() > 0.01


def test_fields_have_their_strength_everywhere_and_are_smooth(random):
    fields = bend(random, 4000, 28, 4.0)
    assert fields.shape == (4000, 28, 28)
    assert np.abs(fields.mean(axis=0)).max() < 0.1
    assert np.abs(fields.std(axis=0) - 1).max() < 0.1
    neighbors = np.mean(fields[:, :, :-1] * fields[:, :, 1:], axis=0)
    assert neighbors.min() > 0.9  # correlation of neighboring pixels
    rough = bend(random, 4000, 28, 0.5)
    assert np.mean(rough[:, :, :-1] * rough[:, :, 1:]) < 0.6


def moved(**strength):
    """Return how far ink comes, down and to the right."""
    drawn = Distortion(**{**NONE, **strength, "seed": 1}).draw(500, 28)
    return drawn - np.reshape(places(28), (2, 1, 784))


@pytest.mark.parametrize(
    ("name", "strength", "limit"),
    [
        ("shift", 2.0, 2.0),
        ("rotation", 90.0, 13.5 * 2),
        ("scale", 0.5, 0.5 * 13.5),
        ("shear", 0.5, 0.5 * 13.5),
    ],
)
def test_each_strength_moves_places_up_to_its_limit(name, strength, limit):
    assert 0.9 * limit < np.abs(moved(**{name: strength})).max() <= limit + 1e-4


def test_the_elastic_strength_is_a_standard_deviation():
    assert np.std(moved(elastic=1.5)) == pytest.approx(1.5, rel=0.03)


def test_every_call_draws_anew_and_a_seed_repeats_them(digits):
    one, other = Distortion(seed=1), Distortion(seed=1)
    first, second = one(digits).numpy(), one(digits).numpy()
    assert not np.array_equal(first, second)
    assert np.array_equal(first, other(digits))
    assert np.array_equal(second, other(digits))
    assert not np.array_equal(first, Distortion(seed=2)(digits))


def test_neighbors_share_a_distortion_and_others_do_not(digits):
    same = np.repeat(digits[:1], 130, axis=0)
    warped = Distortion(seed=1, shared_by=50)(same).numpy()
    assert np.allclose(warped[0], warped[49], atol=1e-6)
    assert np.allclose(warped[100], warped[129], atol=1e-6)
    assert not np.allclose(warped[49], warped[50], atol=0.1)


@pytest.mark.parametrize("count", [1, 59, 60, 61])
def test_any_number_of_pictures_keeps_shape_type_and_range(digits, count):
    before = digits[:count].copy()
    warped = Distortion(seed=1)(digits[:count])
    assert warped.shape == (count, 784) and warped.dtype == tf.float32
    assert warped.numpy().min() >= 0 and warped.numpy().max() <= 1 + 1e-5
    assert np.array_equal(digits[:count], before)
    ink = warped.numpy().sum(axis=1) / digits[:count].sum(axis=1)
    assert np.all((0.5 < ink) & (ink < 1.6))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rotation": -1}, "rotation must be at least 0"),
        ({"scale": 1.0}, "scale must be at least 0 and below 1"),
        ({"shear": np.inf}, "shear must be at least 0 and finite"),
        ({"shift": np.nan}, "shift must be at least 0"),
        ({"elastic": None}, "elastic must be a number, got None"),
        ({"smoothness": 0}, "smoothness must be positive"),
        ({"shared_by": 0}, "shared_by must be at least 1"),
        ({"seed": 0.5}, "seed must be a non-negative integer"),
    ],
)
def test_wrong_settings_are_explained(settings, words):
    with pytest.raises((ValueError, TypeError), match=words):
        Distortion(**settings)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 28, 28), "f4"), ((2, 783), "f4"), ((0, 784), "f4"), ((2, 784), "f8")],
)
def test_what_is_no_picture_is_explained(shape, dtype):
    with pytest.raises((ValueError, TypeError), match="images must be"):
        Distortion()(np.zeros(shape, dtype))
