import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Callback,
    Momentum,
    NaiveDense,
    NaiveSequential,
    accuracy,
    average_loss,
    confusion_matrix,
    update_weights,
)
from mnist_lib.checks import models

LAYER, OTHER = NaiveDense(2, 3, tf.nn.relu), NaiveDense(2, 3, tf.nn.relu)
SURE = NaiveDense(2, 3, tf.nn.softmax)
DATA = np.zeros((4, 2), "float32"), [0, 1, 2, 0]
PLAN = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
READER = NaiveSequential([NaiveDense(784, 10, tf.nn.softmax)])
# Only its type counts here; to make one takes other processes.
WORKERS = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
GOOD = {
    "check_layers_fit": ([LAYER, NaiveDense(3, 1, tf.nn.relu)],),
    "check_model": (LAYER,),
    "check_gradients": ([tf.zeros((2, 3))], [tf.zeros((2, 3))]),
    "check_positions": ([(0, 1), (1, 2)], (2, 3)),
    "check_training": (SURE, DATA, DATA, accuracy, average_loss, True),
    "check_examples": (SURE, DATA, average_loss, True),
    "check_metric": ("accuracy", accuracy, [0], np.eye(3)[:1]),
    "check_finite_loss": (1.5, 0, 0),
    "check_settings": (LAYER, 1, 0.1, 0, print, None),
    "check_rule": (print, LAYER.weights),
    "check_rule_weights": (LAYER.weights,),
    "check_schedule": (lambda step: 10 - step, 11),
    "check_callbacks": ([Callback()],),
    "check_trainable": ([LAYER, keras.layers.Dense(1)],),
    "check_optimizer": (keras.optimizers.Adam(), LAYER.weights),
    "check_distorted": (np.zeros((4, 2), "float32"), np.ones((4, 2), "float32")),
    "check_dense_layers": (NaiveSequential([LAYER]),),
    "check_epoch_start": (0,),
    "check_shares": (2, 2),
    "check_for_page": (READER, ["softmax"]),
    "check_order": (WORKERS, {"shuffle": True, "seed": 1}),
}
BAD = {
    "check_layers_fit": ([LAYER, LAYER],),
    "check_model": (abs,),
    "check_gradients": ([None], [tf.zeros((2, 3))]),
    "check_positions": ([(0, 3)], (2, 3)),
    "check_training": (SURE, DATA, None, accuracy, average_loss, True),
    "check_examples": (SURE, (DATA[0], [0, 1, 3, 0]), average_loss, True),
    "check_metric": ("accuracy", confusion_matrix, [0], np.eye(3)[:1]),
    "check_finite_loss": (float("inf"), 2, 7),
    "check_settings": (LAYER, 1, 0.1, 0, print, 3),
    "check_rule": (Momentum(LAYER.weights), OTHER.weights),
    "check_rule_weights": (LAYER,),
    "check_schedule": (lambda step: 10 - step, 12),
    "check_callbacks": ([print],),
    "check_trainable": ([LAYER, keras.layers.Dropout(0.5)],),
    "check_optimizer": (keras.optimizers.Adam(PLAN), LAYER.weights),
    "check_distorted": (np.zeros((4, 2)), np.ones((4, 2), "float32")),
    "check_dense_layers": (LAYER,),
    "check_epoch_start": (128,),
    "check_shares": (1, 2),
    "check_for_page": (READER, ["relu"]),
    "check_order": (WORKERS, {"shuffle": True}),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_input_passes_in_silence(name):
    assert getattr(models, name)(*GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_what_must_be_and_what_came(name):
    with pytest.raises((ValueError, TypeError, FloatingPointError)) as caught:
        getattr(models, name)(*BAD[name])
    assert re.fullmatch(r"(?s).+ must be .+, got .+", str(caught.value))


def test_every_check_is_tried_with_good_and_bad_input():
    here = {
        n
        for n, f in vars(models).items()
        if n.startswith("check_") and f.__module__ == models.__name__
    }
    assert here == set(GOOD) == set(BAD)


@pytest.mark.parametrize("layers", [["relu"], [NaiveDense], [tf.nn.relu]])
def test_what_is_no_layer_is_named(layers):
    with pytest.raises(ValueError, match="layers must be callable, each with a list"):
        NaiveSequential(layers)


def test_layers_may_come_from_a_generator():
    model = NaiveSequential(layer for layer in [LAYER])
    assert model.layers == [LAYER]


def test_the_class_instead_of_a_model_is_explained():
    with pytest.raises(ValueError, match="model must be a network with weights"):
        models.check_model(NaiveSequential)


def test_no_weight_is_changed_when_the_gradients_do_not_fit():
    weights = [tf.Variable(1.0), tf.Variable(2.0)]
    with pytest.raises(ValueError, match="got 1 gradients and 2 weights"):
        update_weights([tf.constant(1.0)], weights)
    assert [float(weight) for weight in weights] == [1.0, 2.0]
