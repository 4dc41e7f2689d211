"""The results of chapters: what makes a chapter run again, and what does not."""

import json
import shutil
import subprocess
import sys

import pytest
import results
from conftest import NOTEBOOKS, ROOT

EXTENSION = "book/_extension/results.py"
pytestmark = pytest.mark.integration  # of the book's own program


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "mnist_lib", tmp_path / "mnist_lib")
    for file in [*ROOT.glob("book/*.ipynb"), ROOT / "book/matplotlibrc", EXTENSION]:
        copy = tmp_path / (ROOT / file).relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, copy)
    return tmp_path


def states(project):
    results.library.cache_clear()
    results.surroundings.cache_clear()
    notebooks = sorted(project.glob("book/*.ipynb"))
    return {f"book/{n.stem}": results.find_state(project, n) for n in notebooks}


def chapters_to_run(project, change):
    before = states(project)
    change()
    after = states(project)
    return {name for name in after if after[name] != before[name]}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_cell(path, cell_type, text):
    notebook = json.loads(path.read_bytes())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == cell_type]
    cells[-1]["source"] = text
    path.write_text(json.dumps(notebook))


def test_prose_comments_and_docstrings_run_nothing(project):
    module = project / "mnist_lib/compiling.py"

    def change():
        edit(module, '"""', '"""Other words. ')
        edit(module, "\ndef ", "\n# A comment.\ndef ")
        edit_cell(project / "book/01_tensors.ipynb", "markdown", "Other words.")

    found = chapters_to_run(project, change)
    assert all("inspect" in (ROOT / f"{name}.ipynb").read_text() for name in found)


def test_a_changed_cell_or_file_runs_its_chapter(project):
    weights = project / "book/_static/draw/weights.safetensors"
    weights.parent.mkdir(parents=True)

    def change():
        edit_cell(project / "book/01_tensors.ipynb", "code", "1 + 1")
        weights.write_bytes(b"1")

    assert chapters_to_run(project, change) == {"book/01_tensors", "book/10_drawing"}


@pytest.mark.parametrize("what", ["code", "version", "digits", "style"])
def test_library_versions_digits_and_style_run_everything(project, monkeypatch, what):
    digits = project / "mnist.npz"
    digits.write_bytes(b"1")
    monkeypatch.setenv("MNIST_NPZ", str(digits))
    module = project / "mnist_lib/compiling.py"
    change = {
        "code": lambda: edit(module, "\ndef ", "\nX = 1\n\n\ndef "),
        "version": lambda: monkeypatch.setattr(results, "version", lambda name: "9"),
        "digits": lambda: digits.write_bytes(b"2"),
        "style": lambda: (project / "book/matplotlibrc").write_text("font.size: 9"),
    }
    assert chapters_to_run(project, change[what]) == {*NOTEBOOKS}


def test_command_names_the_chapters_without_results(project):
    first, *others = sorted(f"{name}.ipynb" for name in NOTEBOOKS)
    for expected in ([first, *others], others):
        command = [sys.executable, EXTENSION]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        assert done.stdout.splitlines() == expected, done.stderr
        result = states(project)[first[:-6]] / "executed/1/base.ipynb"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.touch()
