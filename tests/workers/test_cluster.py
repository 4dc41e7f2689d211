import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import tf_config

import mnist_lib
from mnist_lib import NaiveDense, NaiveSequential, fit, join_cluster, start_workers
from mnist_lib.workers.addresses import free_addresses, is_listening
from mnist_lib.workers.cluster import translate_error


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_port_in_use_is_told_before_anything_else(monkeypatch, host):
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        addresses = [f"127.0.0.1:{port}", "two:2"]
        monkeypatch.setenv("TF_CONFIG", tf_config(worker=addresses))
        with pytest.raises(OSError, match=f"port {port} of worker 0 is in use"):
            join_cluster(60)


def test_a_worker_that_does_not_come_is_named(monkeypatch):
    addresses = free_addresses(3)
    monkeypatch.setenv("TF_CONFIG", tf_config(1, worker=addresses))
    port = int(addresses[0].partition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(TimeoutError, match=f"from .'{addresses[2]}'. within"):
            join_cluster(0.5)
    assert not is_listening(addresses[1])  # and its own listener is closed


@pytest.mark.integration
@pytest.mark.slow
def test_workers_that_answer_but_do_not_connect_are_told():
    code = "import mnist_lib; mnist_lib.join_cluster(3)"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        addresses = [*free_addresses(1), f"127.0.0.1:{mute.getsockname()[1]}"]
        environment = {**os.environ, "TF_CONFIG": tf_config(worker=addresses)}
        command, pipes = [sys.executable, "-c", code], {"stderr": -1, "text": True}
        done = subprocess.run(command, env=environment, timeout=200, **pipes)
    assert done.returncode == -signal.SIGKILL
    assert "error: the workers answer, but do not connect" in done.stderr


def test_other_errors_of_tensorflow_stay_what_they_are():
    error = tf.errors.InvalidArgumentError(None, None, "shapes")
    assert translate_error(error) is error


# Two workers that are given different things, again and again. At last one of them
# makes another model.
DIFFER = """
import shutil
import numpy as np
import tensorflow as tf
import mnist_lib as m
from mnist_lib.workers import cluster

tf.random.set_seed(7)
strategy = m.join_cluster(100)
own = strategy.cluster_resolver.task_id
told = open(f"told-{own}", "w")
images, labels = np.eye(9, dtype="float32"), np.arange(9) % 3
outputs = 3
shutil.copytree("saved", f"saved-{own}", dirs_exist_ok=True)

def make():
    layers = [m.NaiveDense(9, 4, tf.nn.tanh), m.NaiveDense(4, outputs, tf.nn.softmax)]
    return m.NaiveSequential(layers)

def train(images=images, labels=labels, epochs=1, batch_size=4, **settings):
    settings = {"verbose": 0, **settings}
    try:
        sizes = epochs, batch_size, strategy
        m.fit_distributed(make, images, labels, *sizes, **settings)
        print("trained", file=told, flush=True)
    except ValueError as error:
        print(error, file=told, flush=True)
        if "the model" in str(error):
            raise  # the connection is closed

train(verbose=own, learning_rate=lambda step: 0.1)
train(images=images + np.float32(own))
train(labels=(labels + own) % 3)
train(epochs=1 + own)
train(batch_size=4 + own)
train(learning_rate=0.1 + own)
train(learning_rate=lambda step: 0.1 + own * step)
train(shuffle=True, seed=np.int64(own))
train(shuffle=bool(own), seed=0)
train(shuffle=True)
train(rule=lambda weights: m.Momentum(weights, 0.5 + own / 4))
train(distort=m.Distortion(seed=own))
train(distort=m.Distortion(seed=None))
train(checkpoint_dir=[None, "saved-0"][own])
train(checkpoint_dir=["empty", "saved-0"][own])
train(checkpoint_dir=["saved-0", "other"][own])
train(batch_size=1)
train(checkpoint_dir=f"saved-{own}", epochs=2)
here = cluster.__file__
cluster.__file__ = f"code/{['mnist_lib', 'changed'][own]}/workers/cluster.py"
train()
cluster.__file__ = here
outputs += own
train()
"""
SAME = "must be the same on all workers, got a different one on"
DATA, CHECKPOINT = f"the images and labels {SAME}", f"the checkpoint {SAME}"
TOLD = [
    *["trained", DATA, DATA, f"epochs {SAME}", f"batch_size {SAME}"],
    *[f"learning_rate {SAME}", f"learning_rate {SAME}", f"seed {SAME}"],
    f"shuffle {SAME}",
    "seed must be given, to shuffle on all workers alike, got None",
    *[f"update {SAME}", f"distort {SAME}", f"distort.random {SAME}"],
    *[CHECKPOINT, CHECKPOINT, CHECKPOINT],
    "batch_size must be at least 1 for each of 2 replicas, got 1",
    "trained",
    f"the code {SAME}",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the workers' program, two checkpoints, and two kinds of code."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "differ.py").write_text(DIFFER)
    for name in ("mnist_lib", "changed"):
        shutil.copytree(Path(mnist_lib.__file__).parent, folder / f"code/{name}")
    with (folder / "code/changed/digits/stand_in.py").open("a") as file:
        file.write("# one more line\n")
    tf.random.set_seed(7)  # that of the workers
    for name in ("saved", "other"):
        train_here(folder / name)
    return folder


def train_here(folder):
    images, labels = np.eye(9, dtype="float32"), np.arange(9) % 3
    layers = [NaiveDense(9, 4, tf.nn.tanh), NaiveDense(4, 3, tf.nn.softmax)]
    settings = {"checkpoint_dir": folder, "verbose": 0}
    fit(NaiveSequential(layers), images, labels, 1, 4, **settings)


@pytest.mark.integration
@pytest.mark.slow
def test_workers_that_differ_say_in_what(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(RuntimeError, match="the model and the rule must be the same"):
        start_workers(["differ.py"], 2, out=io.StringIO())
    for own in range(2):
        words = (folder / f"told-{own}").read_text().splitlines()[: len(TOLD)]
        assert words == [
            text.replace("different one on", f"different one on {1 - own}")
            for text in TOLD
        ]
