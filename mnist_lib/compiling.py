"""Chapter 7. From many small calls to one program: the same training, sooner.

To ask TensorFlow for one operation takes longer than most of the operations do.
``tf.function`` records those of an epoch as a graph; XLA makes machine code of it.

Source: TensorFlow's guides *Better performance with tf.function* and *XLA*.
"""

import functools
import inspect
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from mnist_lib.checks import arguments as checks
from mnist_lib.checks.tracing import first_change, unchanged
from mnist_lib.gradient_tape import average_loss
from mnist_lib.training import Callback, History, fit, one_training_step, update_weights

__all__ = ["fit_compiled"]


def split_batches(examples, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the full batches, one to a row, and the examples left over."""
    full = examples.shape[0] // batch_size
    batches, rest = tf.split(examples, [full * batch_size, -1])
    return tf.reshape(batches, (full, batch_size, *examples.shape[1:])), rest


def keep_programs(compile_epoch: Callable) -> Callable:
    """Return a ``compile_epoch`` that keeps its last 8 programs.

    It returns one of them again if nothing that the program was made from has changed,
    in Python or in the shapes.
    """
    programs = deque(maxlen=8)

    @functools.wraps(compile_epoch)
    def kept(*arguments, **more):
        parts = inspect.signature(compile_epoch).bind(*arguments, **more).arguments
        for name in ("images", "labels"):
            parts[name] = str(tf.TensorSpec.from_tensor(parts[name]))
        with unchanged(**parts) as state:
            for known, program in programs:
                if first_change(known, state) is None:
                    return program
            program = compile_epoch(*arguments, **more)
        programs.append((state, program))
        return program

    return kept


@keep_programs
def compile_epoch(
    model,
    images,
    labels,
    batch_size,
    update=update_weights,
    jit_compile=True,
    step=one_training_step,
) -> Callable:
    """Return a function that takes all steps of an epoch in one call.

    The function takes images and labels of the shapes of these, (n, width) and (n,),
    and one learning rate per step. It changes the model's weights, and returns the
    loss of each batch before its step, in the dtype of the weights.
    """
    dtype = model.weights[0].dtype

    @tf.function(jit_compile=jit_compile)
    def run_epoch(images, labels, rates):
        size = int(min(batch_size, images.shape[0]))
        image_batches, last_images = split_batches(images, size)
        label_batches, last_labels = split_batches(labels, size)
        losses = tf.TensorArray(dtype, rates.shape[0])
        for i in tf.range(images.shape[0] // size):
            batch = image_batches[i], label_batches[i]
            loss = step(model, *batch, rates[i], update)
            losses = losses.write(i, tf.cast(loss, dtype))
        if last_images.shape[0] > 0:
            loss = step(model, last_images, last_labels, rates[-1], update)
            losses = losses.write(rates.shape[0] - 1, tf.cast(loss, dtype))
        return losses.stack()

    rates = tf.TensorSpec((math.ceil(images.shape[0] / batch_size),), dtype)
    return run_epoch.get_concrete_function(images, labels, rates)  # traces now


class CompiledEpoch:
    """Takes all steps of an epoch in one call; for ``fit``, in place of ``run_steps``.

    It makes the program in the first epoch, and copies the images to the device only
    when they have been replaced.

    Args:
        jit_compile: Let XLA turn the graph into machine code.
    """

    def __init__(self, jit_compile: bool = True):
        self.jit_compile = jit_compile
        self.program, self.images = None, None

    def __call__(self, model, generator, rates, update, step) -> Iterator:
        """Run an epoch from its beginning.

        Args:
            model: Callable with a list ``weights``; they are changed in place.
            generator: ``BatchGenerator`` whose examples are used, in its order.
            rates: Learning rates, one for each step.
            update: Rule as for ``fit``; what it remembers must be in ``tf.Variable``.
            step: Takes a step; it is called as ``one_training_step`` is.

        Yields:
            Each batch's loss, once all steps have been taken.
        """
        checks.check_epoch_start(generator.index)
        if self.images is not generator.images:
            self.images = generator.images
            self.on_device = tf.constant(generator.images)
        images, labels = self.on_device, tf.constant(generator.labels)
        if generator.shuffle:
            images, labels = (tf.gather(x, generator.order) for x in (images, labels))
        if self.program is None:
            size = generator.batch_size
            settings = size, update, self.jit_compile, step
            self.program = compile_epoch(model, images, labels, *settings)
        rates = tf.constant(rates, model.weights[0].dtype)
        yield from self.program(images, labels, rates).numpy()


def fit_compiled(  # noqa: D417
    model,
    images,
    labels,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float | Callable = 1e-3,
    shuffle: bool = False,
    seed: int | None = None,
    validation_data: tuple | None = None,
    metric: Callable | dict | None = None,
    verbose: int | str = 1,
    update: Callable = update_weights,
    distort: Callable | None = None,
    jit_compile: bool = True,
    callbacks: Sequence[Callback] = (),
    loss: Callable = average_loss,
) -> History:
    """Train the model as ``fit`` does, each epoch as one compiled program.

    It gives the weights of ``fit``, up to rounding, and prints its lines by epoch.

    Python runs an update rule, a layer or a loss only when the program is made. So what
    they remember must be in ``tf.Variable``, and a ``print`` in them prints once;
    ``tf.print`` prints in every step, with ``jit_compile=False``.

    Args:
        model: As for ``fit``, like every argument that is not listed here.
        jit_compile: Let XLA turn the graph into machine code. It is compiled once for a
            model: further calls with the same settings use the program again.
        callbacks: As for ``fit``, but told of batches when an epoch is over.

    Returns:
        ``History`` with every batch's loss and each epoch's figures.

    Raises:
        ValueError, TypeError: As for ``fit``.
        FloatingPointError: The loss is no longer finite, at the end of its epoch.
    """
    settings = batch_size, learning_rate, shuffle, seed
    measured = validation_data, metric, verbose
    epoch = {"run_epoch": CompiledEpoch(jit_compile), "callbacks": callbacks}
    epoch |= {"update": update, "distort": distort, "loss": loss}
    return fit(model, images, labels, epochs, *settings, *measured, **epoch)
