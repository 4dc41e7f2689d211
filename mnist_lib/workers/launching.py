"""Several worker processes on this machine: started, watched, and started again."""

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mnist_lib import checks
from mnist_lib.workers.addresses import free_addresses

GRACE = 3.0  # seconds in which the other workers may tell of a failure, too
CONNECTION_LOST = 75  # exit code of a worker that lost another one: worth another try
# Waits until its input ends, as it does when this process ends in whatever way. Then
# it kills its process group, to which all workers belong.
GUARD = "import os, signal, sys; sys.stdin.read(); os.killpg(0, signal.SIGKILL)"


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
        RuntimeError: A worker failed; the message is the last line of its complaint.
    """
    is_list = isinstance(program, list | tuple)
    checks.require(is_list, "program", "a list", repr(program), TypeError)
    checks.check_positive_integer("number of workers", count)
    checks.check_choice("restarts", restarts, range(1000))
    out = out or sys.stdout
    for left in range(restarts, -1, -1):
        lines, failures = run_workers(program, count, out)
        if not failures:
            return lines
        lost, worker, words = min(failures)
        if not left or not lost:
            verb = "was lost" if lost else "failed"
            raise RuntimeError(f"worker {worker} {verb}: {words}")
        print(f"worker {worker} was lost; starting all again", file=out)


def run_workers(program: list[str], count: int, out) -> tuple[list, list]:
    """Run all workers until they end, or one fails; return lines and failures."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        processes(program, count, folder) as workers,
    ):
        codes, lines = watch(workers, folder, out)
        told = [read_lines(folder, f"{i}.err") for i in range(count)]
    failures = [
        describe_failure(worker, code, told[worker])
        for worker, code in enumerate(codes)
        if code
    ]
    if not failures and not out.isatty():
        show(lines, out)
    return lines, failures


@contextlib.contextmanager
def processes(program: list[str], count: int, folder: str) -> Iterator[list]:
    """Start workers that print into files of a folder, and end them with the block."""
    guard = [sys.executable, "-IS", "-c", GUARD]
    guard = subprocess.Popen(guard, stdin=subprocess.PIPE, process_group=0)
    workers, addresses = [], free_addresses(count)
    try:
        for i in range(count):
            out, err = (Path(folder, f"{i}.{stream}") for stream in ("out", "err"))
            with out.open("wb") as output, err.open("wb") as errors:
                files = subprocess.DEVNULL, output, errors
                task = {"env": environment(addresses, i), "process_group": guard.pid}
                command = [sys.executable, *program]
                workers.append(subprocess.Popen(command, -1, None, *files, **task))
        yield workers
    finally:
        guard.communicate()  # closes its input
        for worker in workers:
            worker.kill()  # where there are no process groups
            worker.wait()


def environment(addresses: list[str], own: int) -> dict[str, str]:
    """Return a worker's environment: the cluster, and its share of the cores."""
    task = {"type": "worker", "index": own}
    share = str(max(1, (os.cpu_count() or 1) // len(addresses)))
    return {
        **os.environ,
        "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}),
        "TF_NUM_INTRAOP_THREADS": share,
        "TF_NUM_INTEROP_THREADS": share,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }


def watch(workers: list, folder: str, out) -> tuple[list, list]:
    """Show what workers print until all end; return their exit codes and lines.

    After a failure, the others have some time to end, too, and to tell more of it.
    """
    shown, deadline = None, math.inf
    while True:
        codes = [worker.poll() for worker in workers]
        lines = [read_lines(folder, f"{i}.out") for i in range(len(workers))]
        if out.isatty() and lines != shown:
            show(lines, out, again=shown is not None)
            shown = lines
        if None not in codes or time.monotonic() > deadline:
            return codes, lines
        if any(codes):
            deadline = min(deadline, time.monotonic() + GRACE)
        time.sleep(0.05)


def read_lines(folder: str, name: str) -> list[str]:
    """Return the lines that a worker has printed so far."""
    text = Path(folder, name).read_text(errors="replace")
    return [line.rstrip() for line in text.splitlines()]


def show(lines: list[list[str]], out, again: bool = False) -> None:
    """Show each worker's last line, if again, then in the place of those before."""
    rows = [f"worker {i}: {['starting', *own][-1]}" for i, own in enumerate(lines)]
    if out.isatty():
        width = shutil.get_terminal_size().columns - 1
        rows = [f"{row[:width]}\x1b[K" for row in rows]
    up = f"\x1b[{len(rows)}A" if again else ""
    print(up + "\n".join(rows), file=out, flush=True)


def describe_failure(worker: int, code: int, complaint: list[str]) -> tuple:
    """Return how little a failure tells (0 to 2), whose it is, and in which words.

    Those that one failure took along tell less than the one that failed.
    """
    words = [f"exit code {code}", *filter(None, complaint)][-1]
    if code < 0:
        return 1, worker, f"killed by {signal.Signals(-code).name}"
    lost = code == CONNECTION_LOST or words.startswith("ConnectionError: ")
    return 2 * lost, worker, words.removeprefix("error: ")
