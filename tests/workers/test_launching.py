import contextlib
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from mnist_lib import start_workers
from mnist_lib.workers import launching

pytestmark = pytest.mark.integration

OWN = "import json, os; own = json.loads(os.environ['TF_CONFIG'])['task']['index']; "
LEAVES_ITS_ID = "open(f'{os.getpid()}.id', 'w'); "
WAITS = "import time; time.sleep(60)"


def program(*lines):
    """A program that needs no TensorFlow, so that it starts at once."""
    return ["-c", OWN + LEAVES_ITS_ID + "\n" + "\n".join(lines)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to run in; none of the processes may be left behind."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for process in tmp_path.glob("*.id"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(process.stem), 0)


def test_each_worker_has_an_address_and_a_share_of_the_cores():
    told = "print(os.environ['TF_NUM_INTRAOP_THREADS']); print(os.environ['TF_CONFIG'])"
    lines = start_workers(program(told, "print(own * 10)"), 3, out=io.StringIO())
    assert [own[0] for own in lines] == [str(max(1, os.cpu_count() // 3))] * 3
    configs = [json.loads(own[1]) for own in lines]
    assert [config["task"]["index"] for config in configs] == [0, 1, 2]
    addresses = configs[0]["cluster"]["worker"]
    assert len({*addresses}) == 3
    assert all(config["cluster"] == {"worker": addresses} for config in configs)
    assert [own[2:] for own in lines] == [["0"], ["10"], ["20"]]


def test_by_default_the_last_lines_go_to_the_standard_output(capsys):
    start_workers(program("print('first'); print('done')"), 1)
    assert capsys.readouterr().out == "worker 0: done\n"


def test_in_a_terminal_the_lines_are_rewritten_in_place():
    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal:
        start_workers(program("print(own); print('x' * 300)"), 2, out=terminal)
    shown = b""
    with contextlib.suppress(OSError):  # at the end
        while True:
            shown += os.read(ours, 1000)
    os.close(ours)
    first, *rest = shown.decode().replace("\x1b[K", "").split("\x1b[2A")
    assert first.splitlines() == ["worker 0: starting", "worker 1: starting"]
    assert rest and all(lines.count("\n") == 2 for lines in rest)
    assert rest[-1].splitlines()[1].startswith("worker 1: xxx")
    width = shutil.get_terminal_size().columns
    for row in rest[-1].splitlines():
        assert len(row) < width  # or the terminal would break it in two


def test_what_else_workers_print_or_start_stops_nobody():
    lots = "import sys; sys.stderr.write('warning\\n' * 100_000)"
    odd = "sys.stdout.buffer.write(b'\\xff\\n')"
    child = "import subprocess; subprocess.Popen(['sleep', '9']); print('done')"
    lines = start_workers(program(lots, odd, child), 2, out=io.StringIO())
    assert [line[-1] for line in lines] == ["done", "done"]


FAILURES = {
    "the command's error": (["exit('error: no data')"], "worker 1 failed: no data"),
    "no words": (["os._exit(3)"], "worker 1 failed: exit code 3"),
    "killed after a warning": (
        ["os.write(2, b'I0000 a library'); os.kill(os.getpid(), 9)"],
        "worker 1 was lost: killed by SIGKILL",
    ),
    "lost another": (["exit('a worker was lost')"], "worker 1 was lost: a worker was"),
}


@pytest.mark.parametrize(("lines", "words"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_and_ends_the_others(monkeypatch, lines, words):
    monkeypatch.setattr(launching, "GRACE", 0.5)
    failing = program("if own == 0:", f"    {WAITS}", *lines)
    with pytest.raises(RuntimeError, match=words):
        start_workers(failing, 2, out=io.StringIO())


def test_the_failure_is_told_and_not_what_came_of_it():
    consequences = program(
        "import sys, time",
        "if own == 0: sys.exit('error: a worker was lost')",
        "time.sleep(0.2)",
        "raise ValueError('the cause')",
    )
    with pytest.raises(RuntimeError, match="worker 1 failed: ValueError: the cause"):
        start_workers(consequences, 2, restarts=3, out=io.StringIO())


def test_wrong_arguments_are_explained():
    with pytest.raises(TypeError, match="program must be a list, got 'worker.py'"):
        start_workers("worker.py", 2)
    with pytest.raises(ValueError, match="number of workers must be at least 1, got 0"):
        start_workers(["worker.py"], 0)


def test_an_interrupt_ends_all_workers(folder, interruptible):
    def interrupt():
        while len(list(folder.glob("*.id"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        start_workers(program(WAITS), 2, out=io.StringIO())


STARTS = """
from mnist_lib import start_workers
start_workers(["-c", "open('alive', 'w').write(' '); import time; time.sleep(99)"], 2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_program_ends_its_workers(folder, number):
    os.mkfifo("alive")  # can be read from as long as a worker is there
    reader = os.open("alive", os.O_RDONLY | os.O_NONBLOCK)
    parent = subprocess.Popen([sys.executable, "-c", STARTS])
    found = b""
    while len(found) < 2:
        assert parent.poll() is None
        with contextlib.suppress(BlockingIOError):
            found += os.read(reader, 9)
    parent.send_signal(number)
    assert parent.wait() == -number
    os.set_blocking(reader, True)
    last = time.monotonic() + 30
    assert os.read(reader, 9) == b"" and time.monotonic() < last
    os.close(reader)


@pytest.mark.slow
def test_workers_of_this_machine_talk_past_any_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_grpc_proxy", "example.org")
    told = "import mnist_lib; mnist_lib.join_cluster(100); print('joined')"
    code = "import io, mnist_lib, sys\n"
    code += "print(mnist_lib.start_workers(['-c', sys.argv[1]], 2, out=io.StringIO()))"
    command = [sys.executable, "-c", code, told]  # a process, since it may hang
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.stdout == f"{[['joined']] * 2}\n", done.stderr


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 9)", "exit('a worker was lost')"]
)
def test_a_lost_worker_is_started_again_but_not_for_ever(end, folder, monkeypatch):
    monkeypatch.setattr(launching, "GRACE", 0)
    out = io.StringIO()
    count = "n = len(os.listdir()); open(f'run{n}', 'w')"
    lines = start_workers(
        program(count, f"if n < 5: {end}", "print(n)"), 1, restarts=3, out=out
    )
    assert lines == [["5"]]
    assert out.getvalue().count("worker 0 was lost; starting all again") == 2
    with pytest.raises(RuntimeError, match="worker 0 was lost"):
        start_workers(program(count, end), 1, restarts=1, out=io.StringIO())
    with pytest.raises(RuntimeError, match="ValueError"):  # no reason to start again
        failing = program(count, "raise ValueError")
        start_workers(failing, 1, restarts=3, out=io.StringIO())
    assert len(list(folder.glob("run*"))) == 3 + 2 + 1


# Trains in 2 epochs of 120 batches, and kills itself once after each batch that it is
# told, with the number of a worker.
TRAINING = """
import json, os, sys
import numpy as np
import tensorflow as tf
import mnist_lib as m

checkpoints, kills = sys.argv[1], json.loads(sys.argv[2])
strategy = m.join_cluster(100)
own = strategy.cluster_resolver.task_id

class Killer(m.Callback):
    def on_batch_end(self, batch, history):
        done = len(history.batch_losses)
        if [done, own] in kills and not os.path.exists(f"killed-{done}"):
            open(f"killed-{done}", "w").close()
            os.kill(os.getpid(), 9)

def rate(step):
    return 0.05 / (1 + step / 100)

def make():
    tf.random.set_seed(7)
    layers = [m.NaiveDense(6, 5, tf.nn.tanh), m.NaiveDense(5, 3, tf.nn.softmax)]
    return m.NaiveSequential(layers)

random = np.random.default_rng(7)
labels = random.integers(0, 3, 599)
images = random.random((599, 6), dtype="float32") + labels[:, None].astype("float32")
try:
    model, history = m.fit_distributed(
        make, images, labels, 2, 5, strategy, rule=m.Momentum, learning_rate=rate,
        shuffle=True, seed=3, checkpoint_dir=checkpoints, verbose=0,
        callbacks=[Killer()], validation_data=(images, labels),
    )
except ConnectionError as error:
    open(f"told-{own}", "w").write(str(error))
    raise
np.savez(f"trained-{own}.npz", *model.weights, **vars(history))
"""


def train(folder, checkpoints, *kills):
    (folder / "train.py").write_text(TRAINING)
    program = ["train.py", checkpoints, json.dumps(kills)]
    out = io.StringIO()
    start_workers(program, 2, len(kills), out)
    assert out.getvalue().count("starting all again") == len(kills)
    return [dict(np.load(folder / f"trained-{own}.npz")) for own in range(2)]


@pytest.mark.slow
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(folder):
    expected = train(folder, "first")
    # First within an epoch; then the one that saves, in the next epoch.
    trained = train(folder, "second", (115, 1), (170, 0))
    assert (folder / "told-0").read_text() == (folder / "told-1").read_text()
    assert "a worker was lost" in (folder / "told-0").read_text()
    for one in trained:
        assert one.keys() == expected[0].keys() and len(one["batch_losses"]) == 240
        for name, values in one.items():
            assert np.array_equal(values, expected[0][name]), name
