"""What several files say: the repository's address, commands, Pythons, the release."""

import contextlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ADDRESS as PAGE
from conftest import NAME, OWNER, ROOT, copy_project

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


def read_texts(root):
    """Return the contents of the project's text files by their paths."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, check=True)
    found = {}
    for name in filter(None, listing.stdout.decode().split("\0")):
        with contextlib.suppress(OSError, UnicodeDecodeError):  # gone, or a picture
            found[name] = Path(root, name).read_text(encoding="utf-8")
    return found


def problems_of_addresses(root, slug, page):
    """Say which files name another repository or published book than these."""
    problems = []
    for path, text in read_texts(root).items():
        if path.endswith(Path(__file__).name):
            continue
        for found in ADDRESS.finditer(text):
            named = found["slug"].removesuffix(".git")
            other = named in OTHERS and found["start"] == "https://github.com"
            if named != slug and not other:
                problems.append(f"{path}: {found[0]} is not {slug}")
        for found in re.findall(r"https://[\w-]+\.github\.io/(?:[\w.-]+/)?", text):
            if found != page:
                problems.append(f"{path}: {found} is not where the book will be")
    return problems


@pytest.mark.integration
def test_all_addresses_are_those_of_the_settings():
    assert problems_of_addresses(ROOT, f"{OWNER}/{NAME}", PAGE) == []


def set_address(project, url):
    command = ["make", "--no-print-directory", "repository", f"URL={url}"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path):
    """A copy of the project that git knows."""
    copy_project(tmp_path)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.integration
def test_address_is_changed_everywhere(project):
    addresses = {
        "book/intro": "https://book.github.io/intro/",
        "Ada-L/digits": "https://ada-l.github.io/digits/",
    }
    for (slug, page), url in zip(
        addresses.items(), ["{}", "https://github.com/{}.git"], strict=True
    ):
        done = set_address(project, url.format(slug))
        assert done.returncode == 0, done.stdout
        assert problems_of_addresses(project, slug, page) == []
        for path, text in read_texts(project).items():
            assert f"{OWNER}/{NAME}" not in text, path
    assert "root: book/intro\n" in (project / "_toc.yml").read_text()


REFUSED = """https://gitlab.com/a/b https://github.com/a a_b/c -a/b a/.. a/é a/b/c
ada/ada.github.io a/b;true"""


@pytest.mark.integration
@pytest.mark.parametrize("url", ["", *REFUSED.split()])
def test_what_is_no_address_is_refused(url):
    done = set_address(ROOT, url)
    assert done.returncode
    assert done.stdout == (
        f"URL must be OWNER/NAME or https://github.com/OWNER/NAME, got {url}\n"
    )


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


def test_all_files_name_the_same_release():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    cited = yaml.safe_load(read("CITATION.cff"))
    headings = re.findall(r"(?m)^## (.+)$", read("CHANGELOG.md"))
    assert cited["version"] == version
    newest = headings["Unreleased" in headings[:1]]
    assert newest == f"{version} – {cited['date-released']}"
