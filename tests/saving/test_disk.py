import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from mnist_lib.saving import disk


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some file"
    disk.write_whole(path, b"old")
    return path


def test_without_a_folder_or_with_one_in_its_place_it_says_so(path, tmp_path):
    (tmp_path / "folder").mkdir()
    for place in ("missing/file", "some file/file", "folder"):
        with pytest.raises(OSError, match=f"{place} could not be written: [A-Z]"):
            disk.write_whole(tmp_path / place, b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, "folder"}
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("size", [0, 100, 4096])
def test_a_full_disk_leaves_the_old_file_alone(path, tmp_path, size):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:  # files that may not grow fail like a full disk
        with pytest.raises(OSError, match=f"{path} could not be written: File too"):
            disk.write_whole(path, bytes(10**6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.integration
@pytest.mark.slow
def test_a_killed_write_leaves_the_old_file_alone(path, tmp_path):
    # From its folder, so that disk.py comes alone, without TensorFlow.
    code = "import disk, sys; disk.write_whole(sys.argv[1], bytes(10**8))"
    command = [sys.executable, "-c", code, path]
    child = subprocess.Popen(command, cwd=ROOT / "mnist_lib/saving")
    while len(os.listdir(tmp_path)) < 2:  # until there is an unfinished file
        assert child.poll() is None
    child.kill()
    child.wait()
    assert path.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 2


def test_a_digest_is_that_of_all_bytes_in_order():
    # From `printf abcdef | sha256sum`.
    digest = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
    letters = [np.frombuffer(part, np.uint8) for part in (b"abc", b"def")]
    assert disk.sha256(*letters) == digest
    assert disk.sha256(*letters[::-1]) != digest
    pixels = np.arange(6.0).reshape(2, 3)
    assert disk.sha256(pixels) == disk.sha256(np.asfortranarray(pixels))
    assert disk.sha256(pixels) != disk.sha256(pixels.T)
