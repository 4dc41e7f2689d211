import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.optimizers.schedules import ExponentialDecay

from mnist_lib import Adam, Distortion, NaiveDense, one_cycle, update_weights
from mnist_lib.checks import tracing
from mnist_lib.checks.tracing import describe, first_change, python_state, unchanged

WEIGHTS = [tf.Variable(tf.zeros((2, 3)))]
COUNTS = []


class Counter:
    def __init__(self):
        self.steps = 0

    def __call__(self, gradients, weights, learning_rate):
        self.steps += 1
        update_weights(gradients, weights, learning_rate / self.steps)


class LateVelocity:
    velocity = None

    def __call__(self, gradients, weights, learning_rate):
        if self.velocity is None:
            self.velocity = tf.Variable(tf.zeros_like(weights[0]))
        self.velocity.assign(0.9 * self.velocity - learning_rate * gradients[0])
        weights[0].assign_add(self.velocity)


def make_closure():
    velocities = [0.0]

    def rule(gradients, weights, learning_rate):
        velocities[0] = 0.9 * velocities[0] - learning_rate * gradients[0]
        weights[0].assign_add(velocities[0])

    return rule


def count_in_a_global(gradients, weights, learning_rate):
    COUNTS.append(1)
    update_weights(gradients, weights, learning_rate / len(COUNTS))


def count_in_an_attribute(gradients, weights, learning_rate):
    count_in_an_attribute.steps += 1
    update_weights(gradients, weights, learning_rate)


count_in_an_attribute.steps = 0


def draw_from_numpy(gradients, weights, learning_rate):
    update_weights([g + np.random.normal() for g in gradients], weights, learning_rate)


FORGETFUL = {
    "a counter": (Counter(), "update.steps"),
    "variables made in the first step": (LateVelocity(), "update.velocity"),
    "a list in a closure": (make_closure(), "update.velocities.0"),
    "a global list": (count_in_a_global, "update.COUNTS"),
    "an attribute of a function": (count_in_an_attribute, "update.steps"),
    "NumPy's own random numbers": (draw_from_numpy, "update.np"),
    "a method": (Counter().__call__, "update.object.steps"),
}


@pytest.mark.parametrize(("rule", "name"), FORGETFUL.values(), ids=FORGETFUL)
def test_what_a_rule_remembers_in_python_is_named(rule, name):
    with pytest.raises(ValueError, match=rf"{name}.* must be a tf\.Variable"):
        with unchanged(update=rule):
            rule([tf.zeros((2, 3))], WEIGHTS, 0.1)


@pytest.mark.parametrize("rule", [update_weights, Adam(WEIGHTS)])
def test_what_a_rule_remembers_in_variables_is_fine(rule):
    with unchanged(update=rule):
        rule([tf.zeros((2, 3))], WEIGHTS, 0.1)


def test_a_state_changes_with_what_the_code_reads():
    layer = NaiveDense(2, 3, tf.nn.relu)
    before = python_state(layer=layer)
    layer.W.assign_add(tf.ones((2, 3)))  # read anew in every step
    assert first_change(before, python_state(layer=layer)) is None
    layer.activation = tf.nn.tanh
    assert first_change(before, python_state(layer=layer)) == "layer.activation"


def test_two_parts_that_read_the_same_have_one_state():
    before, again = (python_state(rules=[Counter()]) for _ in range(2))
    assert first_change(before, again) is None
    longer = python_state(rules=[Counter(), Counter()])
    assert first_change(before, longer) == "rules"


def loss_with(share):
    return lambda labels, predictions: share * np.e


def fixed_at(peak):
    """A schedule like those in notebooks, which read a number from outside."""
    return eval("lambda step: PEAK", {"PEAK": peak})


class Own:
    """A reader's layer, with a circle in it."""

    def __init__(self, activation):
        self.activation, self.self = activation, self


def test_a_part_is_described_by_what_it_does():
    pairs = [
        (tf.nn.relu, tf.nn.tanh),
        (tf.nn.leaky_relu, functools.partial(tf.nn.leaky_relu, alpha=0.1)),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: tf.nn.relu(x), lambda x: tf.nn.tanh(x)),
        (loss_with(0.1), loss_with(0.2)),
        (fixed_at(0.1), fixed_at(0.2)),
        (one_cycle(0.1, 10), one_cycle(0.1, 20)),
        (Distortion(), Distortion(shift=2)),
        (Distortion(seed=1), Distortion(seed=2)),
        (keras.layers.Dense(5, "relu"), keras.layers.Dense(5, "tanh")),
        (np.ones(3), np.zeros(3)),
        (ExponentialDecay(0.1, 3, 0.5), ExponentialDecay(0.1, 3, 0.6)),
        (Own(tf.nn.relu), Own(tf.nn.tanh)),
    ]
    for one, other in pairs:
        assert describe(part=one) != describe(part=other)
    for make in (
        lambda: loss_with(0.1),
        Distortion,
        lambda: keras.layers.Dense(5),
        Counter,
    ):
        assert describe(part=make()) == describe(part=make())


def test_a_library_is_not_looked_into_wherever_it_is_installed(monkeypatch):
    """pip's option --target installs into any folder."""
    monkeypatch.setattr(tf, "__file__", "/opt/libraries/tensorflow/__init__.py")
    monkeypatch.setattr(tracing, "LIBRARIES", "/opt/libraries")
    (name, _), *inner = python_state(weight=WEIGHTS[0])
    assert (name, inner) == ("weight", [])
