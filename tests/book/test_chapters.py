"""A chapter is begun with one command, and the maps are renewed with another."""

import os
import re
import subprocess
import sys

import chapters
import pytest
from conftest import copy_project

pytestmark = pytest.mark.integration  # of the book's own program


@pytest.fixture
def project(tmp_path):
    copy_project(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "NAME must be"),
        ("Dropout", "NAME must be"),
        ("11_dropout", "NAME must be"),
        ("lambda", "NAME must be"),
        ("tensors", "taken: there is mnist_lib/tensors.py"),
        ("digits", "taken: there is mnist_lib/digits"),
    ],
)
def test_bad_name_is_refused(project, name, words):
    with pytest.raises(ValueError, match=words):
        chapters.begin_chapter(project, name)


def test_maps_follow_the_order_of_the_chapters(project):
    assert chapters.renew_maps(project) == []
    toc, notebook = project / "_toc.yml", project / "book/01_tensors.ipynb"
    toc.write_text(toc.read_text().replace("03_batching", "03_portions"))
    (project / "book/03_batching.ipynb").rename(project / "book/03_portions.ipynb")
    assert chapters.renew_maps(project) == chapters.list_chapters(project)
    assert "→ dense layers → portions → gradient tape →" in notebook.read_text()


@pytest.mark.slow
def test_new_chapter_lacks_only_what_the_conventions_ask_for(project):
    files = chapters.begin_chapter(project, "batch_norm")
    for path in [project / file for file in files]:
        path.write_text(path.read_text().replace(chapters.GAP, "Words"))
    toc, package = project / "_toc.yml", project / "mnist_lib/__init__.py"
    last = "      - file: book/10_drawing\n"
    toc.write_text(toc.read_text().replace(last, f"{last}{last[:19]}11_batch_norm\n"))
    with package.open("a") as start:
        start.write("from mnist_lib.batch_norm import apply_batch_norm\n")
    chapters.renew_maps(project)
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", *files], cwd=project, check=True
    )
    notebook, _, test = files
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--nbmake", notebook, test, "tests/book/test_conventions.py"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},  # before what is installed
        capture_output=True,
        text=True,
    )
    failed = {*re.findall(r"FAILED \S*::(\S+)", done.stdout)}
    assert failed == {
        "test_introduction_reference_and_module_name_each_chapter",
        "test_notebook_keeps_the_conventions[10_drawing]",
    }, done.stdout
