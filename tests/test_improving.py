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


def plan(weights, peak=0.1, num_steps=10, **settings):
    return one_cycle(peak, num_steps, **settings)


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
        (plan, {"peak": 0.0}, ValueError, "peak must be positive"),
        (plan, {"num_steps": 0}, ValueError, "num_steps must be at least 1"),
        (plan, {"num_steps": 10.5}, TypeError, "num_steps must be a positive integer"),
        (plan, {"warm_up": 1.0}, ValueError, "warm_up must be at least 0 and below 1"),
    ],
)
def test_wrong_settings_are_explained(make, settings, error, words):
    with pytest.raises(error, match=words):
        make([tf.Variable(1.0)], **settings)


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
