import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Adam,
    Momentum,
    NaiveDense,
    NaiveSequential,
    fit,
    glorot_start,
    he_start,
    one_cycle,
)
from mnist_lib.improving import KerasRule


def test_glorot_s_start_is_uniform_within_its_limit():
    start = glorot_start((784, 512)).numpy()
    limit = np.sqrt(6 / (784 + 512))
    assert start.shape == (784, 512) and start.dtype == np.float32
    assert -limit <= start.min() < -0.999 * limit
    assert 0.999 * limit < start.max() <= limit
    assert abs(start.mean()) < limit / 100
    assert start.std() == pytest.approx(limit / np.sqrt(3), rel=0.01)


def test_he_s_start_keeps_the_size_of_signals_behind_relu(random):
    start = he_start((784, 512)).numpy()
    assert start.shape == (784, 512) and start.dtype == np.float32
    assert abs(start.mean()) < 0.001
    assert start.std() == pytest.approx(np.sqrt(2 / 784), rel=0.01)
    inputs = np.maximum(random.standard_normal((200, 784)), 0) * np.sqrt(2)
    outputs = np.maximum(inputs @ start, 0) * np.sqrt(2)
    assert np.mean(outputs**2) == pytest.approx(2 * np.mean(inputs**2), rel=0.1)


@pytest.mark.parametrize("start", [glorot_start, he_start])
def test_a_start_differs_with_every_draw_and_fits_a_layer(start):
    layers = [NaiveDense(6, 5, tf.nn.relu, start) for _ in range(2)]
    assert not np.array_equal(layers[0].W, layers[1].W)


def cut_gradients():
    return keras.optimizers.AdamW(clipnorm=0.1)


RULES = {
    "momentum": (
        lambda weights: Momentum(weights, 0.8),
        lambda: keras.optimizers.SGD(momentum=0.8),
    ),
    "Nesterov": (
        lambda weights: Momentum(weights, nesterov=True),
        lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
    ),
    "Adam": (Adam, keras.optimizers.Adam),
    "Adam, other settings": (
        lambda weights: Adam(weights, 0.7, 0.9, 0.1, 0.02),
        lambda: keras.optimizers.AdamW(
            beta_1=0.7, beta_2=0.9, epsilon=0.1, weight_decay=0.02
        ),
    ),
    "a Keras optimizer": (
        lambda weights: KerasRule(keras.optimizers.RMSprop(), weights),
        keras.optimizers.RMSprop,
    ),
    "one that cuts gradients": (
        lambda weights: KerasRule(cut_gradients(), weights),
        cut_gradients,
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), RULES.values(), ids=RULES)
def test_rules_move_weights_as_keras_does(ours, theirs, random):
    starts = [random.standard_normal(shape).astype("f4") for shape in ((4, 3), (3,))]
    weights = [tf.Variable(start) for start in starts]
    expected = [keras.Variable(start) for start in starts]
    rule, optimizer = ours(weights), theirs()
    for rate in (0.0, 0.05, 0.05, 0.1, 0.1):
        drawn = [random.standard_normal(start.shape) for start in starts]
        gradients = [tf.constant(gradient, "float32") for gradient in drawn]
        rule(gradients, weights, rate)
        optimizer.learning_rate = rate
        optimizer.apply(gradients, expected)
    for start, weight, other in zip(starts, weights, expected, strict=True):
        assert np.abs(weight - start).max() > 0.01
        assert np.abs(weight - other).max() <= 1e-5


@pytest.mark.parametrize("make", [Momentum, Adam])
def test_a_rule_serves_the_weights_it_was_made_for(make, small_data):
    model, twin = (NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)]) for _ in "ab")
    rule = make(twin.weights)
    words = "the rule's weights must be those it was made for, got those of another"
    with pytest.raises(ValueError, match=words):
        fit(model, *small_data, 1, verbose=0, update=rule)
    with pytest.raises(ValueError, match=words):
        rule([tf.zeros((6, 3)), tf.zeros(3)], model.weights, 0.1)
    fit(twin, *small_data, 1, verbose=0, update=rule)
    fit(twin, *small_data, 1, verbose=0, update=rule)  # and goes on


