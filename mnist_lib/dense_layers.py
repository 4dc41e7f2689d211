"""Chapter 2. From tensors to predictions: layers of neurons, stacked.

A dense layer computes ``activation(x @ W + b)``. Each column of ``W`` is one
neuron: a template that is laid over the input, multiplied by it number by
number, and summed. A model is layers called one after another:

    images (n, 784) → NaiveDense → (n, 512) → NaiveDense → (n, 10)

The two classes keep the names and signatures of F. Chollet, *Deep Learning with
Python*, chapter 2, "Reimplementing our first example from scratch".
"""

import math
from collections.abc import Callable

import tensorflow as tf

from mnist_lib.checks import arguments as checks

__all__ = ["NaiveDense", "NaiveSequential", "uniform_start"]


def uniform_start(shape: tuple[int, ...]) -> tf.Tensor:
    """Draw start values as Chollet's layer does: uniform in [0, 0.1).

    Args:
        shape: The shape of the weights.

    Returns:
        Tensor of that shape, float32, every value in [0, 0.1).
    """
    return tf.random.uniform(shape, minval=0.0, maxval=0.1)


class NaiveDense:
    """A dense layer: ``activation(x @ W + b)``.

    Args:
        input_size: Numbers that go in, for each example.
        output_size: Numbers that come out: the layer's neurons.
        activation: Function applied to the weighted sums, such as ``tf.nn.relu``.
        initializer: Function from a shape to the start values of ``W``; any Keras
            initializer serves too.

    Attributes:
        W: ``tf.Variable`` of shape (input_size, output_size), float32.
        b: ``tf.Variable`` of shape (output_size,), float32, zeros at the start.

    Raises:
        TypeError: A size is not an integer, or ``activation`` cannot be called.
        ValueError: A size is below 1, or the initializer gives another shape.

    Source: F. Chollet, *Deep Learning with Python*, 2nd edition, section 2.5.1.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        activation: Callable,
        initializer: Callable = uniform_start,
    ):
        checks.check_positive_integer("input_size", input_size)
        checks.check_positive_integer("output_size", output_size)
        checks.check_callable("activation", activation)
        checks.check_callable("initializer", initializer)
        self.input_size = input_size
        self.output_size = output_size
        self.activation = activation
        start = tf.cast(initializer((input_size, output_size)), tf.float32)
        checks.check_start(start, (input_size, output_size))
        self.W = tf.Variable(start)
        self.b = tf.Variable(tf.zeros((output_size,)))

    def __call__(self, inputs) -> tf.Tensor:
        """Return ``activation(inputs @ W + b)``.

        Args:
            inputs: Array or tensor of shape (n, input_size), float32.

        Returns:
            Tensor of shape (n, output_size), float32.

        Raises:
            ValueError: ``inputs`` has another shape.
            TypeError: ``inputs`` has another dtype than the weights.
        """
        checks.check_inputs(inputs, self.W)
        weighted_sums = tf.matmul(inputs, self.W) + self.b
        return self.activation(weighted_sums)

    @property
    def weights(self) -> list[tf.Variable]:
        """The trainable variables ``[W, b]``."""
        return [self.W, self.b]

    def __repr__(self) -> str:
        name = getattr(self.activation, "__name__", str(self.activation))
        name = name.removesuffix("_v2")  # tf.nn.softmax calls itself softmax_v2
        return f"NaiveDense({self.input_size}, {self.output_size}, {name})"


class NaiveSequential:
    """Layers called in order, each on the output of the one before.

    Args:
        layers: List of layers. A layer is anything that can be called on a tensor
            and has a list ``weights``, which may be empty.

    Raises:
        TypeError: ``layers`` is not a list.
        ValueError: There is no layer, something is no layer, or the sizes of two
            neighbors do not fit.

    Source: F. Chollet, *Deep Learning with Python*, 2nd edition, section 2.5.1.
    """

    def __init__(self, layers: list):
        checks.check_iterable("layers", layers)
        self.layers = list(layers)
        checks.check_layers_fit(self.layers)

    def __call__(self, inputs) -> tf.Tensor:
        """Return the last layer's output, of shape (n, its output_size)."""
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    @property
    def weights(self) -> list[tf.Variable]:
        """The weights of all layers in order, ``[W, b, W, b, …]``."""
        return [weight for layer in self.layers for weight in layer.weights]

    def __repr__(self) -> str:
        return f"NaiveSequential({self.layers})"

    def summary(self) -> None:
        """Print a table: each layer, the shapes of its weights and their number."""
        total = 0
        for layer in self.layers:
            shapes = " ".join(str(tuple(weight.shape)) for weight in layer.weights)
            count = sum(math.prod(weight.shape) for weight in layer.weights)
            print(f"{layer!r:32} {shapes:20} {count:>9,}")
            total += count
        print(f"{'all weights':53} {total:>9,}")


def layers_of(model) -> list:
    """Return the model and all layers that it holds, however deep, each once."""
    found = [model]
    for layer in found:  # which grows
        for part in tf.nest.flatten([*getattr(layer, "__dict__", {}).values()]):
            is_layer = callable(part) and hasattr(part, "weights")
            if is_layer and not any(part is other for other in found):
                found.append(part)
    return found


def variables_of(model) -> list[tf.Variable]:
    """Return the weights, then what layers keep without training it: their ``state``.

    Args:
        model: Callable with a list ``weights``. Its layers may have a list ``state`` of
            ``tf.Variable``, such as running means.

    Returns:
        All of these variables, in the order in which they are saved.
    """
    states = [getattr(layer, "state", []) for layer in layers_of(model)]
    return [*model.weights, *sum(states, [])]
