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

LOST = 75  # exit code of a worker that lost another one, and would do better again


class Board:
    """One line per worker: in a terminal rewritten in place, else shown at the end."""

    def __init__(self, count: int, out=None):
        self.out, self.lines = out or sys.stdout, ["starting"] * count
        self.lock, self.live = threading.Lock(), self.out.isatty()
        if self.live:
            self.write()

    def show(self, worker: int, line: str) -> None:
        """Put a line in the place of the worker's last one."""
        with self.lock:
            self.lines[worker] = line
            if self.live:
                self.write(f"\x1b[{len(self.lines)}A")

    def write(self, start: str = "") -> None:
        """Write all lines."""
        rows = [f"worker {i}: {line}" for i, line in enumerate(self.lines)]
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            rows = [f"{row[:width]}\x1b[K" for row in rows]
        print(start + "\n".join(rows), file=self.out, flush=True)


def start_workers(
    program: list[str], count: int, restarts: int = 0, out=None
) -> list[list[str]]:
    """Run a program in several processes, which find each other by ``TF_CONFIG``.

    The cores are shared out among them. If one is killed, all are started again.

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
    for left in range(restarts, -1, -1):
        board = Board(count, out)
        lines, failures = run_once(program, board)
        if not failures:
            if not board.live:
                board.write()
            return lines
        lost, worker, words = min(failures)
        if not left or not lost:
            verb = "was lost" if lost else "failed"
            raise RuntimeError(f"worker {worker} {verb}: {words}")
        print(f"worker {worker} was lost; starting all again", file=board.out)


def run_once(program: list[str], board: Board) -> tuple[list, list]:
    """Run all workers to their end; stop all when one fails."""
    count, workers = len(board.lines), []
    complaints = [tempfile.TemporaryFile("w+", errors="replace") for _ in range(count)]
    lines = [[] for _ in complaints]
    try:
        threads = start_all(program, workers, complaints, lines, board)
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):
                time.sleep(0.5)  # the others may have a better word on it
                break
            time.sleep(0.05)
        codes = [worker.poll() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for thread in threads:
        thread.join(timeout=5)  # a worker's own processes may keep the pipe open
    told = enumerate(zip(codes, complaints, strict=True))
    return lines, [describe_failure(i, *failure) for i, failure in told if failure[0]]


def describe_failure(worker: int, code: int, complaint) -> tuple:
    """Return how little a failure tells (0 to 2), whose it is, and in which words.

    Those that one failure took along tell less than the one that failed.
    """
    complaint.seek(0)
    words = (complaint.read().strip().splitlines() or [f"exit code {code}"])[-1]
    if code < 0:
        return 1, worker, f"killed by {signal.Signals(-code).name}"
    lost = code == LOST or words.startswith("ConnectionError: ")
    return 2 * lost, worker, words.removeprefix("error: ")


def start_all(program, workers, complaints, lines, board) -> list[threading.Thread]:
    """Start a worker for each place on the board, and a thread that follows it."""
    addresses, threads = free_addresses(len(lines)), []
    for i, complaint in enumerate(complaints):
        task = {"type": "worker", "index": i}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        pipes = {"stdout": subprocess.PIPE, "stderr": complaint, "text": True}
        workers.append(
            subprocess.Popen(
                [sys.executable, *program],
                env=environment(len(lines)) | {"TF_CONFIG": config},
                errors="replace",
                **pipes,
            )
        )
        arguments = i, workers[i].stdout, lines[i], board
        threads.append(threading.Thread(target=follow, args=arguments, daemon=True))
        threads[i].start()
    return threads


def environment(count: int) -> dict[str, str]:
    """Return the environment of one of so many workers, with its share of the cores."""
    share = str(max(1, (os.cpu_count() or 1) // count))
    threads = {"TF_NUM_INTRAOP_THREADS": share, "TF_NUM_INTEROP_THREADS": share}
    settings = {"PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**os.environ, **settings, **threads}


def follow(worker: int, pipe, lines: list, board: Board) -> None:
    """Collect and show what a worker prints, until it ends."""
    for line in pipe:
        lines.append(line.rstrip())
        board.show(worker, lines[-1])
