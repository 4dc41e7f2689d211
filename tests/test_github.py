"""What GitHub, Binder and editors read: workflows, forms, versions, set-up.

As in `test_book.py`, each check returns a list of problems, and broken copies of the
files show at the end that the checks find what they should.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click.testing
import pytest
import yaml
from conftest import give_up
from test_book import assert_none, listed

ROOT = Path(__file__).parents[1]
PLACES = """.github/**/*.yml .github/*.md .binder/* .devcontainer/*.json CHANGELOG.md
CITATION.cff CONTRIBUTING.md Makefile README.md pyproject.toml""".split()
PATHS = [path for place in PLACES for path in sorted(ROOT.glob(place))]
FILES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in PATHS}
SCHEMAS = {
    ".github/workflows/.*": "github-workflows",
    ".github/actions/.*": "github-actions",
    ".github/dependabot.yml": "dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".github/ISSUE_TEMPLATE/(?!config).*": "github-issue-forms",
    "CITATION.cff": "citation-file-format",
}
PINNED = r"\./\S+|[\w./-]+@(v\d+|[0-9a-f]{40} # v\d+(\.\d+)*)"
WRITES = {"publish, deploy": {"pages", "id-token"}, "weekly, report": {"issues"}}


def workflows(files):
    paths = [Path(path) for path in files if path.startswith(".github/workflows/")]
    return {path.stem: yaml.safe_load(files[path.as_posix()]) for path in paths}


@listed
def problems_of_workflows(files):
    places = [Path(sys.executable).parent, None]  # None: the PATH
    programs = [*filter(None, [shutil.which("actionlint", path=p) for p in places])]
    if not programs:
        give_up("no actionlint on this machine")
    # Without programs that may or may not be there; one line to a problem.
    options = "-shellcheck= -pyflakes= -no-color -oneline -stdin-filename".split()
    for path in [path for path in files if path.startswith(".github/workflows/")]:
        command = [programs[0], *options, path, "-"]
        said = subprocess.run(command, input=files[path].encode(), capture_output=True)
        yield path, said.returncode == 0, (said.stdout + said.stderr).decode()


@listed
def problems_of_schemas(files):
    try:
        from check_jsonschema import main
    except ImportError:
        give_up("check-jsonschema is not installed")
    run = click.testing.CliRunner().invoke
    for path, text in files.items():
        for schema in [SCHEMAS[key] for key in SCHEMAS if re.fullmatch(key, path)]:
            options = f"--force-filetype yaml --builtin-schema vendor.{schema} -"
            result = run(main, options.split(), input=text)
            yield path, result.exit_code == 0, result.output


@listed
def problems_of_pins(files):
    seen = {}
    for path, text in files.items():
        for used in re.findall(r"(?m)^[ -]*uses: *(.*\S)", text):
            yield path, re.fullmatch(PINNED, used), f"{used} is not pinned"
            action, _, pin = used.partition("@")
            yield path, seen.setdefault(action, pin) == pin, f"{used}: not as elsewhere"


@listed
def problems_of_safety(files):
    for name, workflow in workflows(files).items():
        trusting = {"pull_request_target", "workflow_run"} & {*workflow[True]}  # on:
        yield name, not trusting, f"{trusting} gives rights to strangers' code"
        yield name, workflow.get("permissions") == {}, "permissions for all jobs"
        yield name, "concurrency" in workflow, "no concurrency group"
        for place, job in {
            f"{name}, {k}": v for k, v in workflow["jobs"].items()
        }.items():
            rights = job.get("permissions", {})
            written = {key for key, value in rights.items() if value != "read"}
            yield place, rights, "does not say its permissions"
            yield place, written == WRITES.get(place, set()), f"may write {written}"
            yield place, "timeout-minutes" in job, "no time limit"
            for step in job["steps"]:
                kept = step.get("with", {}).get("persist-credentials", True)
                checkout = step.get("uses", "").startswith("actions/checkout@")
                yield place, not (checkout and kept), "checkout keeps the credentials"
                inserted = "${{" in step.get("run", "")
                yield place, not inserted, "${{ }} in a script: pass it through env"


@listed
def problems_of_targets(files):
    lines = re.findall(r"(?m)^([a-z][a-z -]*):(?!=)", files["Makefile"])
    targets = {target for line in lines for target in line.split()}
    for path in files.keys() - {"Makefile"}:
        text = re.sub(r"(?m)^ *#.*|  #.*", "", files[path])
        if path.endswith(".md"):
            text = "\n".join(re.findall(r"(?s)```sh\n.*?```|`[^`]+`", text))
        for words in re.findall(r"(?m)(?:^|[\s\"`])make((?: [a-z][a-z-]*\b)+)", text):
            for target in words.split():
                yield path, target in targets, f"make {target}, which does not exist"


@listed
def problems_of_pythons(files):
    limits = r"\(3, (\d+)\) <= sys.version_info < \(3, (\d+)\)"
    found = re.search(limits, files["Makefile"]).groups()
    allowed = [f"3.{minor}" for minor in range(*map(int, found))]
    required = tomllib.loads(files["pyproject.toml"])["project"]["requires-python"]
    yield "pyproject", f">={allowed[0]}" in required, f"requires Python {required}"
    matrix = workflows(files)["test"]["jobs"]["test"]["strategy"]["matrix"]
    yield "test.yml", matrix["python-version"] == allowed, f"not Python {allowed}"
    for path in (".binder/runtime.txt", ".devcontainer/devcontainer.json"):
        version = re.search(r"python[:-](3\.\d+)", files[path])[1]
        yield path, version in allowed, f"Python {version}, not one of {allowed}"


@listed
def problems_of_release(files):
    version = tomllib.loads(files["pyproject.toml"])["project"]["version"]
    cited = yaml.safe_load(files["CITATION.cff"])
    yield "CITATION.cff", cited["version"] == version, f"version is not {version}"
    headings = re.findall(r"(?m)^## (.+)$", files["CHANGELOG.md"])
    newest = headings["Unreleased" in headings[:1]]
    heading = f"{version} – {cited['date-released']}"
    yield "CHANGELOG.md", newest == heading, f"{newest} is newest, not {heading}"


@listed
def problems_of_environments(files):
    lines = re.findall(r"(?m)^[^#\n].*", files[".binder/requirements.txt"])
    yield "Binder", lines == ["-r ../requirements.txt"], "other requirements"
    linked = "pip install --no-deps --no-build-isolation --editable ."
    yield "Binder", linked in files[".binder/postBuild"], "does not install mnist_lib"
    container = files[".devcontainer/devcontainer.json"]
    made = json.loads(container)["postCreateCommand"].startswith("make ")
    yield "container", made, "does not install with make"
    python = 'InterpreterPath": "${containerWorkspaceFolder}/.venv/bin/python"'
    yield "container", python in container, "VS Code has another Python"


# The check, some words of what it says, the file, what breaks it: old text, new text.
BREAKAGES = """
workflows | "python" is not defined | test.yml | matrix.python-version | matrix.python
workflows | unexpected key | test.yml | fail-fast | fail-fats
workflows | label "ubuntu-last" | test.yml | ubuntu-latest | ubuntu-last
workflows | job "link" | weekly.yml | [links, | [link,
schemas | 'interval' | dependabot.yml | interval: | intervals:
schemas | body[0] | idea.yml | textarea | text
schemas | 'authors' | CITATION.cff | authors: | writers:
pins | not pinned | test.yml | # v7.0.1 | .
pins | not pinned | publish.yml | deploy-pages@ | deploy-pages@main #
pins | not as elsewhere | test.yml | checkout@3 | checkout@4
safety | strangers | test.yml | pull_request: | pull_request_target:
safety | for all jobs | test.yml | permissions: {} | permissions: read-all
safety | may write | test.yml | contents: read | contents: write
safety | time limit | weekly.yml | timeout-minutes | timeout
safety | credentials | test.yml | persist-credentials: false | fetch-tags: false
safety | in a script | test.yml | make lint | make ${{ github.ref }}
targets | make exam | test.yml | make test | make exam
targets | make exam | devcontainer.json | make book | make exam
targets | make exam | CONTRIBUTING.md | `make links` | `make exam`
pythons | requires | pyproject.toml | >=3.11 | >=3.10
pythons | not Python | test.yml | ["3.11", | [
pythons | Python 3.9 | runtime.txt | 3.12 | 3.9
release | is not 9 | pyproject.toml | version = " | version = "9
release | newest | CHANGELOG.md | ## Unreleased | ## 9.0.0
environments | other requirements | .binder/requirements.txt | -r | -c
environments | not install | postBuild | --editable | --target
environments | VS Code | devcontainer.json | .venv | .env
""".strip().split("\n")
CHECKS = [name for name in globals() if name.startswith("problems_of_")]


@pytest.mark.parametrize("check", CHECKS)
def test_files_have_no(check):
    assert_none(globals()[check](FILES))


def test_hooks_leave_the_chapters_as_they_are(tmp_path):
    chapters = {path.name: path.read_bytes() for path in ROOT.glob("book/*.ipynb")}
    for name, content in chapters.items():
        (tmp_path / name).write_bytes(content)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = settings["repos"][0]["hooks"]
    assert len(hooks) == 3
    for hook in hooks:
        entry = hook["entry"].replace(".venv/bin", str(Path(sys.executable).parent))
        subprocess.run([*entry.split(), *chapters], cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in chapters} == chapters


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_broken_file_is_found(breakage):
    name, words, file, old, new = breakage.split(" | ")
    check = globals()[f"problems_of_{name}"]
    path = next(path for path in FILES if path.endswith(file))
    broken = FILES | {path: FILES[path].replace(old, new)}
    found = {*check(broken)} - {*check(FILES)}
    assert any(words in problem for problem in found), found
