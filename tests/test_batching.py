import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import BatchGenerator


@pytest.fixture
def data():
    labels = (np.arange(10) % 10).astype("uint8")
    return np.arange(10, dtype="float32")[:, None] * np.ones(3, "float32"), labels


def first_column(generator):
    return [int(x) for images, _ in generator for x in images[:, 0]]


def test_an_epoch_of_mnist_ends_with_a_short_batch_of_96():
    generator = BatchGenerator(np.zeros((60000, 1)), np.zeros(60000, "uint8"))
    sizes = [len(labels) for _, labels in generator]
    assert generator.num_batches == len(generator) == len(sizes) == 469
    assert sizes == [128] * 468 + [96]


def test_next_hands_out_slices_in_order_with_shape_and_dtype(data):
    generator = BatchGenerator(*data, batch_size=4)
    images, labels = generator.next()
    assert images.shape == (4, 3) and images.dtype == np.float32
    assert labels.shape == (4,) and labels.dtype == np.uint8
    assert labels.tolist() == [0, 1, 2, 3]
    assert generator.next()[1].tolist() == [4, 5, 6, 7]
    assert generator.next()[1].tolist() == [8, 9]


def test_after_the_last_batch_next_stops_instead_of_giving_nothing(data):
    generator = BatchGenerator(*data, batch_size=10)
    generator.next()
    with pytest.raises(StopIteration):
        generator.next()


def test_a_second_loop_starts_over(data):
    generator = BatchGenerator(*data, batch_size=4)
    generator.next()
    generator.restart()
    assert generator.next()[1].tolist() == [0, 1, 2, 3]
    assert first_column(generator) == first_column(generator) == list(range(10))


def test_each_epoch_has_an_order_of_its_own_that_the_seed_fixes(data):
    def orders(seed):
        generator = BatchGenerator(*data, 4, shuffle=True, seed=seed)
        return [first_column(generator) for _ in range(2)]

    first, second = orders(1)
    assert first != second and sorted(first) == sorted(second) == list(range(10))
    assert orders(1) == [first, second] != orders(2)


def test_a_batch_is_a_copy_that_may_be_changed(data):
    images, _ = BatchGenerator(*data, batch_size=4).next()
    images += 1
    assert data[0][0, 0] == 0


def test_tensors_and_lists_can_be_batched(data):
    tensors = BatchGenerator(tf.constant(data[0]), tf.constant(data[1]), 4)
    assert first_column(tensors) == list(range(10))
    assert BatchGenerator([[1.0], [2.0]], [0, 1], 1).next()[1].tolist() == [0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a positive integer, got 1.5"),
        ({"batch_size": "8"}, "batch_size must be a positive integer, got '8'"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"labels": range(9)}, "same length, got 10 images and 9 labels"),
        ({"images": [], "labels": []}, "images must be one or more, got none"),
    ],
)
def test_what_is_wrong_is_explained(data, change, words):
    arguments = {"images": data[0], "labels": data[1], **change}
    with pytest.raises((ValueError, TypeError), match=words):
        BatchGenerator(**arguments)


def test_a_small_numpy_integer_is_a_batch_size_like_any_other(data):
    images, labels = (np.concatenate([part] * 30) for part in data)
    generator = BatchGenerator(images, labels, np.uint8(200))
    assert [len(y) for _, y in generator] == [200, 100]
