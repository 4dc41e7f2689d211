"""Every chapter, run as Google Colab runs it: alone, with the library not yet there.

Each chapter gets an interpreter that has TensorFlow, NumPy, Matplotlib, safetensors
and a kernel, and lies alone in an empty folder. Its first cell installs mnist_lib by
pip from a git repository, which is a copy of this one on the same machine. COLAB_PYTHON
names another interpreter to use as it is, such as the one in Colab's own image.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv

import nbformat
import pytest
from conftest import CHAPTERS, REPOSITORY, ROOT, copy_project
from nbclient import NotebookClient
from packaging.requirements import Requirement

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# pip and setuptools are on Colab too; pip installs the library with them.
BARE = ["tensorflow", "numpy", "matplotlib", "safetensors"]
BARE += ["ipykernel", "pip", "setuptools"]
COLAB_PYTHON = os.environ.get("COLAB_PYTHON")
KERNEL = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


def with_dependencies(names):
    """Return the installed packages of these names and all that they need."""
    found, names = {}, [*names]
    while names:
        name = names.pop()
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        needs = map(Requirement, found[name].requires or [])
        active = [n for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]
        names += [re.sub("[-_.]+", "-", need.name).lower() for need in active]
    return found.values()


def make_bare_environment(folder):
    """Make an environment that sees the BARE packages of this one and nothing else."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for distribution in with_dependencies(BARE):
        tops = {file.parts[0] for file in distribution.files}
        for top in tops - {"..", "__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))
    return folder / "bin/python"


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A git repository with the project's files as they are now, on branch main."""
    folder = tmp_path_factory.mktemp("remote")
    copy_project(folder)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "."]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def install_kernel(remote, folder):
    """Make a kernel "colab" like Colab's, in folder/share; return its interpreter."""
    google = folder / "stand_in/google/colab/__init__.py"
    google.parent.mkdir(parents=True)
    google.touch()
    python = COLAB_PYTHON or make_bare_environment(folder / "env")
    start = [str(python), *KERNEL, "--IPKernelApp.exec_lines=import google.colab"]
    settings = {
        # Leads git from the address in the chapter to the copy; no other is changed.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    if not COLAB_PYTHON:
        settings["PYTHONPATH"] = str(folder / "stand_in")
        settings["PIP_NO_BUILD_ISOLATION"] = "0"  # pip builds with what is there
    spec = {
        "argv": start,
        "display_name": "Colab",
        "language": "python",
        "env": settings,
    }
    target = folder / "share/kernels/colab/kernel.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(spec))
    return python


@pytest.fixture
def run(tmp_path, monkeypatch, remote):
    """Run cells of a chapter; return their outputs, and what was installed."""

    def run(name, cells=slice(None), remote=remote):
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
        python = install_kernel(remote, tmp_path)
        alone = tmp_path / "content"
        alone.mkdir()
        copy = shutil.copy(ROOT / f"{name}.ipynb", alone)
        notebook = nbformat.read(copy, as_version=4)
        notebook.cells = [c for c in notebook.cells if c.cell_type == "code"][cells]
        place = {"metadata": {"path": str(alone)}}
        before = packages(python)
        options = {"timeout": 300, "allow_errors": True, "resources": place}
        NotebookClient(notebook, kernel_name="colab", **options).execute()
        outputs = [output for cell in notebook.cells for output in cell.outputs]
        return outputs, packages(python) - before

    yield run
    if COLAB_PYTHON:  # the next chapter shall install it too
        command = [COLAB_PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes"]
        subprocess.run([*command, "mnist_lib"], check=True)


def packages(python):
    """Return names and versions of what an interpreter has."""
    command = [python, "-m", "pip", "list", "--format", "freeze"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    return {*listing.stdout.split()}


def texts(outputs, kind):
    return [output["text"] for output in outputs if output.get("name") == kind]


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_alone(run, name):
    outputs, installed = run(name)
    errors = [output for output in outputs if output["output_type"] == "error"]
    assert errors == []
    first = texts(outputs, "stdout")[0].splitlines()
    assert len(first) == 1 and first[0].startswith("Installed mnist_lib from git+https")
    warnings = texts(outputs, "stderr")
    assert all("StandInWarning" in warning for warning in warnings)
    assert [package.partition("==")[0] for package in installed] == ["mnist_lib"]


def test_failed_installation_says_what_to_do(run, tmp_path):
    outputs, installed = run(CHAPTERS[0], slice(1), remote=tmp_path / "nowhere")
    assert not installed
    assert outputs[-1]["output_type"] == "error"
    assert "Then run this cell again." in outputs[-1]["evalue"]


def test_elsewhere_nothing_is_installed_and_nothing_said():
    notebook = nbformat.read(ROOT / f"{CHAPTERS[0]}.ipynb", as_version=4)
    source = next(
        c.source for c in notebook.cells if "bootstrap" in c.metadata.get("tags", [])
    )
    command = [sys.executable, "-S", "-c", source]  # without any package
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
