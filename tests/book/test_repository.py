"""What several files say: the repository's address, commands, Pythons, the release."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import repository
import yaml
from conftest import ROOT, copy_project

# What a copy of the repository would have in its place; a link to another project
# is no mistake, but one that opens or installs something is.
ADDRESS = re.compile(
    r"(?P<start>git\+https://github\.com|git clone https://github\.com|https://github\.com"
    r"|colab\.research\.google\.com/github|mybinder\.org/v2/gh)/"
    r"(?P<slug>[\w.-]+/[\w.-]*\w)"
)
OTHERS = {
    "OWNER/NAME",
    "fchollet/deep-learning-with-python-notebooks",
    "googlecolab/backend-info",
}


def problems_of_addresses(root):
    """Say which files name another repository or published book than _config.yml."""
    url, problems = repository.current(root), []
    own = "/".join(repository.parts(url))
    for path, text in repository.texts(root).items():
        if path.name == Path(__file__).name:
            continue
        for found in ADDRESS.finditer(text):
            slug = found["slug"].removesuffix(".git")
            other = slug in OTHERS and found["start"] == "https://github.com"
            if slug != own and not other:
                problems.append(f"{path.name}: {found[0]} is not {own}")
        for found in re.findall(r"https://[\w-]+\.github\.io/(?:[\w.-]+/)?", text):
            if not found.startswith(repository.published(url)):
                problems.append(f"{path.name}: {found} is not where the book will be")
    return problems


@pytest.fixture
def project(tmp_path):
    """A copy of the project without what was installed or built, and these tests."""
    copy_project(tmp_path, but=Path(__file__).name)  # it has addresses to try
    return tmp_path


@pytest.mark.integration
def test_all_addresses_are_those_of_the_settings():
    assert problems_of_addresses(ROOT) == []


def set_address(project, url):
    command = ["make", "repository", f"URL={url}", f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("url", "address", "book"),
    [
        (
            "git@github.com:Ada-L/digits.git",
            "https://github.com/Ada-L/digits",
            "https://ada-l.github.io/digits/",
        ),
        (
            "ada/ada.github.io",
            "https://github.com/ada/ada.github.io",
            "https://ada.github.io/",
        ),
    ],
)
def test_address_is_changed_everywhere_and_back(project, url, address, book):
    (project / "gone").symlink_to("nowhere")  # as editors leave them
    before = repository.texts(project)
    old = repository.current(project)
    slug = "/".join(repository.parts(old))
    named = [path for path, text in before.items() if slug in text]
    assert len(named) > 7  # the settings, this test, and every chapter
    assert set_address(project, url).returncode == 0
    assert repository.current(project) == address
    assert repository.published(url) == book
    assert problems_of_addresses(project) == []
    left = [path for path, text in repository.texts(project).items() if slug in text]
    assert left == []
    assert set_address(project, old).returncode == 0
    assert repository.texts(project) == before


REFUSED = """https://gitlab.com/a/b https://github.com/a https://github.com/a_b/c
https://github.com/-a/b https://github.com/a/.. https://github.com/a/é
https://github.com/a/b/tree/main"""


@pytest.mark.parametrize("url", ["", *REFUSED.split()])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(
        ValueError, match="URL must be OWNER/NAME or https://github.com/OWNER/NAME"
    ):
        repository.parts(url)


@pytest.mark.integration
def test_only_addresses_in_files_of_the_project_are_changed(project):
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    installed = project / ".venv/lib/page.md"
    installed.parent.mkdir(parents=True)
    installed.write_text(repository.current(project))
    set_address(project, "https://github.com/book/intro")
    set_address(project, "https://github.com/ada/digits")
    assert "root: book/intro\n" in (project / "_toc.yml").read_text()
    assert repository.PLACEHOLDER in installed.read_text()


# Commands, Pythons, release


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_command_that_is_named_exists():
    lines = re.findall(r"(?m)^([a-z][a-z -]*):(?!=)", read("Makefile"))
    targets = {target for line in lines for target in line.split()}
    places = "*.md .github/**/*.md .github/**/*.yml .devcontainer/*.json .ci/*".split()
    for path in [path for place in places for path in ROOT.glob(place)]:
        text = re.sub(r"(?m)^ *#.*|  #.*", "", path.read_text(encoding="utf-8"))
        if path.suffix == ".md":
            text = "\n".join(re.findall(r"(?s)```sh\n.*?```|`[^`]+`", text))
        for words in re.findall(r"(?m)(?:^|[\s\"`])make((?: [a-z][a-z-]*\b)+)", text):
            assert {*words.split()} <= targets, path


def test_all_files_name_the_same_pythons():
    limits = r"\(3, (\d+)\) <= sys.version_info < \(3, (\d+)\)"
    found = re.search(limits, read("Makefile")).groups()
    allowed = [f"3.{minor}" for minor in range(*map(int, found))]
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert project["requires-python"] == f">={allowed[0]}"
    assert {*re.findall(r'"(3\.\d+)"', read(".github/workflows/test.yml"))} == {
        *allowed
    }
    for path in (".binder/runtime.txt", ".devcontainer/devcontainer.json"):
        assert re.search(r"python[:-](3\.\d+)", read(path))[1] in allowed


def test_all_files_name_the_same_release():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    cited = yaml.safe_load(read("CITATION.cff"))
    headings = re.findall(r"(?m)^## (.+)$", read("CHANGELOG.md"))
    assert cited["version"] == version
    newest = headings["Unreleased" in headings[:1]]
    assert newest == f"{version} – {cited['date-released']}"
