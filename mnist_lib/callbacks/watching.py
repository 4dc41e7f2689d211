"""What the library's ``fit`` does for someone who tries things out at a notebook.

It takes a Keras optimizer for a rule, returns the history when it is interrupted,
says when a run is stuck, and raises the library's errors in place of TensorFlow's
traces. The loop is that of chapter 5.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.improving import KerasRule
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
        third, fourth = np.array_split(losses[len(losses) // 2 :], 2)
        late = np.concatenate([third, fourth])
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


def watched(fit: Callable) -> Callable:
    """Return a ``fit`` that does all that is listed at the top of this module.

    Args:
        fit: Function that takes ``callbacks``, such as ``fit``.
    """

    @functools.wraps(fit)
    def watched_fit(*arguments, callbacks=(), **settings):
        optimizer, watcher = settings.get("update"), Watcher()
        if isinstance(optimizer, keras.Optimizer):
            model = arguments[0] if arguments else settings["model"]
            checks.check_model(model)
            settings["update"] = KerasRule(optimizer, model.weights)
            if len(arguments) < 6:  # the sixth is the learning rate
                rate = keras.ops.convert_to_numpy(optimizer.learning_rate)
                settings.setdefault("learning_rate", float(rate))
        watcher.said = not settings.get("verbose", 1)
        checks.check_iterable("callbacks", callbacks)
        try:
            with own_words_first():
                return fit(*arguments, callbacks=[*callbacks, watcher], **settings)
        except KeyboardInterrupt:
            if watcher.history is None:
                raise
            print(INTERRUPTED.format(len(watcher.history.batch_losses)))
            return watcher.history

    return watched_fit
