import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import tf_config

from mnist_lib import __main__ as command
from mnist_lib import load_weights
from mnist_lib.workers.addresses import free_addresses, is_listening

COMMAND = [sys.executable, "-m", "mnist_lib"]
QUICK = ["--workers", "2", "--epochs", "1", "--batch-size", "2000"]
ACCURACY = r"\d+\.\d s of training; test (accuracy \d+\.\d\d%)"


@pytest.mark.integration
@pytest.mark.mnist
def test_it_ends_with_the_accuracy_on_which_all_workers_agree():
    done = subprocess.run(COMMAND + QUICK, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    digits, *workers, last = done.stdout.splitlines()
    assert digits.startswith("These are the digits of MNIST")
    found = re.fullmatch(r"Test accuracy (\d+\.\d\d)%", last)[1]
    assert float(found) > 80  # after 30 steps
    told = [re.fullmatch(f"worker .: {ACCURACY}", line)[1] for line in workers]
    assert told == [f"accuracy {found}%"] * 2


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.mnist
def test_workers_started_by_hand_train_and_save_the_weights(tmp_path, mnist):
    path = tmp_path / "folder/digits.safetensors"
    addresses, workers = free_addresses(2), []
    for index in range(2):
        environment = {**os.environ, "TF_CONFIG": tf_config(index, worker=addresses)}
        options = {"env": environment, "stdout": -1, "stderr": -1, "text": True}
        call = [*COMMAND, *QUICK, "--weights", path]
        workers.append(subprocess.Popen(call, **options))
    printed = [worker.communicate() for worker in workers]
    model = command.make_network()
    load_weights(model, path)
    right = command.accuracy(mnist[3], command.predict(model, mnist[2]))
    for out, complaint in printed:
        head, first, last = out.splitlines()  # and nothing else
        assert head == "Epoch 0" and re.fullmatch(r"loss at batch 0: \d\.\d\d", first)
        assert re.fullmatch(ACCURACY, last)[1] == f"accuracy {right:.2%}", complaint


def run_here(monkeypatch, capsys, *options, cluster=None):
    """Run the command in this process; return its exit code and complaint."""
    monkeypatch.setattr(sys, "argv", ["scaling", *options])
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if cluster is not None:
        monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(SystemExit) as caught:
        command.main()
    out, complaint = capsys.readouterr()
    assert out == ""
    return caught.value.code, complaint


WRONG = {
    "no workers": (["--workers", "0"], None, "workers must be at least 1, got 0"),
    "less than none": (["--epochs", "-1"], tf_config(), "epochs must be at least 1"),
    "no batch": (["--batch-size", "0"], None, "batch_size must be at least 1, got 0"),
    "no cluster": ([], "{}", "TF_CONFIG must be of the form "),
}


@pytest.mark.parametrize(("options", "cluster", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_one_line(
    monkeypatch, capsys, options, cluster, words
):
    code, complaint = run_here(monkeypatch, capsys, *options, cluster=cluster)
    assert code == 2
    assert complaint.startswith(f"error: {words}") and complaint.count("\n") == 1


@pytest.mark.integration
def test_the_error_of_a_worker_is_that_of_the_command():
    environment = {**os.environ, "MNIST_SOURCE": "stand-in"}
    call = [*COMMAND, "--learning-rate", "-1"]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    last = "error: worker 0 failed: peak must be positive and finite, got -1.0"
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == last
    assert "NOT the digits of MNIST" in done.stdout


@pytest.mark.integration
def test_an_interrupt_ends_it_without_a_complaint(interruptible):
    addresses = free_addresses(2)
    environment = {**os.environ, "TF_CONFIG": tf_config(worker=addresses)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    waiting = subprocess.Popen(COMMAND, env=environment, **pipes)
    while not is_listening(addresses[0]):
        assert waiting.poll() is None
        time.sleep(0.1)
    waiting.send_signal(signal.SIGINT)
    out, complaint = waiting.communicate()
    assert (waiting.returncode, out) == (130, "") and "Traceback" not in complaint
