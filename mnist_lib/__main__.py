"""The command line: train the network of the course on several processes."""

import argparse
import functools
import math
import sys
import time
from pathlib import Path

import tensorflow as tf

from mnist_lib.checks.arguments import check_positive_integer
from mnist_lib.dense_layers import NaiveDense, NaiveSequential
from mnist_lib.evaluation import accuracy, predict
from mnist_lib.improving import Momentum, he_start, one_cycle
from mnist_lib.saving.weights import save_weights
from mnist_lib.scaling import fit_distributed
from mnist_lib.tensors import describe_digits, load_mnist, to_vectors
from mnist_lib.workers.addresses import is_worker
from mnist_lib.workers.cluster import join_cluster
from mnist_lib.workers.launching import start_workers

ABOUT = """Train the network 784-512-10 on several workers. Where TF_CONFIG or Slurm
names them, be one of them; otherwise start them all on this machine."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = argparse.ArgumentParser("python -m mnist_lib", description=ABOUT)
    add = parser.add_argument
    add("--workers", type=int, default=1, help="processes to start; not in a cluster")
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
    run = run_worker if is_worker() else run_all_workers
    try:
        for name in ("workers", "epochs", "batch_size"):
            check_positive_integer(name, getattr(options, name))
        run(options)
    except (ValueError, TypeError, OSError, ArithmeticError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)  # as shells have it


def run_all_workers(options) -> None:
    """Start the workers on this machine, and print the accuracy when they are done."""
    print(describe_digits(load_mnist()[0][0]))  # downloads it once, for all
    program = ["-m", "mnist_lib", *sys.argv[1:]]
    restarts = 3 if options.checkpoint_dir else 0
    lines = start_workers(program, options.workers, restarts)
    print("Test " + lines[0][-1].rpartition("test ")[2])


def run_worker(options) -> None:
    """Train a worker's share, and print what comes out."""
    strategy = join_cluster(options.time_limit)
    saves = options.weights and strategy.extended.should_checkpoint
    if saves:
        Path(options.weights).expanduser().parent.mkdir(parents=True, exist_ok=True)
    (images, labels), (test_images, test_labels) = load_mnist()
    start, data = time.perf_counter(), (to_vectors(images), labels)
    sizes = options.epochs, options.batch_size
    settings = settings_of(options, len(images))
    tf.random.set_seed(options.seed)  # for the start of the weights
    model, _ = fit_distributed(make_network, *data, *sizes, strategy, **settings)
    seconds = time.perf_counter() - start
    if saves:
        save_weights(model, options.weights)
    right = accuracy(test_labels, predict(model, to_vectors(test_images)))
    print(f"{seconds:.1f} s of training; test accuracy {right:.2%}")


def settings_of(options, count: int) -> dict:
    """Return how ``count`` images are trained on."""
    steps = options.epochs * math.ceil(count / options.batch_size)
    return {
        "rule": functools.partial(Momentum, nesterov=True),
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
