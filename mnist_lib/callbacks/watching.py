"""What the library's ``fit`` does for someone who tries things out at a notebook.

It takes a Keras optimizer for a rule, returns the history when it is interrupted,
says when a run is stuck, and raises the library's errors in place of TensorFlow's
traces. The loop is that of chapter 5.
"""

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.checks import arguments as checks
from mnist_lib.training import Callback

INTERRUPTED = (
    "Interrupted: the history of {:,} steps is returned. The step or compiled epoch "
    "under way may have changed weights, too."
)
STUCK = (
    "The loss jumped from {:.2f} to {:.2f} and has not moved since: the steps were too "
    "long, and where it is now there is no slope (chapter 5). Create a new model, and "
    "try a learning rate ten times smaller."
)
NOT_FOR_XLA = (
    "the model, the loss and the rule must use operations that XLA can compile, got "
    "others ({}). With jit_compile=False they run as a graph"
)


class KerasRule:
    """Update rule that hands the gradients to a Keras optimizer.

    Args:
        optimizer: The optimizer, not used for other weights before. Its learning rate
            is set in each step.
        weights: The model's weights; the rule can update no others.
    """

    def __init__(self, optimizer: keras.Optimizer, weights):
        usual = tf.distribute.get_strategy()
        strategy = getattr(weights[0], "distribute_strategy", usual)
        if not optimizer.built:
            with strategy.scope():
                optimizer.build(weights)
        self.optimizer, self.weights = optimizer, weights
        # Checkpoints save the slots, and tell runs apart by the name.
        self.slots = [variable.value for variable in optimizer.variables]
        settings = optimizer.get_config() | {"name": None, "learning_rate": None}
        self.__name__ = f"{type(optimizer).__name__} {settings}"

    def __call__(self, gradients, weights, learning_rate) -> None:
        """Update the weights in place; arguments as for ``update_weights``."""
        self.optimizer.learning_rate = learning_rate
        if tf.distribute.in_cross_replica_context():
            tf.distribute.get_strategy().run(self.apply_share, (gradients,))
        else:
            self.optimizer.apply(gradients, self.weights)

    def apply_share(self, gradients) -> None:
        """Hand in the gradients on one replica, zeros on others: Keras adds them up."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        parts = [tf.where(number == 0, part, tf.zeros_like(part)) for part in gradients]
        self.optimizer.apply(parts, self.weights)


class Watcher(Callback):
    """Keeps the history at hand, and says once that the loss jumped and stays there."""

    history, said = None, False

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Keep the history, but where several workers have to stay alike."""
        strategy = getattr(model.weights[0], "distribute_strategy", None)
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self.history = history

    def on_epoch_end(self, epoch: int, history) -> None:
        """Look at the losses of the second half of all steps."""
        losses = np.array(history.batch_losses)
        if self.said or len(losses) < 50:
            return
        late = losses[len(losses) // 2 :]
        third, fourth = np.array_split(late, 2)
        jumped = late.min() > 1.5 * losses[0]
        stays = abs(third.mean() - fourth.mean()) < 0.05 * late.mean()
        if jumped and stays and late.std() < 0.1 * late.mean():
            print(STUCK.format(losses[0], late.mean()))
            self.said = True


@contextlib.contextmanager
def own_words_first() -> Iterator[None]:
    """Raise the library's own error, where TensorFlow has put it below a trace."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        operations = re.findall(r"(\w+) \(No registered", str(error))
        if not operations:
            raise
        raise ValueError(NOT_FOR_XLA.format(", ".join(operations))) from error
    except (ValueError, TypeError) as error:
        first = error
        while str(first).startswith("in user code") and first.__context__:
            first = first.__context__
        if first is error or not re.match("(?s).+ must be .+, got ", str(first)):
            raise
        raise first from None


def replace_optimizer(settings: dict) -> None:
    """Put a rule with its learning rate in the place of a Keras optimizer."""
    optimizer = settings.get("update")
    if isinstance(optimizer, keras.Optimizer):
        settings["update"] = KerasRule(optimizer, settings["model"].weights)
        rate = keras.ops.convert_to_numpy(optimizer.learning_rate)
        settings.setdefault("learning_rate", float(rate))


def watched(fit: Callable) -> Callable:
    """Return a ``fit`` that does all that is listed at the top of this module.

    Args:
        fit: What ``resumable`` returns.
    """
    folder = inspect.signature(fit, follow_wrapped=False).parameters["checkpoint_dir"]
    parameters = inspect.signature(fit).parameters.values()
    signature = inspect.Signature([*parameters, folder])

    @functools.wraps(fit)
    def watched_fit(*arguments, **settings):
        settings = signature.bind(*arguments, **settings).arguments
        replace_optimizer(settings)
        callbacks, watcher = settings.get("callbacks", ()), Watcher()
        checks.check_iterable("callbacks", callbacks)
        watcher.said = not settings.get("verbose", 1)
        settings["callbacks"] = [*callbacks, watcher]
        try:
            with own_words_first():
                return fit(**settings)
        except KeyboardInterrupt:
            if watcher.history is None:
                raise
            print(INTERRUPTED.format(len(watcher.history.batch_losses)))
            return watcher.history

    watched_fit.__signature__ = signature  # what help() shows
    return watched_fit
