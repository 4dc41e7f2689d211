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
from mnist_lib.checks import models

LAYER, OTHER = NaiveDense(2, 3, tf.nn.relu), NaiveDense(2, 3, tf.nn.relu)
SURE = NaiveDense(2, 3, tf.nn.softmax)
DATA = np.zeros((4, 2), "float32"), [0, 1, 2, 0]
READER = NaiveSequential([NaiveDense(784, 10, tf.nn.softmax)])
# Only its type counts here; to make one takes other processes.
WORKERS = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
BAD = {
    "check_layers_fit": ([LAYER, LAYER],),
    "check_model": (abs,),
    "check_gradients": ([None], [tf.zeros((2, 3))]),
    "check_positions": ([(0, 3)], (2, 3)),
    "check_training": (SURE, DATA, None, accuracy, average_loss, True),
    "check_examples": (SURE, (DATA[0], [0, 1, 3, 0]), average_loss, True),
    "check_metric": ("accuracy", confusion_matrix, [0], np.eye(3)[:1]),
    "check_finite_loss": (float("inf"), 2, 7),
    "check_one_number": ("what loss returns", np.ones(3)),
    "check_settings": (1, 0, print, None, print, [print]),
    "check_rule": (Momentum(LAYER.weights), OTHER.weights),
    "check_rule_weights": (LAYER,),
    "check_schedule": (lambda step: 10 - step, 12),
    "check_trainable": ([LAYER, keras.layers.Dropout(0.5)],),
    "check_distorted": (np.zeros((4, 2)), np.ones((4, 2), "float32")),
    "check_dense_layers": (LAYER,),
    "check_epoch_start": (128,),
    "check_shares": (1, 2),
    "check_for_page": (READER, ["relu"]),
    "check_order": (WORKERS, {"shuffle": True}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_what_must_be_and_what_came(name):
    with pytest.raises((ValueError, TypeError, FloatingPointError)) as caught:
        getattr(models, name)(*BAD[name])
    assert re.fullmatch(r"(?s).+ must be .+, got .+", str(caught.value))


def test_every_check_is_tried_with_bad_input():
    parts = vars(models).values()
    own = {f.__name__ for f in parts if getattr(f, "__module__", "") == models.__name__}
    assert own == set(BAD)


@pytest.mark.parametrize("layers", [["relu"], [NaiveDense], [tf.nn.relu]])
def test_what_is_no_layer_is_named(layers):
    with pytest.raises(ValueError, match="layers must be callable, each with a list"):
        NaiveSequential(layers)
