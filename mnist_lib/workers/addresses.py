"""From a text to addresses: where the workers are, and which one this is.

``TF_CONFIG`` is TensorFlow's way of telling a worker about the others. It is JSON:
``{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}``.
"""

import json
import re
import socket

from mnist_lib.checks import require

EXAMPLE = (
    '{"cluster": {"worker": ["host:port"]}, "task": {"type": "worker", "index": 0}}'
)


def read_cluster(text: str) -> tuple[list[str], int]:
    """Read ``TF_CONFIG``.

    Args:
        text: Its content.

    Returns:
        The addresses of all workers, a chief first, and which of them this one is.

    Raises:
        ValueError: It says something else than TensorFlow expects.
    """
    try:
        config = json.loads(text)
        jobs, task = dict(config["cluster"]), config["task"]
        names = [name for name in ("chief", "worker") if name in jobs]
        addresses = [address for name in names for address in jobs[name]]
        own = (
            jobs[task["type"]][int(task["index"])] if int(task["index"]) >= 0 else None
        )
        usable = all(0 < split_address(address)[1] < 2**16 for address in addresses)
        fits = len(jobs) == len(names) and own in addresses and usable
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        fits = False
    require(fits, "TF_CONFIG", f"of the form {EXAMPLE}", " ".join(text.split()))
    twice = len({*addresses}) < len(addresses)
    require(not twice, "the addresses in TF_CONFIG", "different", addresses)
    return addresses, addresses.index(own)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port``, or of IPv6's ``[host]:port``."""
    parts = re.fullmatch(r"(\[[\w:.%]+\]|[^][\s:/]+):(\d+)", address)
    return parts[1].strip("[]"), int(parts[2])


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
