"""A chapter is begun with one command, and the maps are renewed with another."""

import os
import subprocess
import sys

import chapters
import pytest
from conftest import ROOT, copy_project

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
def test_bad_name_is_refused(name, words):
    assert words in chapters.find_problem(ROOT, name)


def test_maps_follow_the_order_of_the_chapters(project):
    assert chapters.renew_maps(project) == []
    toc, notebook = project / "_toc.yml", project / "book/01_tensors.ipynb"
    toc.write_text(toc.read_text().replace("03_batching", "03_portions"))
    (project / "book/03_batching.ipynb").rename(project / "book/03_portions.ipynb")
    assert chapters.renew_maps(project) == chapters.list_chapters(project)
    assert "→ dense layers → portions → gradient tape →" in notebook.read_text()


@pytest.mark.slow
def test_new_chapter_follows_all_conventions(project):
    name = chapters.begin_chapter(project, "batch_norm")
    for path in project.glob("book/*.ipynb"):
        path.write_text(path.read_text().replace(chapters.GAP, "words"))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbmake",
    ]
    files = [
        f"book/{name}.ipynb",
        "tests/test_batch_norm.py",
        "tests/book/test_conventions.py",
    ]
    path = {"PYTHONPATH": str(project)}  # before the package that is installed
    done = subprocess.run(
        [*command, *files],
        cwd=project,
        env=os.environ | path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    ruff = [sys.executable, "-m", "ruff"]
    for order in (["check"], ["format", "--check"]):
        subprocess.run([*ruff, *order, "."], cwd=project, check=True)
