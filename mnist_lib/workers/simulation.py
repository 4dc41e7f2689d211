"""From a measured step to a thousand workers: what would it cost, and does it pay?

A step of synchronous training ends when the slowest worker has its gradients, and
when these have been added up over the network. Both are simple enough to simulate.
"""

from typing import NamedTuple

import numpy as np

from mnist_lib.checks import arguments as checks

__all__ = ["Costs", "all_reduce_seconds", "simulate_steps"]


class Costs(NamedTuple):
    """What a worker and a network cost.

    Attributes:
        fixed: Seconds of a step that do not depend on the number of examples.
        per_example: Seconds for the gradients of one example.
        jitter: Spread of a worker's times, the standard deviation of their logarithm.
        latency: Seconds until something sent arrives, however small it is.
        bandwidth: Bytes per second that a worker can send.
    """

    fixed: float
    per_example: float
    jitter: float
    latency: float
    bandwidth: float


def all_reduce_seconds(workers: int, size: float, costs: Costs) -> float:
    """Compute how long it takes until every worker has the sum of all vectors.

    The workers stand in a ring. In each of ``2 (workers - 1)`` rounds everybody sends
    one part of the vector to the next, a part being ``1 / workers`` of it: once around
    the ring to add up, once more to hand out the sums.

    Args:
        workers: Number of workers.
        size: Bytes of the vector.
        costs: What the network costs.

    Returns:
        Seconds.

    Source: P. Patarasuk and X. Yuan (2009).
    """
    checks.check_positive_integer("workers", workers)
    rounds = 2 * (workers - 1)
    return rounds * (costs.latency + size / workers / costs.bandwidth)


def simulate_steps(
    workers: int,
    batch_size: int,
    size: float,
    costs: Costs,
    steps: int = 1000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the times of some steps.

    Args:
        workers: Number of workers.
        batch_size: Examples per step, on all workers together.
        size: Bytes of all gradients.
        costs: What a worker and the network cost.
        steps: Number of steps.
        seed: Integer that fixes the draws.

    Returns:
        Seconds that each worker computes, of shape (steps, workers), and seconds that
        each step takes, of shape (steps,).
    """
    checks.check_positive_integer("workers", workers)
    checks.check_positive_integer("batch_size", batch_size)
    random = np.random.default_rng(seed)
    usual = costs.fixed + costs.per_example * batch_size / workers
    computing = usual * random.lognormal(0, costs.jitter, (steps, workers))
    waiting = all_reduce_seconds(workers, size, costs)
    return computing, computing.max(axis=1) + waiting
