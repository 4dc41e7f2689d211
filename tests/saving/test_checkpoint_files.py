import contextlib
import re
import resource

import numpy as np
import pytest
import tensorflow as tf

from mnist_lib.saving import checkpoint_files
from mnist_lib.saving.checkpoint_files import (
    check_folder,
    checkpoints_in,
    pack,
    read_facts,
    write_checkpoint,
)

DATA, INDEX = ".data-00000-of-00001", ".index"


class Diary(tf.train.experimental.PythonState):
    """The smallest diary: a number, and bytes that need room."""

    def __init__(self, number=0, size=9):
        self.number, self.noise = number, np.random.default_rng(1).random(size)

    def serialize(self):
        return pack({"number": self.number}, {"noise": self.noise})

    def deserialize(self, content):
        self.number = checkpoint_files.unpack(content)[0]["number"]


def write(folder, *numbers, **settings):
    """Write a checkpoint for each number."""
    for number in numbers:
        diary = Diary(number, **settings)
        parts = {"weights": [tf.Variable(float(number))], "diary": diary}
        write_checkpoint(tf.train.Checkpoint(**parts), folder)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def files_of(*numbers):
    endings = ".data-00000-of-00001", ".index"
    return sorted(f"training-{number}{end}" for number in numbers for end in endings)


def test_the_two_newest_are_kept(tmp_path):
    write(tmp_path, 1)
    assert names(tmp_path) == files_of(1)
    write(tmp_path, *range(2, 12))  # 10 is newer than 9, other than in the alphabet
    assert names(tmp_path) == files_of(10, 11)
    assert checkpoints_in(tmp_path) == [tmp_path / f"training-{i}" for i in (10, 11)]
    assert [read_facts(path)["number"] for path in checkpoints_in(tmp_path)] == [10, 11]


def test_an_empty_and_a_missing_folder_have_no_checkpoint(tmp_path):
    assert checkpoints_in(tmp_path) == checkpoints_in(tmp_path / "missing") == []


def test_other_files_stay_and_do_not_disturb(tmp_path):
    others = ["training-best.index", "training-1.index.old", "training-notes.txt",
              "mytraining-7.index", "training-.index", "unfinished",
              "checkpoint"]  # fmt: skip
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "training-8").mkdir()
    write(tmp_path, 1, 2, 3)
    assert names(tmp_path) == sorted([*others, "training-8", *files_of(2, 3)])


@pytest.mark.parametrize("name", ["größer ]", "deep/training-1"])
def test_a_folder_may_have_any_name(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = type(tmp_path)(name)
    check_folder(folder)
    assert names(folder) == []  # nothing is left of the attempt
    write(folder, 1, 2, 3)
    assert names(folder) == files_of(2, 3)
    assert read_facts(checkpoints_in(folder)[-1]) == {"number": 3}


def test_a_name_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path):
    # It would write there, but find nothing to go on from.
    for name in ("run[1]", "what?", "*", "back\\slash"):
        with pytest.raises(ValueError, match="must be a path without any"):
            check_folder(tmp_path / name)
    assert names(tmp_path) == []


def test_what_a_killed_write_left_is_cleaned_up_by_the_next(tmp_path):
    write(tmp_path, 1, 2, 3)
    part = tmp_path / "unfinished_temp/part-00000-of-00001.index.tempstate12345"
    part.parent.mkdir()
    left = [part, tmp_path / "unfinished.index", tmp_path / f"unfinished{DATA}"]
    left += [tmp_path / f"training-{i}.data-00000-of-00001" for i in (1, 4)]
    for path in left:
        path.write_bytes(b"half")
    assert [path.name for path in checkpoints_in(tmp_path)] == [
        "training-2", "training-3"
    ]  # fmt: skip
    write(tmp_path, 4)
    assert names(tmp_path) == files_of(3, 4)
    assert read_facts(tmp_path / "training-4") == {"number": 4}


