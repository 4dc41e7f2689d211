"""Several worker processes on this machine: started, watched, and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

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
    guard = [sys.executable, "-IS", "-c", GUARD]
    guard = subprocess.Popen(guard, stdin=subprocess.PIPE, process_group=0)
    addresses, workers = free_addresses(count), []
    try:
        for own in range(count):
            workers.append(Worker(program, addresses, own, guard.pid))
        codes, shown = watch(workers, out)
    finally:
        guard.communicate()  # closes its input
        for worker in workers:
            worker.kill()  # where there are no process groups
            worker.wait()
            worker.reader.join(timeout=1)
    show(workers, out, shown)
    failed = [own for own in range(count) if codes[own]]
    failures = [describe_failure(own, codes[own], workers[own]) for own in failed]
    return [worker.lines for worker in workers], failures


class Worker(subprocess.Popen):
    """A worker's process, with the lines that it has printed so far."""

    def __init__(self, program: list[str], addresses: list[str], own: int, group: int):
        task = {"type": "worker", "index": own}
        share = str(max(1, (os.cpu_count() or 1) // len(addresses)))
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}),
            "TF_NUM_INTRAOP_THREADS": share,
            "TF_NUM_INTEROP_THREADS": share,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONUNBUFFERED": "1",
        }
        self.lines = []
        self.complaints = tempfile.TemporaryFile("w+", errors="replace")
        streams = subprocess.DEVNULL, subprocess.PIPE, self.complaints
        settings = {"env": environment, "process_group": group, "errors": "replace"}
        super().__init__([sys.executable, *program], -1, None, *streams, **settings)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Add lines as they come."""
        for line in self.stdout:
            self.lines.append(line.rstrip())


def watch(workers: list[Worker], out) -> tuple[list, list]:
    """Show what workers print until all end, or one fails; return their exit codes."""
    codes, shown = [None], []
    while None in codes and not any(codes):
        shown = show(workers, out, shown) if out.isatty() else []
        time.sleep(0.05)
        codes = [worker.poll() for worker in workers]
    time.sleep(GRACE if any(codes) else 0)  # the others may tell more of it
    return [worker.poll() for worker in workers], shown


def show(workers: list[Worker], out, shown: list[str]) -> list[str]:
    """Print each worker's last line, in the place of what is shown."""
    lines = [["starting", *worker.lines][-1] for worker in workers]
    rows = [f"worker {own}: {line}" for own, line in enumerate(lines)]
    if out.isatty():
        width = shutil.get_terminal_size().columns - 1
        rows = [f"{row[:width]}\x1b[K" for row in rows]
    if rows != shown:
        print("\x1b[A" * len(shown) + "\n".join(rows), file=out, flush=True)
    return rows


def describe_failure(own: int, code: int, worker: Worker) -> tuple[int, int, str]:
    """Return a failure's rank, whose it is, and in which words.

    The lowest rank is the cause: 0 for an error, 1 for a worker that was killed, 2 for
    one that lost its connection to another.
    """
    worker.complaints.seek(0)
    words = [f"exit code {code}", *worker.complaints.read().split("\n")]
    words = [*filter(None, map(str.rstrip, words))][-1]
    if code < 0:
        return 1, own, f"killed by {signal.Signals(-code).name}"
    lost = code == CONNECTION_LOST or words.startswith("ConnectionError: ")
    return 2 * lost, own, words.removeprefix("error: ")
