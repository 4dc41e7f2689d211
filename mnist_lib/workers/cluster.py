"""From one process to several: find each other, agree on the work.

If workers differ in their data, settings or code, the sum of their gradients is
meaningless. So they compare digests before the first step.
"""

import os
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib.callbacks.checkpoints import saved_checkpoints, state_of
from mnist_lib.checks.arguments import require
from mnist_lib.checks.tracing import describe
from mnist_lib.saving.disk import sha256
from mnist_lib.workers.addresses import find_cluster, is_listening, split_address
from mnist_lib.workers.launching import WORKER_LOST

SETTINGS = "epochs batch_size learning_rate shuffle seed loss update distort".split()
# TensorFlow waits for another worker in a way that nothing in this process can end.
WATCHDOG = """
import os, select, signal, sys
if not select.select([sys.stdin], [], [], float(sys.argv[1]))[0]:
    print("error: the workers answer, but do not connect", file=sys.stderr)
    os.kill(os.getppid(), signal.SIGKILL)
"""


def join_cluster(time_limit: float = 60.0) -> tf.distribute.Strategy:
    """Wait for all workers that ``TF_CONFIG`` or Slurm names, and join them.

    Workers talk to each other directly, whatever proxy the environment names.

    Args:
        time_limit: Seconds to wait until all answer, and again until all are
            connected. After that, the process is ended with a message.

    Returns:
        A strategy that trains on all of them.

    Raises:
        ValueError: ``TF_CONFIG`` is missing or malformed.
        RuntimeError: Slurm does not tell enough.
        OSError: Another program has this worker's port.
        TimeoutError: A worker did not come.
    """
    resolver, addresses, own = find_cluster()
    wait_for_workers(addresses, own, time_limit)
    hosts = [str(split_address(address)[0]) for address in addresses]
    os.environ["no_grpc_proxy"] = ",".join(hosts)  # they answer without one
    watchdog = [sys.executable, "-IS", "-c", WATCHDOG, str(time_limit)]
    with subprocess.Popen(watchdog, stdin=subprocess.PIPE):
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def wait_for_workers(addresses: list[str], own: int, time_limit: float) -> None:
    """Listen at the own address until all others answer at theirs."""
    port, last = split_address(addresses[own])[1], time.monotonic() + time_limit
    try:
        listener = socket.create_server(("", port))
    except OSError as error:
        raise OSError(f"port {port} of worker {own} is in use: {error}") from error
    with listener:
        missing = addresses[:own] + addresses[own + 1 :]
        while missing and time.monotonic() < last:
            missing = [address for address in missing if not is_listening(address)]
            time.sleep(0.1)
    if missing:
        raise TimeoutError(f"no answer from {missing} within {time_limit:g} s")


def facts_of_training(images, labels, settings: dict) -> dict[str, str]:
    """Return what has to be the same on all workers, each as a text."""
    program = Path(getattr(sys.modules["__main__"], "__file__", None) or __file__)
    files = [*sorted(Path(__file__).parents[1].rglob("*.py")), program]
    code = [np.frombuffer(path.read_bytes(), np.uint8) for path in files]
    folder = settings.get("checkpoint_dir")
    saved = saved_checkpoints(Path(folder).expanduser())[-1:] if folder else []
    # An index holds the checksums of all that is saved.
    indexes = [path.with_name(f"{path.name}.index").read_bytes() for path in saved]
    return {
        "the code": sha256(*code),
        "TensorFlow's version": tf.__version__,
        "the images and labels": sha256(np.asarray(images), np.asarray(labels)),
        **{name: str(describe(**{name: settings.get(name)})) for name in SETTINGS},
        "distort.random": str(
            state_of(getattr(settings.get("distort"), "random", None))
        ),
        "the checkpoint": f"{folder is None} {indexes}",
    }


def check_agreement(strategy, images, labels, settings: dict) -> None:
    """Make sure that all workers are about to do the same.

    Args:
        strategy: What connects them.
        images: As for ``fit``.
        labels: As for ``fit``.
        settings: The other arguments of ``fit`` by name.

    Raises:
        ValueError: Something is another one on another worker.
    """
    facts = facts_of_training(images, labels, settings)
    own = np.array([zlib.crc32(fact.encode()) for fact in facts.values()])
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(own[None])
    )
    for replica, theirs in enumerate(strategy.gather(values, axis=0).numpy()):
        for name, same in zip(facts, own == theirs, strict=True):
            require(
                same, name, "the same on all workers", f"a different one on {replica}"
            )


def translate_error(error: tf.errors.OpError) -> Exception:
    """Return what an error of TensorFlow means to workers, or itself."""
    if isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError):
        advice = "Start all again; from a checkpoint they go on"
        return ConnectionError(f"{WORKER_LOST}. {advice}")
    if "Collective ops is aborted" in str(error):
        expected = "must be the same on all workers, got several"
        return ValueError(f"the model and the rule {expected}")
    return error
