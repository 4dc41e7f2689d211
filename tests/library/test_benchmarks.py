"""The benchmarks run, on a few digits: what they measure is not asserted here."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FOLDER = ROOT / "benchmarks"
PEERS = "left out: .*, since (torch|jax) is not installed"


def run(script, *options):
    command = [sys.executable, FOLDER / f"{script}.py", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    results = tmp_path / "epoch.json"
    options = ["--examples", 500, "--rounds", 2, "--units", 32]
    screen = run("epoch", *options, "--json", results)
    found = json.loads(results.read_text())
    rows = found["epochs"]
    for name in (
        "products alone, NumPy",
        "products alone, XLA",
        "eager, fit",
        "Keras fit",
        "graph of an epoch",
    ):
        assert re.search(rf"(?m)^\| {name} +\| +\d+\.\d\d \|", screen)
        assert 0 < rows[name]["least"] <= rows[name]["median"] <= rows[name]["largest"]
        assert rows[name]["to_floor"] > 0
    assert found["machine"]["threads"] >= 1
    assert re.match(r"2\.\d+", found["machine"]["versions"]["tensorflow"])
    peers = {"PyTorch eager", "JAX scan"}
    assert peers <= rows.keys() or re.search(PEERS, screen)


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


def test_accuracy_is_reached_in_a_time(tmp_path):
    results = tmp_path / "accuracy.json"
    options = ["--examples", 1200, "--epochs", 2, "--seeds", 1, 2]
    screen = run(
        "accuracy", *options, "--only", "Keras", "plain", "distorted", "--json", results
    )
    rows = json.loads(results.read_text())["recipes"]
    assert [*rows] == ["Keras", "plain", "distorted"]
    for name, row in rows.items():
        assert re.search(rf"(?m)^{name} +\d\d\.\d\d%", screen)
        assert len(row["accuracies"]) == 2 and 0.3 < row["accuracy"] < 1
        assert row["seconds"] > 0


def test_steps_of_one_and_two_workers_are_measured_and_predicted(tmp_path):
    results = tmp_path / "scaling.json"
    options = ["--rounds", 2, "--batch-sizes", 64, 256]
    screen = run("scaling", *options, "--json", results)
    found = json.loads(results.read_text())
    assert [(row["workers"], row["batch"]) for row in found["rows"]] == [
        (1, 64),
        (1, 256),
        (2, 64),
        (2, 256),
    ]
    assert all(row["ms"] > 0 and row["predicted"] > 0 for row in found["rows"])
    assert len(found["seconds"]["2"]["sum of 407050"]) == 2
    assert found["beyond"][0] == {"workers": 1, "fixed": 1.0, "growing": 1.0}
    assert "measured here" in screen and "predicted" in screen


def test_pages_are_weighed(chromium, tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTHOUSE", "")  # leaves it out
    results = tmp_path / "pages.json"
    screen = run("pages", "--pages", "book/intro", "--json", results)
    row = json.loads(results.read_text())["pages"]["book/intro"]
    assert 2 < row["requests"] < 40
    assert 10_000 < row["gzip"] < row["bytes"]
    assert re.search(r"(?m)^book/intro .*( +-){4}$", screen)


def test_weights_for_the_page_are_trained_and_written(tmp_path):
    file = tmp_path / "weights.safetensors"
    screen = run("drawing_weights", file, "--examples", 200, "--epochs", 1)
    assert file.stat().st_size == 411_288
    assert f"% of the test digits are read with {file}" in screen
