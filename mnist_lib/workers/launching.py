"""Several worker processes on this machine: started, watched, and started again."""

import contextlib
import json
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

GRACE = 3.0  # seconds
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
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        outputs, errors = (
            [Path(folder, f"{i}.{stream}") for i in range(count)]
            for stream in ("out", "err")
        )
        with started(program, outputs, errors) as workers:
            codes, lines = watch(workers, outputs, out)
        told = enumerate(zip(codes, errors, strict=True))
        failures = [describe_failure(i, *failure) for i, failure in told if failure[0]]
    if not failures and not out.isatty():
        show(lines, out)
    return lines, failures


@contextlib.contextmanager
def started(program: list[str], outputs: list, errors: list) -> Iterator[list]:
    """Start workers that print into these files, and end them when the block ends."""
    guard = [sys.executable, "-IS", "-c", GUARD]
    guard = subprocess.Popen(guard, stdin=subprocess.PIPE, process_group=0)
    workers, addresses = [], free_addresses(len(outputs))
    try:
        for i, files in enumerate(zip(outputs, errors, strict=True)):
            cluster = environment(addresses, i)
            workers.append(start_worker(program, cluster, *files, guard.pid))
        yield workers
    finally:
        guard.communicate()  # closes its input
        for worker in workers:
            worker.kill()  # where there are no process groups
            worker.wait()


def start_worker(program: list[str], environment, output, errors, group: int):
    """Start a process that belongs to a group and prints into two files."""
    with output.open("wb") as output_file, errors.open("wb") as errors_file:
        return subprocess.Popen(
            [sys.executable, *program],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output_file,
            stderr=errors_file,
            process_group=group,
        )


def watch(workers: list, outputs: list[Path], out) -> tuple[list, list]:
    """Show what workers print until all end; return their exit codes and lines.

    After a failure, the others have some time to end, too, and to tell more of it.
    """
    codes, lines, deadline = [None], [[] for _ in outputs], float("inf")
    if out.isatty():
        show(lines, out)
    while None in codes and time.monotonic() < deadline:
        time.sleep(0.05)
        codes = [worker.poll() for worker in workers]
        before, lines = lines, [read_lines(path) for path in outputs]
        if out.isatty() and lines != before:
            show(lines, out, again=True)
        if any(codes):
            deadline = min(deadline, time.monotonic() + GRACE)
    return codes, lines


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
        "no_grpc_proxy": "127.0.0.1",  # no proxy stands between processes of a machine
    }


def read_lines(path: Path) -> list[str]:
    """Return the lines that a worker has printed so far."""
    return [line.rstrip() for line in path.read_text(errors="replace").splitlines()]


def show(lines: list[list[str]], out, again: bool = False) -> None:
    """Show each worker's last line, if again, then in the place of those before."""
    rows = [f"worker {i}: {['starting', *own][-1]}" for i, own in enumerate(lines)]
    if out.isatty():
        width = shutil.get_terminal_size().columns - 1
        rows = [f"{row[:width]}\x1b[K" for row in rows]
    up = f"\x1b[{len(rows)}A" if again else ""
    print(up + "\n".join(rows), file=out, flush=True)


def describe_failure(worker: int, code: int, errors: Path) -> tuple:
    """Return how little a failure tells (0 to 2), whose it is, and in which words.

    Those that one failure took along tell less than the one that failed.
    """
    words = [f"exit code {code}", *filter(None, read_lines(errors))][-1]
    if code < 0:
        return 1, worker, f"killed by {signal.Signals(-code).name}"
    lost = code == CONNECTION_LOST or words.startswith("ConnectionError: ")
    return 2 * lost, worker, words.removeprefix("error: ")
