"""Where the workers are, and which one this is, as TensorFlow's resolvers tell it.

``TF_CONFIG`` is TensorFlow's way of telling a worker about the others. It is JSON:
``{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}``.
Where it is not set, Slurm may have started several tasks, and tells them as much.
"""

import os
import socket
from urllib.parse import urlsplit

import tensorflow as tf

from mnist_lib.checks.arguments import require

EXAMPLE = (
    '{"cluster": {"worker": ["host:port"]}, "task": {"type": "worker", "index": 0}}'
)
Resolver = tf.distribute.cluster_resolver.ClusterResolver


def is_worker() -> bool:
    """Tell whether this process has been started as one of a cluster's workers."""
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    return "TF_CONFIG" in os.environ or tasks != "1"


def find_cluster() -> tuple[Resolver, list[str], int]:
    """Find out who the workers are, from ``TF_CONFIG`` or from Slurm.

    Returns:
        TensorFlow's resolver, the addresses of all workers, a chief first, and which
        of them this one is.

    Raises:
        ValueError: ``TF_CONFIG`` says something else than TensorFlow expects.
        RuntimeError: Slurm does not tell enough.
    """
    if is_worker() and "TF_CONFIG" not in os.environ:
        resolver = slurm_resolver()
    else:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        cluster = resolver.cluster_spec()
        jobs = [job for job in ("chief", "worker") if job in cluster.jobs]
        addresses = [address for job in jobs for address in cluster.job_tasks(job)]
        own = cluster.task_address(resolver.task_type, resolver.task_id)
        different = len({*addresses}) == len(addresses)
        usable = different and all(all(split_address(one)) for one in addresses)
        fits = usable and len(jobs) == len(cluster.jobs)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        fits = False
    got = " ".join(os.environ.get("TF_CONFIG", "nothing").split())
    require(fits, "TF_CONFIG", f"of the form {EXAMPLE}", got)
    return resolver, addresses, addresses.index(own)


def slurm_resolver() -> Resolver:
    """Return a resolver for the tasks of this step of Slurm, one worker each."""
    # It counts a node's ports by its GPUs, so each task gets one here. Which GPUs a
    # task really sees is up to Slurm.
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    slurm = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    )
    cluster, (kind, index) = slurm.cluster_spec(), slurm.get_task_info()
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster,
        task_type=kind,
        task_id=index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )


def split_address(address: str) -> tuple[str | None, int | None]:
    """Return host and port of ``host:port``."""
    parts = urlsplit(f"//{address}")
    return parts.hostname, parts.port


def is_listening(address: str) -> bool:
    """Tell whether somebody listens at an address ``host:port``."""
    try:
        socket.create_connection(split_address(address), timeout=1).close()
    except OSError:
        return False
    return True


def free_addresses(count: int) -> list[str]:
    """Find addresses on this machine that nobody listens at."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return addresses
