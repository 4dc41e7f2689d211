import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Momentum,
    NaiveDense,
    NaiveSequential,
    accuracy,
    average_loss,
    confusion_matrix,
)
from mnist_lib.checks import arguments

LAYER, OTHER = NaiveDense(2, 3, tf.nn.relu), NaiveDense(2, 3, tf.nn.relu)
SURE = NaiveDense(2, 3, tf.nn.softmax)
DATA = np.zeros((4, 2), "float32"), [0, 1, 2, 0]
READER = NaiveSequential([NaiveDense(784, 10, tf.nn.softmax)])
COUNTS = []
BAD = {
    "check_number": ("momentum", 1, 1),
    "check_positive_number": ("rate", float("nan")),
    "check_positive_integer": ("n", 0),
    "check_seed": (-1,),
    "check_callable": ("activation", "relu"),
    "check_iterable": ("layers", 3),
    "check_choice": ("verbose", 2, (0, 1, "bar")),
    "check_same_length": (np.zeros((2, 3)), [0]),
    "check_finite": ("images", np.array([1, np.inf])),
    "check_pictures": (np.ones((2, 28, 28)), 255),
    "check_vectors": ("means", np.zeros((2, 3)), 4),
    "check_square_vectors": (np.zeros((2, 8), "float32"),),
    "check_inputs": (np.zeros((2, 4), "float32"), tf.zeros((3, 4))),
    "check_labels": ([0, 10],),
    "check_classes": (np.zeros((3, 4)), np.arange(1, 4)),
    "check_predictions": ([0, 1], np.full((3, 2), 0.5)),
    "check_probabilities": ([0, 1], np.full((2, 2), 0.6)),
    "check_distorted": (np.zeros((4, 2)), np.ones((4, 2), "float32")),
    "check_start": (tf.zeros((3, 2)), (2, 3)),
    "check_layers_fit": ([LAYER, LAYER],),
    "check_model": (abs,),
    "check_dense_layers": (LAYER,),
    "check_for_page": (READER, ["relu"]),
    "check_gradients": ([None], [tf.zeros((2, 3))]),
    "check_positions": ([(0, 3)], (2, 3)),
    "check_training": (SURE, DATA, None, accuracy, average_loss, True),
    "check_examples": (SURE, (DATA[0], [0, 1, 3, 0]), average_loss, True),
    "check_one_number": ("what loss returns", np.ones(3)),
    "check_metric": ("accuracy", confusion_matrix, [0], np.eye(3)[:1]),
    "check_settings": (1, 0, print, None, [print]),
    "check_trainable": ([LAYER, keras.layers.Dropout(0.5)],),
    "check_schedule": (lambda step: 10 - step, 12),
    "check_finite_loss": (float("inf"), 2, 7),
    "check_epoch_start": (128,),
    "check_rule_weights": (LAYER,),
    "check_rule": (Momentum(LAYER.weights), OTHER.weights),
    "check_rule_state": (lambda *given: COUNTS.append(1), LAYER.weights),
    "check_workers": (tf.distribute.get_strategy(), 0, {}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_what_must_be_and_what_came(name):
    with pytest.raises((ValueError, TypeError, FloatingPointError)) as caught:
        getattr(arguments, name)(*BAD[name])
    assert re.fullmatch(r"(?s).+ must be .+, got .+", str(caught.value))


def test_every_check_is_tried_with_bad_input():
    assert {name for name in vars(arguments) if name.startswith("check_")} == set(BAD)


NO_RATES = [-1, np.float32("inf"), "1", True, None, [1.0], np.ones(2)]


@pytest.mark.parametrize("value", NO_RATES, ids=str)
def test_only_positive_finite_numbers_are_rates(value):
    with pytest.raises((ValueError, TypeError), match="rate must be"):
        arguments.check_positive_number("rate", value)


@pytest.mark.parametrize("value", [1, np.float32(0.1), np.int64(2), tf.constant(0.1)])
def test_numbers_of_numpy_and_tensorflow_are_numbers(value):
    arguments.check_positive_number("rate", value)


def test_inside_a_tf_function_shapes_are_checked_and_values_are_not():
    @tf.function
    def check(labels, predictions, inputs, rate):
        arguments.check_probabilities(labels, predictions)
        arguments.check_inputs(inputs, tf.zeros((3, 4)))
        arguments.check_positive_number("rate", rate)
        return tf.shape(labels)

    labels, predictions = tf.constant([0, 99]), tf.zeros((2, 2))
    inputs, rate = tf.fill((2, 3), np.nan), tf.constant(-1.0)
    check(labels, predictions, inputs, rate)
    with pytest.raises(ValueError, match="images must be vectors"):
        check(labels, predictions, inputs[:, :2], rate)
    with pytest.raises(TypeError, match="labels must be integers"):
        check(tf.constant([0.0, 1.0]), predictions, inputs, rate)


@pytest.mark.parametrize("seed", [1.5, "1", True, [1]])
def test_only_whole_numbers_are_seeds(seed):
    with pytest.raises(ValueError, match="seed must be a non-negative integer"):
        arguments.check_seed(seed)


@pytest.mark.parametrize("nothing", [None, 3, "mnist.npz"])
def test_what_has_no_length_is_no_data(nothing):
    with pytest.raises(ValueError, match="got 0 images and 1 labels"):
        arguments.check_same_length(nothing, [0])


def test_sums_that_softmax_has_not_seen_are_no_probabilities():
    with pytest.raises(ValueError, match="is softmax the last activation"):
        arguments.check_probabilities([0], np.array([[2.0, -1.0]]))
    arguments.check_probabilities([0], np.array([[np.nan, np.nan]]))  # fit explains it


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("classes", [2, 1000])
def test_rows_of_softmax_sum_to_1_in_any_precision(random, dtype, classes):
    sums = tf.cast(3 * random.standard_normal((99, classes)), dtype)
    arguments.check_probabilities(np.arange(99) % classes, tf.nn.softmax(sums))


@pytest.mark.parametrize("layers", [["relu"], [NaiveDense], [tf.nn.relu]])
def test_what_is_no_layer_is_named(layers):
    with pytest.raises(ValueError, match="layers must be callable, each with a list"):
        NaiveSequential(layers)
