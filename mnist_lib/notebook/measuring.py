"""A program for two workers: how long do steps and all-reduces take?

``start_workers(["-m", "mnist_lib.notebook.measuring"], 2)`` runs it.
"""

import json
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from mnist_lib.dense_layers import NaiveDense, NaiveSequential
from mnist_lib.scaling import distributed_step
from mnist_lib.training import update_weights
from mnist_lib.workers.cluster import join_cluster


def time_calls(function: Callable, *arguments, rounds: int = 5) -> list[float]:
    """Time some calls, after three more in which TensorFlow compiles."""
    seconds = []
    for _ in range(3 + rounds):
        start = time.perf_counter()
        np.asarray(function(*arguments))  # waits for the result
        seconds.append(time.perf_counter() - start)
    return seconds[3:]


def time_steps_and_sums(
    strategy: tf.distribute.Strategy,
    batch_sizes: Sequence[int] = (128, 512, 2048, 4096),
    rounds: int = 5,
) -> dict[str, list[float]]:
    """Time steps of several batch sizes, and sums of one and of 407,050 numbers."""

    @tf.function
    def add_up(vector):
        with strategy.scope():
            return strategy.reduce("SUM", strategy.run(lambda: vector), axis=None)

    with strategy.scope():
        layers = NaiveDense(784, 512, tf.nn.relu), NaiveDense(512, 10, tf.nn.softmax)
        model, step, seconds = NaiveSequential(layers), distributed_step(strategy), {}
    for size in batch_sizes:
        images, labels = tf.random.uniform((size, 784)), tf.zeros((size,), tf.int32)
        arguments = model, images, labels, 1e-3, update_weights
        seconds[f"{size}"] = time_calls(step, *arguments, rounds=rounds)
    for size in (1, 407_050):
        numbers = tf.zeros((size,))
        seconds[f"sum of {size}"] = time_calls(add_up, numbers, rounds=rounds)
    return seconds


def main() -> None:
    """Measure worker 0 alone, then all together. Print both as one line of JSON."""
    tf.config.threading.set_intra_op_parallelism_threads(1)  # one core
    strategy, alone = join_cluster(), tf.distribute.OneDeviceStrategy("CPU:0")
    is_first = strategy.extended.should_checkpoint  # true on worker 0 only
    first = time_steps_and_sums(alone) if is_first else {}
    print(json.dumps([first, time_steps_and_sums(strategy)]))


if __name__ == "__main__":
    main()
