"""Several worker processes on this machine: started, watched, and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from mnist_lib.checks import arguments as checks
from mnist_lib.workers.addresses import free_addresses

GRACE = 3.0  # seconds in which the other workers may tell of a failure, too
WORKER_LOST = "a worker was lost"  # in a worker's last words: worth another try
# Waits until its input ends, as it does when this process ends in whatever way. Then
# it kills its process group, to which all workers belong.
GUARD = ["sh", "-c", "read _; kill -s KILL 0"]


def start_workers(
    program: list[str], count: int, restarts: int = 0, out=None
) -> list[list[str]]:
    """Run a program in several processes, which find each other by ``TF_CONFIG``.

    The cores are shared out among them. If one is killed, all are started again. They
    end with this process.

    Args:
        program: Arguments for Python, such as ``["worker.py"]``.
        count: Number of processes.
        restarts: How often to start them again, at most.
        out: Where the workers' lines are shown; by default the standard output.

    Returns:
        The lines that each worker printed in the last run.

    Raises:
        RuntimeError: A worker failed; the message is the last line of its errors.
    """
    is_list = isinstance(program, list | tuple)
    checks.require(is_list, "program", "a list", repr(program), TypeError)
    checks.check_positive_integer("number of workers", count)
    out = out or sys.stdout
    while True:
        lines, failures = run_workers(program, count, out)
        if not failures:
            return lines
        rank, worker, words = min(failures)
        told = f"worker {worker} {'was lost' if rank else 'failed'}"
        if restarts < 1 or rank == 0:
            raise RuntimeError(f"{told}: {words}")
        print(f"{told}; starting all again", file=out)
        restarts -= 1


def run_workers(program: list[str], count: int, out) -> tuple[list, list]:
    """Run all workers until they end, or one fails; return lines and failures."""
    guard = subprocess.Popen(GUARD, stdin=subprocess.PIPE, process_group=0)
    addresses, workers = free_addresses(count), []
    try:
        for own in range(count):
            workers.append(Worker(program, addresses, own, guard.pid))
        failures = watch(workers, out)
    finally:
        guard.communicate()  # closes its input
        for worker in workers:
            worker.wait()
        show(workers, out)
    return [lines_of(worker.printed) for worker in workers], failures


class Worker(subprocess.Popen):
    """A worker's process, with the files that it prints and complains into."""

    def __init__(self, program: list[str], addresses: list[str], own: int, group: int):
        self.own, task = own, {"type": "worker", "index": own}
        share = str(max(1, (os.cpu_count() or 1) // len(addresses)))
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}),
            "TF_NUM_INTRAOP_THREADS": share,
            "TF_NUM_INTEROP_THREADS": share,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONUNBUFFERED": "1",
        }
        # To append, so that reading them here does not move where the worker writes.
        self.printed = tempfile.TemporaryFile("a+", errors="replace")
        self.complaints = tempfile.TemporaryFile("a+", errors="replace")
        super().__init__(
            [sys.executable, *program],
            stdin=subprocess.DEVNULL,
            stdout=self.printed,
            stderr=self.complaints,
            env=environment,
            process_group=group,
        )


def lines_of(file) -> list[str]:
    """Return the lines that are in a file by now."""
    file.seek(0)
    return [line.rstrip() for line in file]


def watch(workers: list[Worker], out) -> list[tuple[int, int, str]]:
    """Show what workers print until all end, or one fails; return the failures."""
    codes = [None]
    while None in codes and not any(codes):
        if out.isatty():
            show(workers, out)
            print(f"\x1b[{len(workers)}A", end="", file=out)  # up, to write over it
        time.sleep(0.1)
        codes = [worker.poll() for worker in workers]
    time.sleep(GRACE if any(codes) else 0)  # the others may tell more of it
    return [describe_failure(worker) for worker in workers if worker.poll()]


def show(workers: list[Worker], out) -> None:
    """Print each worker's last line; in a terminal, none is broken in two."""
    for worker in workers:
        line = ["starting", *lines_of(worker.printed)][-1]
        row = f"worker {worker.own}: {line}"
        if out.isatty():
            row = row[: shutil.get_terminal_size().columns - 1] + "\x1b[K"
        print(row, file=out)


def describe_failure(worker: Worker) -> tuple[int, int, str]:
    """Return a failure's rank, whose it is, and in which words.

    The lowest rank is the cause: 0 for an error, 1 for a worker that was killed, 2 for
    one that lost its connection to another.
    """
    own, code = worker.own, worker.returncode
    if code < 0:
        return 1, own, f"killed by {signal.Signals(-code).name}"
    complaints = filter(None, lines_of(worker.complaints))
    words = [f"exit code {code}", *complaints][-1]
    return 2 * (WORKER_LOST in words), own, words.removeprefix("error: ")
