import socket

import pytest
from conftest import tf_config

from mnist_lib.workers.addresses import (
    find_cluster,
    free_addresses,
    is_listening,
    is_worker,
    split_address,
)


@pytest.fixture
def read_cluster(monkeypatch):
    """What is found where ``TF_CONFIG`` is a text: all addresses, and the own one."""

    def read(text):
        monkeypatch.setenv("TF_CONFIG", text)
        return find_cluster()[1:]

    return read


def test_it_reads_who_the_workers_are_and_which_one_this_is(read_cluster):
    assert read_cluster(tf_config(1)) == (["one:1", "two:2"], 1)
    assert read_cluster(tf_config("1")) == (["one:1", "two:2"], 1)
    jobs = {"worker": ["one:1", "two:2"], "chief": ["head:3"]}
    assert read_cluster(tf_config(1, **jobs)) == (["head:3", "one:1", "two:2"], 2)
    assert read_cluster(tf_config(0, "chief", **jobs))[1] == 0


SLURM = {
    "SLURM_PROCID": "2",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
}


def test_slurm_tells_who_the_workers_are(monkeypatch, read_cluster):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert not is_worker()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")  # one task is no cluster
    assert not is_worker()
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    resolver, addresses, own = find_cluster()
    assert addresses == ["node1:8888", "node1:8889", "node2:8888"] and own == 2
    assert is_worker() and resolver.num_accelerators() == {"GPU": 0}
    assert (resolver.task_type, resolver.task_id) == ("worker", 2)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(RuntimeError, match="SLURM_STEP_NODELIST not found"):
        find_cluster()
    assert read_cluster(tf_config(1)) == (["one:1", "two:2"], 1)  # it counts more


MALFORMED = {
    "no JSON": "worker 0",
    "a list of jobs": '{"cluster": ["one:1"], "task": {"type": "worker", "index": 0}}',
    "no task": '{"cluster": {"worker": ["one:1"]}}',
    "no cluster": '{"task": {"type": "worker", "index": 0}}',
    "a negative index": tf_config(-1),
    "an index too large": tf_config(2),
    "another kind of task": tf_config(kind="boss"),
    "no port": tf_config(worker=["one"]),
    "a port too large": tf_config(worker=["one:65536"]),
    "an address twice": tf_config(worker=["one:1", "one:1"]),
    "several lines": '{\n"cluster":\n{}}',
    "parameter servers": tf_config(worker=["one:1"], ps=["two:2"]),
}


def test_what_is_no_cluster_is_explained_in_one_line(read_cluster):
    for text in MALFORMED.values():
        with pytest.raises(ValueError, match="^TF_CONFIG must be of the form {") as e:
            read_cluster(text)
        assert "\n" not in str(e.value)


def test_only_who_listens_at_an_address_answers():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert is_listening(f"localhost:{port}") and is_listening(f"127.0.0.1:{port}")
    assert not is_listening(f"localhost:{port}")
    assert not is_listening("no-such-host.invalid:1")


def test_free_addresses_are_different_and_can_be_taken():
    addresses = free_addresses(3)
    assert len({*addresses}) == 3
    for address in addresses:
        assert not is_listening(address)
        with socket.create_server(split_address(address)):
            assert is_listening(address)