@contextlib.contextmanager
def files_of_at_most(size):
    """Let files grow to a size only: a real error of the disk, without its end."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_failed_write_is_explained_and_leaves_the_old_ones(tmp_path):
    write(tmp_path, 1, 2)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with files_of_at_most(300), pytest.raises(OSError) as caught:
        write(tmp_path, 3, size=10**5)
    start, end = f"no checkpoint could be written to {tmp_path}: ", "goes on from it"
    text = str(caught.value)
    assert text.startswith(start) and text.endswith(end) and "File too large" in text
    assert "{{" not in text and "[Op:" not in text and "\n" not in text
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    write(tmp_path, 3, size=10**5)
    assert names(tmp_path) == files_of(2, 3)


def refused(path, words=None, rest="training-1"):
    """Whether it is refused in a line that says which files to delete."""
    with pytest.raises(ValueError, match=words) as caught:
        read_facts(path)
    text = str(caught.value)
    assert text.startswith(f"the checkpoint {path} is not usable: ")
    assert not re.search(r"\{\{|\[Op:|\[\[|\n", text)
    return text.endswith(f". Delete {path}.* to go on from {rest}")


@pytest.mark.parametrize("ending", [DATA, INDEX])
def test_a_truncated_file_is_refused(tmp_path, ending):
    write(tmp_path, 1, 2)
    path = tmp_path / f"training-2{ending}"
    content = path.read_bytes()
    for part in (0, 0.01, 0.5, 0.99):
        path.write_bytes(content[: int(part * len(content))])
        assert refused(tmp_path / "training-2")
    for file in tmp_path.glob("training-2.*"):  # as the error says
        file.unlink()
    assert checkpoints_in(tmp_path) == [tmp_path / "training-1"]
    assert read_facts(tmp_path / "training-1") == {"number": 1}


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "every"), [(DATA, 11), (INDEX, 1)])
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path, ending, every):
    write(tmp_path, 1, 2)
    path = tmp_path / f"training-2{ending}"
    content, harmless = path.read_bytes(), 0
    for i in range(0, len(content), every):
        path.write_bytes(content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :])
        try:
            assert read_facts(tmp_path / "training-2") == {"number": 2}
            reader = tf.train.load_checkpoint(tmp_path / "training-2")
            (name,) = [n for n in reader.get_variable_to_shape_map() if "weig" in n]
            assert reader.get_tensor(name) == 2.0
            harmless += 1  # the index is filled up with zeros that nobody reads
        except ValueError:
            assert refused(tmp_path / "training-2")
    assert harmless == 0 if ending == DATA else harmless < len(content) / 3


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    write(tmp_path, 1)
    other = tf.train.Checkpoint(step=tf.Variable(3))
    other.write(str(tmp_path / "training-2"))
    assert refused(tmp_path / "training-2", "py_state")


class Trap:
    def __reduce__(self):
        return (open, ("ran", "w"))


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", pack({}, {})[:-9], pack({}, {"facts.": np.array(Trap())})],
    ids=["empty", "no archive", "cut off", "an object"],
)
def test_an_unreadable_diary_is_refused_and_never_run(tmp_path, content, monkeypatch):
    class Unreadable(Diary):
        def serialize(self):
            return content

    monkeypatch.chdir(tmp_path)
    write(tmp_path, 1)
    tracked = tf.train.Checkpoint(diary=Unreadable())
    write_checkpoint(tracked, tmp_path)
    assert refused(tmp_path / "training-2")
    assert not (tmp_path / "ran").exists()


def test_facts_and_arrays_come_back_as_they_were():
    state = np.random.default_rng(3).bit_generator.state
    facts = {"state": state, "rate": 0.1, "nothing": None, "ä\n": [1, True, "two"]}
    arrays = {"order": np.arange(9)[::-1], "none": [], "losses": [0.1, 1 / 3, np.inf]}
    read, lists = checkpoint_files.unpack(pack(facts, arrays))
    assert read == facts
    assert {name: array.tolist() for name, array in lists.items()} == {
        name: list(array) for name, array in arrays.items()
    }


def test_arrays_in_a_state_become_lists_that_numpy_takes_back():
    for kind in (np.random.MT19937, np.random.Philox, np.random.SFC64):
        first, second = np.random.Generator(kind(1)), np.random.Generator(kind(2))
        first.random(3)
        facts, _ = checkpoint_files.unpack(pack(first.bit_generator.state, {}))
        second.bit_generator.state = facts
        assert np.array_equal(first.random(500), second.random(500))
