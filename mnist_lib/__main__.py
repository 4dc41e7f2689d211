"""The command line: train the network of the course on several processes."""

import argparse
import math
import sys
import time
from pathlib import Path

import tensorflow as tf

from mnist_lib.checks import check_positive_integer, check_shares, require
from mnist_lib.dense_layers import NaiveDense, NaiveSequential
from mnist_lib.evaluation import accuracy, predict
from mnist_lib.improving import Momentum, he_start, one_cycle
from mnist_lib.saving.weights import save_weights
from mnist_lib.scaling import fit_distributed
from mnist_lib.tensors import describe_digits, load_mnist, to_vectors
from mnist_lib.workers.addresses import find_cluster, is_worker
from mnist_lib.workers.cluster import join_cluster
from mnist_lib.workers.launching import CONNECTION_LOST, start_workers

ABOUT = """Train the network 784-512-10 on several workers. Where TF_CONFIG or Slurm
names them, be one of them; otherwise start them all on this machine."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = argparse.ArgumentParser("python -m mnist_lib", description=ABOUT)
    add = parser.add_argument
    add("--workers", type=int, help="number of processes; in a cluster not needed")
    add("--epochs", type=int, default=1)
    add("--batch-size", type=int, default=128, help="examples on all workers together")
    add("--learning-rate", type=float, default=0.3, help="the peak of one cycle")
    add("--seed", type=int, default=0, help="fixes the start and the orders")
    add("--checkpoint-dir", help="folder to save in and to go on from, for all workers")
    add("--weights", help="file to save the trained weights in")
    add("--time-limit", type=float, default=60, help="seconds to wait for the others")
    return parser


def main() -> None:
    """Start workers or be one of them; say in one line what fails."""
    options = make_parser().parse_args()
    try:
        if is_worker():
            run_worker(options)
        else:
            run_all_workers(options)
    except (ValueError, TypeError, OSError, ArithmeticError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)  # as shells have it


def check_options(options, count: int, own: int) -> None:
    """Find what is wrong before any work, for one of so many workers."""
    for name in ("workers", "epochs"):
        check_positive_integer(f"--{name}", getattr(options, name))
    expected = f"{count} as in the cluster, or left out"
    require(options.workers == count, "--workers", expected, options.workers)
    check_shares(options.batch_size, count)
    if options.weights and own == 0:
        folder = Path(options.weights).expanduser().absolute().parent
        require(folder.is_dir(), "--weights", "in a folder that is there", folder)


def run_all_workers(options) -> None:
    """Start the workers on this machine, and print the accuracy when they are done."""
    count = options.workers = 1 if options.workers is None else options.workers
    check_options(options, count, 0)
    print(describe_digits(load_mnist()[0][0]))  # now in the cache for all workers
    restarts = 3 if options.checkpoint_dir else 0
    lines = start_workers(["-m", "mnist_lib", *sys.argv[1:]], count, restarts)
    print("Test " + lines[0][-1].rpartition("test ")[2])


def run_worker(options) -> None:
    """Train a worker's share, and print what comes out."""
    _, addresses, own = find_cluster()
    count = len(addresses)
    options.workers = count if options.workers is None else options.workers
    check_options(options, count, own)
    strategy = join_cluster(options.time_limit)
    (images, labels), (test_images, test_labels) = load_mnist()
    arguments = to_vectors(images), labels, options.epochs, options.batch_size, strategy
    settings, start = settings_of(options, len(images)), time.perf_counter()
    try:
        model, _ = fit_distributed(make_network, *arguments, **settings)
    except ConnectionError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(CONNECTION_LOST)
    seconds = time.perf_counter() - start
    if options.weights and strategy.extended.should_checkpoint:
        save_weights(model, options.weights)
    right = accuracy(test_labels, predict(model, to_vectors(test_images)))
    print(f"{seconds:.1f} s of training; test accuracy {right:.2%}")


def settings_of(options, count: int) -> dict:
    """Return how to train on so many images, and fix the start of the weights."""
    tf.random.set_seed(options.seed)
    steps = options.epochs * math.ceil(count / options.batch_size)
    return {
        "rule": lambda weights: Momentum(weights, nesterov=True),
        "learning_rate": one_cycle(options.learning_rate, steps),
        "shuffle": True,
        "seed": options.seed,
        "checkpoint_dir": options.checkpoint_dir,
    }


def make_network() -> NaiveSequential:
    """Make the network of the course, with He's start."""
    hidden = NaiveDense(784, 512, tf.nn.relu, he_start)
    return NaiveSequential([hidden, NaiveDense(512, 10, tf.nn.softmax, he_start)])


if __name__ == "__main__":
    main()
