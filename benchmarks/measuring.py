"""What the benchmarks share: threads, the machine's name, tables, results on disk."""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PACKAGES = ("numpy", "tensorflow", "keras", "torch", "jax")


def progress(count: int, unit: str):
    """Return Keras's bar for so many steps, which shows itself only in a terminal."""
    from keras.utils import Progbar  # only now, see take_threads

    return Progbar(count, unit_name=unit, verbose=int(sys.stdout.isatty()))


def take_threads(count: int) -> None:
    """Keep this process to ``count`` processors; before the peers are imported.

    Libraries start as many threads as the process may use, so this one limit holds
    for all of them.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("Only Linux can keep a process to some of the processors.")
    free = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(free):
        raise SystemExit(f"--threads must be 1 to {len(free)}, got {count}")
    os.sched_setaffinity(0, free[:count])


def parse(doc: str, *options, **defaults) -> argparse.Namespace:
    """Return the settings of a program, or explain what is wrong with them, and leave.

    Args:
        doc: The program's docstring, whose first line is shown as help.
        *options: Pairs of an option's name and what ``add_argument`` takes.
        **defaults: Options that take an integer, or several where the default has them.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name, details in options:
        parser.add_argument(name, **details)
    for name, default in defaults.items():
        many = {"nargs": "+"} if isinstance(default, list) else {}
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, **many)
    parser.add_argument("--json", metavar="FILE", help="write results; - is the screen")
    settings = parser.parse_args()
    for name in defaults:
        numbers = getattr(settings, name)
        numbers = numbers if isinstance(numbers, list) else [numbers]
        if any(n is not None and n < (name != "seeds") for n in numbers):
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if not Path(settings.json or "-").absolute().parent.is_dir():
        parser.error("--json must be in a folder that exists")
    if getattr(settings, "threads", None):
        take_threads(settings.threads)
    return settings


def count_threads() -> int:
    """Return how many processors this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()


def describe_machine() -> dict:
    """Return what a measurement depends on: processor, threads, versions, date."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": (names or [platform.processor() or platform.machine()])[0],
        "threads": count_threads(),
        "versions": versions,
        "date": date.today().isoformat(),
    }


def print_machine(machine: dict) -> None:
    """Print the machine in two lines."""
    versions = machine["versions"].items()
    print(f"{machine['processor']}, {machine['threads']} threads, {machine['date']}")
    print(", ".join(f"{name} {version}" for name, version in versions if version))


def load(examples: int) -> tuple:
    """Return the first training digits and all test digits: vectors and labels."""
    from mnist_lib import describe_digits, load_mnist, to_vectors

    (images, labels), (test_images, test_labels) = load_mnist()
    print(describe_digits(images))
    train = to_vectors(images[:examples]), labels[:examples]
    return *train, to_vectors(test_images), test_labels


def seconds(action) -> tuple[float, object]:
    """Return how long a call took, and what it returned."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def summary(times: list[float]) -> dict:
    """Return median, least and largest of some times."""
    return {
        "median": statistics.median(times),
        "least": min(times),
        "largest": max(times),
    }


def write_json(path: str | None, results: dict) -> None:
    """Write results where they were asked for, if at all; "-" is the screen."""
    text = json.dumps(results, indent=2, default=str)
    if path == "-":
        print(text)
    elif path:
        Path(path).write_text(text + "\n", encoding="utf-8")
