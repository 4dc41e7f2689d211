"""Errors at the borders: what an argument must be, and what came instead.

Every message of the library has one form, and comes before TensorFlow's own. ``arrays``
checks numbers and arrays, ``models`` checks models and what they are trained on.
``tracing`` finds what compiled code would miss, and what tells two runs apart.
"""

from mnist_lib.checks.arrays import (
    check_callable,
    check_choice,
    check_classes,
    check_finite,
    check_inputs,
    check_iterable,
    check_number,
    check_pictures,
    check_positive_integer,
    check_positive_number,
    check_predictions,
    check_probabilities,
    check_same_length,
    check_seed,
    check_square_vectors,
    check_start,
    check_vectors,
    require,
)
from mnist_lib.checks.models import (
    check_dense_layers,
    check_distorted,
    check_epoch_start,
    check_finite_loss,
    check_for_page,
    check_gradients,
    check_layers_fit,
    check_model,
    check_order,
    check_positions,
    check_rule,
    check_rule_weights,
    check_schedule,
    check_settings,
    check_shares,
    check_trainable,
    check_training,
)
from mnist_lib.checks.tracing import check_rule_state
