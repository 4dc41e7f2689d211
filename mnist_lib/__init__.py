"""A neural network for handwritten digits, written from scratch in TensorFlow.

The modules follow the way of the data: pixels become tensors, tensors batches,
batches predictions, predictions a loss, the loss gradients, gradients trained
weights. Each module has a chapter of the same name in the course.
"""

from mnist_lib.batching import BatchGenerator
from mnist_lib.dense_layers import (
    NaiveDense,
    NaiveSequential,
    uniform_start,
    variables_of,
)
from mnist_lib.digits.distortion import Distortion
from mnist_lib.digits.stand_in import make_stand_in
from mnist_lib.drawing import export_weights, import_weights, quantize
from mnist_lib.evaluation import (
    Mistakes,
    accuracy,
    accuracy_interval,
    confusion_matrix,
    misclassified,
    predict,
)
from mnist_lib.gradient_tape import (
    average_loss,
    in_float64,
    loss_and_gradients,
    numerical_gradient,
)
from mnist_lib.improving import Adam, Momentum, glorot_start, he_start, one_cycle
from mnist_lib.notebook.answers import check_answer, show_error
from mnist_lib.notebook.figures import plot_bars, plot_curves, plot_timeline
from mnist_lib.notebook.plots import (
    plot_confidence,
    plot_confusion,
    plot_forward,
    plot_losses,
    plot_misclassified,
    plot_weights,
    show_digits,
)
from mnist_lib.saving.checkpoints import TrainingCheckpoint
from mnist_lib.saving.weights import load_weights, save_weights, to_keras
from mnist_lib.scaling import (
    distributed_step,
    fit,
    fit_compiled,
    fit_distributed,
    resumable,
)
from mnist_lib.tensors import (
    StandInWarning,
    describe_digits,
    load_mnist,
    mean_images,
    nearest_mean,
    to_vectors,
)
from mnist_lib.training import (
    Callback,
    History,
    one_training_step,
    rate_at,
    training_mode,
    update_weights,
)
from mnist_lib.workers.cluster import join_cluster
from mnist_lib.workers.launching import start_workers
from mnist_lib.workers.simulation import Costs, all_reduce_seconds, simulate_steps

__all__ = [
    "Adam",
    "BatchGenerator",
    "Callback",
    "Costs",
    "Distortion",
    "History",
    "Mistakes",
    "Momentum",
    "NaiveDense",
    "NaiveSequential",
    "StandInWarning",
    "TrainingCheckpoint",
    "accuracy",
    "accuracy_interval",
    "all_reduce_seconds",
    "average_loss",
    "check_answer",
    "confusion_matrix",
    "describe_digits",
    "distributed_step",
    "export_weights",
    "fit",
    "fit_compiled",
    "fit_distributed",
    "glorot_start",
    "he_start",
    "import_weights",
    "in_float64",
    "join_cluster",
    "load_mnist",
    "load_weights",
    "loss_and_gradients",
    "make_stand_in",
    "mean_images",
    "misclassified",
    "nearest_mean",
    "numerical_gradient",
    "one_cycle",
    "one_training_step",
    "plot_bars",
    "plot_confidence",
    "plot_confusion",
    "plot_curves",
    "plot_forward",
    "plot_losses",
    "plot_misclassified",
    "plot_timeline",
    "plot_weights",
    "predict",
    "quantize",
    "rate_at",
    "resumable",
    "save_weights",
    "show_digits",
    "show_error",
    "simulate_steps",
    "start_workers",
    "to_keras",
    "to_vectors",
    "training_mode",
    "uniform_start",
    "update_weights",
    "variables_of",
]