@pytest.mark.parametrize("make", [Momentum, Adam])
@pytest.mark.parametrize("weights", [0.001, [], [np.zeros(3)]])
def test_a_rule_needs_the_list_of_weights(make, weights):
    with pytest.raises(TypeError, match="weights must be a list of variables, such as"):
        make(weights)


@pytest.mark.parametrize(
    ("make", "settings", "error", "words"),
    [
        (Momentum, {"momentum": 1}, ValueError, "momentum must be at least 0 and bel"),
        (Momentum, {"momentum": -0.1}, ValueError, "momentum must be at least 0"),
        (Momentum, {"momentum": "0.9"}, TypeError, "momentum must be a number"),
        (Adam, {"beta_1": 1.0}, ValueError, "beta_1 must be at least 0 and below 1"),
        (Adam, {"beta_2": np.nan}, ValueError, "beta_2 must be at least 0"),
        (Adam, {"epsilon": 0}, ValueError, "epsilon must be positive"),
        (Adam, {"weight_decay": -1}, ValueError, "weight_decay must be at least 0"),
    ],
)
def test_wrong_settings_of_a_rule_are_explained(make, settings, error, words):
    with pytest.raises(error, match=words):
        make([tf.Variable(1.0)], **settings)


def test_an_optimizer_of_keras_goes_on_from_a_checkpoint(small_data, tmp_path):
    def trained(epochs, **settings):
        tf.random.set_seed(7)
        model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
        settings |= {"update": keras.optimizers.Adam(0.1), "verbose": 0}
        return fit(model, *small_data, epochs, 20, **settings).batch_losses

    trained(1, checkpoint_dir=tmp_path)
    assert trained(3, checkpoint_dir=tmp_path) == trained(3)


def test_an_optimizer_of_keras_serves_one_model_and_one_rate(small_data):
    models = [NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)]) for _ in "ab"]
    optimizer = keras.optimizers.Adam()
    for _ in range(2):
        fit(models[0], *small_data, 1, verbose=0, update=optimizer)
    with pytest.raises(
        ValueError, match="only be called for the variables it was orig"
    ):
        fit(models[1], *small_data, 1, verbose=0, update=optimizer)
    plan = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    with pytest.raises(TypeError, match="learning rate is not settable"):
        fit(models[1], *small_data, 1, update=keras.optimizers.Adam(plan))


def test_one_cycle_rises_in_a_line_to_its_peak_and_falls_to_nearly_nothing():
    rate = one_cycle(0.4, 100, warm_up=0.2)
    rates = np.array([rate(step) for step in range(100)])
    assert np.argmax(rates) == 20 and rates[20] == 0.4
    assert np.allclose(np.diff(rates[:21]), 0.4 / 21)
    assert np.all(np.diff(rates[20:]) < 0)
    assert 0 < rates[-1] < 0.001
    assert rates[60] == pytest.approx(0.2)


@pytest.mark.parametrize(("num_steps", "warm_up"), [(1, 0.2), (1, 0), (7, 0.99)])
def test_one_cycle_is_positive_in_every_step(num_steps, warm_up):
    rate = one_cycle(0.1, num_steps, warm_up)
    assert all(0 < rate(step) <= 0.1 for step in range(num_steps))


@pytest.mark.parametrize("step", [-1, 10, 11])
def test_one_cycle_ends_with_its_last_step(step):
    with pytest.raises(ValueError, match=r"step must be one of range\(0, 10\)"):
        one_cycle(0.1, 10)(step)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ((0.0, 10), ValueError, "peak must be positive"),
        ((0.1, 0), ValueError, "num_steps must be at least 1"),
        ((0.1, 10.5), TypeError, "num_steps must be a positive integer"),
        ((0.1, 10, 1.0), ValueError, "warm_up must be at least 0 and below 1"),
    ],
)
def test_a_wrong_plan_is_explained(settings, error, words):
    with pytest.raises(error, match=words):
        one_cycle(*settings)
