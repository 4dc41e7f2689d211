"""What the library's ``fit`` does for someone who tries things out at a notebook.

It takes an optimizer of Keras for a rule, ends well when it is interrupted, says when
a training is stuck, and puts errors into words. The loop is that of chapter 5.
"""

import contextlib
import functools
import re
import signal
import threading
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.improving import KerasRule
from mnist_lib.training import Callback, History

INTERRUPTED = (
    "Interrupted after {:,} steps. The weights are those after the last step, and the "
    "history so far is returned."
)
STUCK = (
    "The loss jumped from {:.2f} to {:.2f} and has not moved since: the steps were too "
    "long, and where it is now there is no slope (chapter 5). Make the model anew, and "
    "try a learning rate ten times smaller."
)
READ_ONLY = (
    "distort must return a changed copy, got one that writes into the images it is "
    "given: begin with images = images.copy()"
)
NOT_FOR_XLA = (
    "the model, the loss and the rule must use operations that XLA can compile, got "
    "others ({}). With jit_compile=False they run as a graph"
)


class Stopped(Exception):
    """A training was interrupted between two of its steps."""


class Interruption(Callback):
    """Stops a training after a whole step when the user interrupts it.

    A second interrupt, or one where several workers have to stay alike, stops it at
    once, as without this callback.
    """

    wanted, handler = False, signal.default_int_handler

    def on_train_begin(self, model, generator, history, update, distort) -> None:
        """Wait for an interrupt, if that is what interrupts do in this thread."""
        self.generator, self.history = generator, history
        strategy = getattr(model.weights[0], "distribute_strategy", None)
        alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        main = threading.current_thread() is threading.main_thread()
        if alone and main and signal.getsignal(signal.SIGINT) is self.handler:
            signal.signal(signal.SIGINT, self.stop)

    def stop(self, *_) -> None:
        """Remember the interrupt, and let the next one have its usual effect."""
        self.wanted = True
        signal.signal(signal.SIGINT, self.handler)

    def on_batch_end(self, batch: int, history) -> None:
        """Stop here, where steps are taken one after the other."""
        within = 0 < self.generator.index < len(self.generator.order)
        if self.wanted and within:
            raise Stopped

    def on_epoch_end(self, epoch: int, history) -> None:
        """Stop between two epochs."""
        if self.wanted:
            raise Stopped

    def end(self) -> History:
        """Say where the training was interrupted, and return its history."""
        print(INTERRUPTED.format(len(self.history.batch_losses)))
        return self.history

    def forget(self) -> None:
        """Let interrupts have their usual effect again."""
        if signal.getsignal(signal.SIGINT) == self.stop:
            signal.signal(signal.SIGINT, self.handler)


class StuckLoss(Callback):
    """Says once that the loss has jumped and stays where it is."""

    said = False

    def on_epoch_end(self, epoch: int, history) -> None:
        """Look at the losses of the second half of all steps."""
        losses = np.array(history.batch_losses)
        third, fourth = np.array_split(losses[len(losses) // 2 :], 2)
        late = np.concatenate([third, fourth])
        jumped = len(losses) >= 50 and late.min() > 1.5 * losses[0]
        stays = abs(third.mean() - fourth.mean()) < 0.05 * late.mean()
        if jumped and stays and late.std() < 0.1 * late.mean() and not self.said:
            print(STUCK.format(losses[0], late.mean()))
            self.said = True


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Put the library's own sentence first, where TensorFlow or NumPy has another."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        operations = re.findall(r"(\w+) \(No registered", str(error))
        if not operations:
            raise
        raise ValueError(NOT_FOR_XLA.format(", ".join(operations))) from error
    except (ValueError, TypeError) as error:
        if "read-only" in str(error):
            raise ValueError(READ_ONLY) from error
        first = error
        while str(first).startswith("in user code") and first.__context__:
            first = first.__context__
        if first is error or not is_own(first):
            raise
        raise first from None


def is_own(error: Exception) -> bool:
    """Tell whether an error was raised by the library itself."""
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    return place.tb_frame.f_globals["__name__"].startswith("mnist_lib.")


def watched(fit: Callable) -> Callable:
    """Return a ``fit`` that also does what this module is for.

    Args:
        fit: Function that takes ``callbacks``, such as ``fit``.
    """

    @functools.wraps(fit)
    def watched_fit(*arguments, callbacks=(), **settings):
        checks.check_callbacks(callbacks)
        optimizer, interruption = settings.get("update"), Interruption()
        if isinstance(optimizer, keras.Optimizer):
            model = arguments[0] if arguments else settings["model"]
            checks.check_model(model)
            settings["update"] = KerasRule(optimizer, model.weights)
            if len(arguments) < 6:  # the sixth is the learning rate
                rate = optimizer.get_config()["learning_rate"]
                settings.setdefault("learning_rate", rate)
        stuck = [StuckLoss()] if settings.get("verbose", 1) else []
        try:
            with explained():
                callbacks = [*callbacks, *stuck, interruption]
                return fit(*arguments, callbacks=callbacks, **settings)
        except Stopped:
            return interruption.end()
        finally:
            interruption.forget()

    return watched_fit
