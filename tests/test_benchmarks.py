"""The benchmarks run, on a few digits: what they measure is not asserted here."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

FOLDER = ROOT / "benchmarks"
PEERS = "left out: .*, since (torch|jax) is not installed"


def run(script, *options, fails=False):
    command = [sys.executable, FOLDER / f"{script}.py", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert bool(done.returncode) == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def competitors(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import competitors

    return competitors


@pytest.fixture
def work(competitors, random):
    labels = random.integers(0, 10, 300)
    images = random.random((300, 20)) + labels[:, None] / 10
    images = images.astype("float32")
    return competitors.Work(images, labels, units=(16, 12), batch_size=64)


def test_epochs_are_timed_and_compared(tmp_path):
    results, picture = tmp_path / "epoch.json", tmp_path / "epoch.png"
    options = ["--examples", 500, "--rounds", 2, "--units", 32]
    screen = run("epoch", *options, "--json", results, "--figure", picture)
    found = json.loads(results.read_text())
    rows = found["epochs"]
    for name in (
        "products alone, NumPy",
        "eager, fit",
        "Keras fit",
        "graph of an epoch",
    ):
        assert re.search(rf"(?m)^{name} ", screen)
        assert 0 < rows[name]["least"] <= rows[name]["median"] <= rows[name]["largest"]
        assert rows[name]["to_floor"] > 0
    assert found["machine"]["threads"] >= 1
    assert re.match(r"2\.\d+", found["machine"]["versions"]["tensorflow"])
    assert found["peak_megabytes"] > 100
    assert picture.read_bytes().startswith(b"\x89PNG")
    peers = {"PyTorch eager", "JAX scan"}
    assert peers <= rows.keys() or re.search(PEERS, screen)


def test_threads_and_competitors_can_be_chosen(tmp_path):
    results = tmp_path / "epoch.json"
    options = ["--examples", 300, "--rounds", 1, "--only", "eager, fit"]
    run("epoch", *options, "--threads", 1, "--json", results)
    found = json.loads(results.read_text())
    assert found["machine"]["threads"] == 1
    assert [*found["epochs"]] == ["eager, fit"]


@pytest.mark.parametrize(
    ("script", "options", "words"),
    [
        ("epoch", ["--rounds", 0], "--rounds must be at least 1"),
        ("epoch", ["--units", 8, 0], "--units must be at least 1"),
        ("epoch", ["--figure", "a.xyz"], "--figure must end in .png or .svg"),
        ("epoch", ["--json", "missing/a.json"], "--json must be in a folder that"),
        ("epoch", ["--threads", 999], "--threads must be 1 to "),
        ("epoch", ["--examples", 300, "--only", "Theano"], "No competitor"),
        ("scaling", ["--workers", 1], "at least 2 workers and 2 batch sizes"),
        ("accuracy", ["--epochs", 0], "--epochs must be at least 1"),
        ("accuracy", ["--seeds", -1], "--seeds must be at least 0"),
        ("growth", ["--batch-sizes", 0], "--batch-sizes must be at least 1"),
        ("growth", ["--only", *"abcde"], "--only takes up to four names"),
        ("pages", ["--runs", 0], "--runs must be at least 1"),
        ("pages", ["--site", "missing"], "run `make book` first"),
    ],
)
def test_wrong_options_are_explained(script, options, words):
    assert words in run(script, *options, fails=True)


def test_all_do_the_same_work(competitors, work):
    """The losses of the first epoch agree: to rounding where the order is the same."""
    losses = {}
    for name, prepare in competitors.COMPETITORS.items():
        try:
            losses[name] = prepare(work)()
        except ImportError as error:
            assert error.name in ("torch", "jax")
    learning = {name: loss for name, loss in losses.items() if loss is not None}
    assert len(learning) >= 9
    assert losses.keys() - learning.keys() >= {"products alone, NumPy"}
    assert all("products" in name for name in losses.keys() - learning.keys())
    expected = learning["eager, fit"]
    assert 1 < expected < 3
    for loss in learning.values():
        assert loss == pytest.approx(expected, abs=0.05)


def test_a_competitor_that_does_other_work_is_found(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import epoch

    good = {"a": [2.3, 1.0], "b": [2.3, 1.01], "floor": [None, None]}
    epoch.check_losses(good)
    with pytest.raises(SystemExit, match="c does not do the same work.*epoch 1"):
        epoch.check_losses(good | {"c": [2.3, 1.2]})
    with pytest.raises(SystemExit, match="c does not do the same work"):
        epoch.check_losses(good | {"c": [2.3, float("nan")]})


def test_the_floor_multiplies_the_matrices_of_a_training_step(competitors, work):
    shapes = []

    class Recorder:
        def __init__(self, shape):
            self.shape = shape

        def __getitem__(self, part):
            return Recorder((len(range(*part.indices(self.shape[0]))), self.shape[1]))

    def multiply(a, b):
        assert a.shape[1] == b.shape[0]
        shapes.append((a.shape[0], a.shape[1], b.shape[1]))

    arrays = competitors.floor_arrays(work, lambda array: Recorder(array.shape))
    transpose = lambda a: Recorder(a.shape[::-1])  # noqa: E731
    competitors.products(work, arrays, multiply, transpose)()
    assert len(shapes) == 8 * len(work.batches())  # 3 forward, 3 slopes, 2 back
    count = sum(a * b * c for a, b, c in shapes)
    assert count == 300 * (3 * (20 * 16 + 16 * 12 + 12 * 10) - 20 * 16)


def test_accuracy_is_reached_in_a_time(tmp_path):
    results = tmp_path / "accuracy.json"
    options = ["--examples", 1200, "--epochs", 2, "--seeds", 1, 2]
    screen = run("accuracy", *options, "--only", "Keras", "plain", "distorted",
                 "--json", results)  # fmt: skip
    rows = json.loads(results.read_text())["recipes"]
    assert [*rows] == ["Keras", "plain", "distorted"]
    for name, row in rows.items():
        assert re.search(rf"(?m)^{name} +\d\d\.\d\d%", screen)
        assert len(row["accuracies"]) == 2 and 0.3 < row["accuracy"] < 1
        assert row["seconds"] > 0


def test_a_target_counts_when_most_seeds_reach_it(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import accuracy

    class Watch(accuracy.StopWatch):
        def __init__(self, seconds, accuracies):
            self.seconds, self.accuracies = seconds, accuracies

    runs = [
        Watch([1.0, 2.0], [0.971, 0.982]),
        Watch([1.5, 3.0], [0.96, 0.981]),
        Watch([1.2, 4.0], [0.975, 0.979]),
    ]
    row = accuracy.tabulate(runs)
    assert row["accuracy"] == 0.981
    assert row["seconds_to"][0.97] == 1.2
    assert row["seconds_to"][0.98] == 3.0
    assert row["seconds_to"][0.99] is None


def test_growth_is_measured_in_processes_of_their_own(tmp_path):
    results, picture = tmp_path / "growth.json", tmp_path / "growth.png"
    screen = run(
        "growth", "--examples", 600, "--rounds", 1, "--batch-sizes", 128,
        "--units", 16, 512, "--only", "graph of an epoch, XLA",
        "--json", results, "--figure", picture,
    )  # fmt: skip
    rows = json.loads(results.read_text())["rows"]
    assert {row["units"] for row in rows} == {16, 512}
    assert 1 in {row["threads"] for row in rows}
    assert all(row["seconds"] > 0 and row["peak_megabytes"] > 100 for row in rows)
    assert screen.count("graph of an epoch, XLA") == len(rows)
    assert picture.is_file()


def test_steps_of_one_and_two_workers_are_measured_and_predicted(tmp_path):
    results, picture = tmp_path / "scaling.json", tmp_path / "scaling.png"
    options = ["--rounds", 2, "--batch-sizes", 64, 256, "--figure", picture]
    screen = run("scaling", *options, "--json", results)
    found = json.loads(results.read_text())
    assert [(row["workers"], row["batch"]) for row in found["rows"]] == [
        (1, 64), (1, 256), (2, 64), (2, 256),
    ]  # fmt: skip
    assert all(row["ms"] > 0 and row["predicted"] > 0 for row in found["rows"])
    assert len(found["seconds"]["2"]["all gradients"]) == 2
    assert found["beyond"][0] == {"workers": 1, "fixed": 1.0, "growing": 1.0}
    assert "measured here" in screen and "predicted" in screen
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("score", [None, 0.87])
def test_pages_are_weighed_and_judged(chromium, tmp_path, monkeypatch, score):
    results, options = tmp_path / "pages.json", ["--no-lighthouse"]
    if score:
        names = ["performance", "accessibility", "best-practices", "seo"]
        said = json.dumps({"categories": {name: {"score": score} for name in names}})
        judge = tmp_path / "lighthouse"
        judge.write_text(f"#!/bin/sh\necho '{said}'\n")
        judge.chmod(0o755)
        monkeypatch.setenv("LIGHTHOUSE", str(judge))
        options = ["--runs", 2]
    screen = run("pages", "--pages", "book/intro", *options, "--json", results)
    row = json.loads(results.read_text())["pages"]["book/intro"]
    assert 2 < row["requests"] < 40
    assert 10_000 < row["gzip"] < row["bytes"]
    scores = "87" if score else "-"
    assert re.search(rf"(?m)^book/intro .*( +{scores}){{4}}$", screen)


def test_weights_for_the_page_are_trained_and_written(tmp_path):
    file = tmp_path / "weights.bin"
    screen = run("drawing_weights", file, "--examples", 200, "--epochs", 1)
    assert file.stat().st_size == 410_888
    assert f"% of the test digits are read with {file}" in screen
