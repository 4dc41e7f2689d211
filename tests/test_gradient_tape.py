import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    NaiveDense,
    NaiveSequential,
    average_loss,
    in_float64,
    loss_and_gradients,
    numerical_gradient,
    to_keras,
)


def largest_relative_error(a, b):
    return np.max(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-5))


def test_loss_worked_out_by_hand():
    predictions = np.array([[0.5, 0.5], [0.75, 0.25]], "float32")
    loss = average_loss(np.array([0, 1]), predictions)
    assert loss.shape == () and loss.dtype == tf.float32
    assert float(loss) == pytest.approx((np.log(2) + np.log(4)) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        ([[0.1] * 10], np.log(10)),  # guessing among ten
        ([[0.0, 1.0]], -np.log(1e-7)),  # sure and wrong: no infinity
        ([[1.0, 0.0]], 0),
    ],
)
def test_loss_of_special_predictions(predictions, expected):
    assert float(average_loss([0], predictions)) == pytest.approx(expected, abs=1e-5)


def test_gradient_is_finite_at_probability_0():
    weight = tf.Variable([[0.0, 200.0]])
    with tf.GradientTape() as tape:
        loss = average_loss([0], tf.nn.softmax(weight))
    assert np.isfinite(tape.gradient(loss, weight)).all()


class Block:
    """A residual block with a frozen layer and a scalar weight, at any depth."""

    def __init__(self):
        self.parts = {"frozen": [NaiveDense(6, 6, tf.nn.tanh)]}
        self.parts["scale"] = tf.Variable(0.5)
        self.weights = [self.parts["scale"]]

    def __call__(self, inputs):
        return inputs + self.parts["scale"] * self.parts["frozen"][0](inputs)


def squares(targets, predictions):
    return tf.reduce_mean((targets - predictions) ** 2)


@pytest.mark.parametrize("loss", [average_loss, squares])
@pytest.mark.parametrize("weight", range(5))
def test_tape_and_finite_differences_agree(small_model, small_data, weight, loss):
    images, labels = small_data
    model = NaiveSequential([Block(), small_model])
    targets = labels if loss is average_loss else np.eye(3)[labels]
    _, gradients = loss_and_gradients(
        in_float64(model), images.astype("float64"), targets, loss
    )
    numerical = numerical_gradient(model, images, targets, weight, loss=loss)
    assert numerical.shape == model.weights[weight].shape
    assert numerical.dtype == np.float64
    assert largest_relative_error(gradients[weight].numpy(), numerical) <= 1e-4


def test_gradient_of_softmax_and_loss_is_prediction_minus_label(random):
    images = random.random((8, 6), dtype="float32")
    labels = random.integers(0, 3, 8)
    model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
    _, (_, by_tape) = loss_and_gradients(model, images, labels)
    by_hand = np.mean(model(images) - np.eye(3)[labels], axis=0)
    assert by_tape.numpy() == pytest.approx(by_hand, abs=1e-6)


def test_positions_choose_entries(small_model, small_data):
    everything = numerical_gradient(small_model, *small_data, weight=2)
    chosen = numerical_gradient(
        small_model, *small_data, weight=2, positions=[(0, 1), (4, 2)]
    )
    assert chosen == pytest.approx([everything[0, 1], everything[4, 2]])
    as_rows = np.array([[0, 1], [4, 2]])
    again = numerical_gradient(small_model, *small_data, weight=2, positions=as_rows)
    assert np.array_equal(chosen, again)


def test_the_step_matters_and_the_model_stays_as_it_is(small_model, small_data):
    before = [weight.numpy() for weight in small_model.weights]
    fine = numerical_gradient(small_model, *small_data, weight=3, step=1e-5)
    coarse = numerical_gradient(small_model, *small_data, weight=3, step=1.0)
    assert np.abs(fine - coarse).max() > 1e-3
    for old, weight in zip(before, small_model.weights, strict=True):
        assert np.array_equal(old, weight)


def test_float64_copy_computes_the_same_and_shares_nothing(small_model, small_data):
    images, _ = small_data
    twin = in_float64(small_model)
    assert all(weight.dtype == tf.float64 for weight in twin.weights)
    ours = small_model(images).numpy()
    assert twin(images.astype("float64")).numpy() == pytest.approx(ours, abs=1e-6)
    twin.weights[0].assign_add(tf.ones_like(twin.weights[0]))
    assert np.array_equal(ours, small_model(images))


def test_gradients_agree_with_keras(random):
    start = keras.initializers.GlorotUniform(seed=1)  # no probability near 0
    layers = [NaiveDense(784, 512, tf.nn.relu, start)]
    model = NaiveSequential([*layers, NaiveDense(512, 10, tf.nn.softmax, start)])
    images = random.random((128, 784), dtype="float32")
    labels = random.integers(0, 10, 128)
    theirs = to_keras(model)
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(labels, theirs(images))
        their_loss = tf.reduce_mean(losses)
    their_gradients = tape.gradient(their_loss, theirs.trainable_weights)
    loss, gradients = loss_and_gradients(model, images, labels)
    assert float(loss) == pytest.approx(float(their_loss), abs=1e-5)
    for ours, expected in zip(gradients, their_gradients, strict=True):
        assert np.abs(ours - expected).max() <= 1e-5


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 3], "labels must be in 0 to 2, got"),
        ([-1, 0], "labels must be in 0 to 2, got"),
        ([0.0, 1.0], "labels must be integers, got float64"),
        ([[0], [1]], r"labels must be of shape \(n,\)"),
        ([0], "of the same length"),
    ],
)
def test_wrong_labels_are_explained(small_model, small_data, labels, words):
    with pytest.raises((ValueError, TypeError), match=words):
        loss_and_gradients(small_model, small_data[0][:2], np.array(labels))


@pytest.mark.parametrize(
    ("labels", "predictions", "words"),
    [
        ([0, 1], [0.5, 0.5], "predictions must be probabilities of shape"),
        ([], np.zeros((0, 3), "float32"), "must be"),
        ([0], [[0.9, 0.8]], "sum to 1.*is softmax the last activation.*1.7"),
    ],
)
def test_wrong_predictions_are_explained(labels, predictions, words):
    with pytest.raises(ValueError, match=words):
        average_loss(np.array(labels, int), predictions)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weight": 4}, "weight must be one of"),
        ({"step": 0.0}, "step must be positive and finite, got 0.0"),
        ({"positions": [(9, 9)]}, r"positions must be in shape \(6, 5\)"),
        ({"positions": [(1,)]}, r"positions must be in shape \(6, 5\)"),
    ],
)
def test_wrong_arguments_are_explained(small_model, small_data, arguments, words):
    with pytest.raises(ValueError, match=words):
        numerical_gradient(small_model, *small_data, **arguments)
