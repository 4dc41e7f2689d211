"""Chapter 8. From 82% to over 99%: better starts, better steps, and a rate with a plan.

Each part takes the place of a simpler one of chapters 2 and 5: a start in place of
``uniform_start``, a rule in place of ``update_weights``, a schedule in place of a
fixed learning rate. ``fit`` and ``fit_compiled`` take all of them.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from mnist_lib.checks import arguments as checks

__all__ = ["Adam", "Momentum", "glorot_start", "he_start", "one_cycle"]


def glorot_start(shape: tuple[int, int]) -> tf.Tensor:
    """Draw from [-a, a) with ``a = sqrt(6 / (inputs + outputs))``.

    Args:
        shape: Inputs and outputs of the layer.

    Returns:
        Tensor of that shape, float32, with a mean of 0.

    Source: X. Glorot and Y. Bengio (2010), equation 16.
    """
    limit = math.sqrt(6 / sum(shape))
    return tf.random.uniform(shape, -limit, limit)


def he_start(shape: tuple[int, int]) -> tf.Tensor:
    """Draw from the normal distribution of variance ``2 / inputs``, made for relu.

    Args:
        shape: Inputs and outputs of the layer.

    Returns:
        Tensor of that shape, float32, with a mean of 0.

    Source: K. He et al. (2015), equation 10.
    """
    return tf.random.normal(shape, stddev=math.sqrt(2 / shape[0]))


class Momentum:
    """Update rule with a memory: each weight has a velocity, which dies down slowly.

    Args:
        weights: The model's weights; the rule can update no others.
        momentum: What is left of a velocity after one step, in [0, 1).
        nesterov: Look ahead: use the velocity as it will be after the next step.

    Source: B. Polyak (1964); Y. Nesterov (1983), as ``keras.optimizers.SGD`` has it.
    """

    def __init__(self, weights, momentum: float = 0.9, nesterov: bool = False):
        checks.check_rule_weights(weights)
        checks.check_number("momentum", momentum, below=1)
        self.weights, self.momentum, self.nesterov = weights, momentum, nesterov
        self.velocities = [tf.Variable(tf.zeros_like(weight)) for weight in weights]

    def __call__(self, gradients, weights, learning_rate) -> None:
        """Update the weights in place; arguments as for ``update_weights``."""
        checks.check_rule(self, weights)
        slots = zip(gradients, weights, self.velocities, strict=True)
        for gradient, weight, velocity in slots:
            step = learning_rate * gradient
            velocity.assign(self.momentum * velocity - step)
            ahead = self.momentum * velocity - step if self.nesterov else velocity
            weight.assign_add(ahead)


class Adam:
    """Update rule that measures each weight's slope against its usual size.

    Args:
        weights: The model's weights; the rule can update no others.
        beta_1: What is left of the running mean of the slopes, in [0, 1).
        beta_2: What is left of the running mean of their squares, in [0, 1).
        epsilon: Positive number that keeps the division from 0.
        weight_decay: Fraction of a weight subtracted per step, times the rate, [0, 1).

    Source: D. Kingma and J. Ba (2015), as ``keras.optimizers.AdamW`` has it.
    """

    def __init__(
        self,
        weights,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
    ):
        checks.check_rule_weights(weights)
        checks.check_number("beta_1", beta_1, below=1)
        checks.check_number("beta_2", beta_2, below=1)
        checks.check_positive_number("epsilon", epsilon)
        checks.check_number("weight_decay", weight_decay, below=1)
        self.weights, self.beta_1, self.beta_2 = weights, beta_1, beta_2
        self.epsilon, self.weight_decay = epsilon, weight_decay
        self.means = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        self.squares = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        self.steps = tf.Variable(0.0, dtype=weights[0].dtype)

    def __call__(self, gradients, weights, learning_rate) -> None:
        """Update the weights in place; arguments as for ``update_weights``."""
        checks.check_rule(self, weights)
        self.steps.assign_add(1.0)
        # Both means start at 0; this makes up for it in the first steps.
        grown = 1 - self.beta_1**self.steps, 1 - self.beta_2**self.steps
        rate = learning_rate * tf.sqrt(grown[1]) / grown[0]
        slots = zip(gradients, weights, self.means, self.squares, strict=True)
        for gradient, weight, mean, square in slots:
            mean.assign(self.beta_1 * mean + (1 - self.beta_1) * gradient)
            square.assign(self.beta_2 * square + (1 - self.beta_2) * gradient**2)
            weight.assign_sub(learning_rate * self.weight_decay * weight)
            weight.assign_sub(rate * mean / (tf.sqrt(square) + self.epsilon))


def one_cycle(peak: float, num_steps: int, warm_up: float = 0.2) -> Callable:
    """Plan a learning rate that rises linearly to its peak and falls as a cosine.

    Args:
        peak: The largest rate, a positive number.
        num_steps: Steps of the whole training, epochs times batches.
        warm_up: Part of them in which the rate rises, in [0, 1).

    Returns:
        Function from a step's number, 0 to ``num_steps - 1``, to its rate, a
        positive number. Other steps raise a ``ValueError``.

    Source: L. Smith and N. Topin (2018), with a cosine for the way down.
    """
    checks.check_positive_number("peak", peak)
    checks.check_positive_integer("num_steps", num_steps)
    checks.check_number("warm_up", warm_up, below=1)
    rising = int(warm_up * num_steps)

    def rate(step: int) -> float:
        checks.check_choice("step", step, range(num_steps))
        if step < rising:
            return peak * (step + 1) / (rising + 1)
        progress = (step - rising) / (num_steps - rising)
        return peak * (1 + math.cos(math.pi * progress)) / 2

    return rate
