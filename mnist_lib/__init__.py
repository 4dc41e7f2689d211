"""A neural network for handwritten digits, written from scratch in TensorFlow.

The modules follow the way of the data: pixels become tensors, tensors batches,
batches predictions, predictions a loss, the loss gradients, gradients trained
weights. Each module has a chapter of the same name in the course.

The folders beside them are rooms for what supports the chapters; the first lines of
each say what it holds. ``fit`` and ``fit_compiled`` of chapters 5 and 7 come from
``scaling``, where they learn to resume a run, and to say what went wrong.
"""

from mnist_lib.batching import BatchGenerator
from mnist_lib.callbacks.checkpoints import TrainingCheckpoint
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
from mnist_lib.notebook.moving import pass_to_figure
from mnist_lib.notebook.plots import (
    plot_confidence,
    plot_confusion,
    plot_forward,
    plot_losses,
    plot_misclassified,
    plot_weights,
    show_digits,
)
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
