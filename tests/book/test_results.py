"""The results of chapters: what makes a chapter run again, and what does not."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import results
from conftest import CHAPTERS, ROOT

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
    return {path.stem: results.find_state(project, path) for path in notebooks}


def chapters_to_run(project, change):
    before = states(project)
    change()
    after = states(project)
    return {name for name in after if after[name] != before.get(name)}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def edit_cell(path, cell_type, text):
    notebook = json.loads(path.read_bytes())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == cell_type]
    cells[-1]["source"] = text
    path.write_text(json.dumps(notebook))


def test_prose_comments_and_docstrings_run_nothing(project):
    module, notebook = (
        project / "mnist_lib/compiling.py",
        next(project.glob("book/01*")),
    )

    def change():
        edit(module, '"""', '"""Other words. ')
        edit(module, "\ndef ", "\n# A comment.\ndef ")
        edit_cell(notebook, "markdown", "Other words.")
        (project / "requirements.txt").write_text("# A comment.\n")

    shows_source = {
        path.stem
        for path in project.glob("book/*")
        if path.is_file() and b"inspect.getsource" in path.read_bytes()
    }
    assert chapters_to_run(project, change) <= shows_source


def test_a_changed_module_runs_the_chapters_that_use_it(project):
    module = project / "mnist_lib/compiling.py"
    names = chapters_to_run(project, lambda: append(module, "X = 1\n"))
    assert {"07_compiling", "08_improving"} <= names
    assert not {"01_tensors", "02_dense_layers", "04_gradient_tape"} & names


def test_what_modules_import_counts(project):
    module = project / "mnist_lib/batching.py"
    names = chapters_to_run(project, lambda: append(module, "X = 1\n"))
    assert {"03_batching", "05_training", "07_compiling"} <= names
    assert "01_tensors" not in names  # draws no batch


def test_a_new_module_runs_nothing(project):
    def change():
        module = project / "mnist_lib/dropout.py"
        module.write_text('__all__ = ["drop"]\n\n\ndef drop(x):\n    return x\n')
        start = project / "mnist_lib/__init__.py"
        edit(start, "from ", "from mnist_lib.dropout import drop\nfrom ")
        edit(start, "__all__ = [", '__all__ = [\n    "drop",')

    assert not chapters_to_run(project, change)


def test_a_changed_cell_runs_its_chapter(project):
    notebook = project / "book/01_tensors.ipynb"
    change = lambda: edit_cell(notebook, "code", "1 + 1")  # noqa: E731
    assert chapters_to_run(project, change) == {"01_tensors"}


@pytest.mark.parametrize("what", ["version", "digits", "style"])
def test_versions_digits_and_style_run_everything(project, monkeypatch, what):
    digits = project / "mnist.npz"
    digits.write_bytes(b"1")
    monkeypatch.setenv("MNIST_NPZ", str(digits))
    change = {
        "version": lambda: monkeypatch.setattr(results, "version", lambda name: "9"),
        "digits": lambda: digits.write_bytes(b"2"),
        "style": lambda: (project / "book/matplotlibrc").write_text("font.size: 9"),
    }
    assert len(chapters_to_run(project, change[what])) == len(CHAPTERS)


def test_a_file_that_a_chapter_reads_counts(project):
    weights = project / "book/_static/draw/weights.safetensors"
    weights.parent.mkdir(parents=True)
    change = lambda: weights.write_bytes(b"1")  # noqa: E731
    assert chapters_to_run(project, change) == {"10_drawing"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from mnist_lib import fit, checks", {"fit", "checks"}),
        ("from mnist_lib.archives import read_arrays", {"archives", "read_arrays"}),
        ("mnist_lib.fit(model)", {"fit"}),
        ("from . import checks", {"checks"}),
        ("run(['-m', 'mnist_lib.scaling'])", {"scaling"}),
        ("run(['-m', 'mnist_lib', '--workers'])", {"__main__"}),
        ("names = 'fit'; code = f'from mnist_lib import {names}'", {"fit"}),
        ("%run mnist_lib fit", {"fit"}),
    ],
)
def test_names_of_the_library_are_found(code, words):
    assert words <= results.used_words(code)


def test_another_name_for_the_library_is_no_way_out(project):
    edit_cell(
        project / "book/01_tensors.ipynb", "code", "import mnist_lib as ml\nml.fit"
    )
    module = project / "mnist_lib/training.py"
    names = chapters_to_run(project, lambda: append(module, "X = 1\n"))
    assert "01_tensors" in names


def test_names_of_others_are_not():
    assert not results.used_words("model.fit(x)\nprint('accuracy', np.tensors)")


def test_the_last_used_states_are_kept(tmp_path):
    env = SimpleNamespace(srcdir=tmp_path, metadata={"a": {}}, doc2path=str)
    env.mystnb_config = SimpleNamespace(copy=lambda **settings: settings)
    folders = [tmp_path / f"a/{number}" for number in range(results.KEPT + 2)]
    for second, folder in enumerate(folders):
        folder.mkdir(parents=True)
        os.utime(folder, (second, second))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "page_state", lambda env, page: folders[0])
        results.choose_results(SimpleNamespace(env=env), "a", [])
    assert [folder.name for folder in folders if folder.exists()] == list("03456")
    assert env.mystnb_config == {"execution_cache_path": str(folders[0])}


@pytest.mark.integration
def test_command_names_the_chapters_without_results(project):
    first, *others = [f"{name}.ipynb" for name in CHAPTERS]
    state = states(project)["01_tensors"]
    run = [sys.executable, EXTENSION]
    for expected in ([first, *others], others):
        done = subprocess.run(run, cwd=project, capture_output=True, text=True)
        assert done.stdout.splitlines() == expected, done.stderr
        result = state / "executed/1/base.ipynb"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.touch()


def test_a_module_is_found_by_what_it_defines_only(tmp_path):
    module = tmp_path / "a.py"
    module.write_text("import numpy as np\n\nB: int = 1\nC = np.ones(B)\n")
    assert results.read_module(module).names == {"a", "B", "C"}
