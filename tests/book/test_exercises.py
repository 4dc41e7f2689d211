"""The check of every exercise accepts what is right and refuses what is wrong."""

import functools
import json
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

TABLE = yaml.safe_load(Path(__file__).with_name("exercises.yml").read_bytes())
EXERCISES = {
    number: (chapter, answers)
    for chapter, exercises in TABLE.items()
    for number, answers in exercises.items()
    if number != "setup"
}


@functools.cache
def code_cells(chapter):
    cells = json.loads((ROOT / f"book/{chapter}.ipynb").read_bytes())["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    return [
        ("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells
    ]


@functools.cache
def prepare(chapter):
    """Return the names of a chapter's first cell and of the set-up for its checks."""
    _, (imports, _), *_ = code_cells(chapter)
    names = {}
    for code in (imports, TABLE[chapter]["setup"]):
        exec(code, names)
    return names


def find_cells(number):
    """Return an exercise's cell to fill in and its check."""
    chapter, _ = EXERCISES[number]
    place = int(number.partition(".")[2]) - 1
    return [
        [code for code, tags in code_cells(chapter) if step in tags][place]
        for step in ("exercise", "check")
    ]


def run_check(number, answer=""):
    chapter, _ = EXERCISES[number]
    to_fill_in, check = find_cells(number)
    names = dict(prepare(chapter))
    for code in (to_fill_in, answer, check):
        exec(code, names)


def answers(kind):
    return [
        pytest.param(number, *line.partition("  # ")[::2], id=f"{number}-{place}")
        for number, (_, answers) in EXERCISES.items()
        for place, line in enumerate(answers[kind].splitlines(), 1)
    ]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a check may write a file


def test_every_exercise_has_answers():
    exercises = {
        number
        for chapter in TABLE
        for number in [
            code.split()[3] for code, tags in code_cells(chapter) if "solution" in tags
        ]
    }
    assert exercises == {*EXERCISES}
    for number, (_, answers) in EXERCISES.items():
        assert len(answers["wrong"].splitlines()) >= 5, number
        assert len(answers["right"].splitlines()) >= 2, number


@pytest.mark.parametrize("number", EXERCISES)
def test_exercise_begins_unfilled(number, capsys):
    run_check(number)
    assert capsys.readouterr().out.startswith("Not filled in yet")


@pytest.mark.parametrize(("number", "answer", "says"), answers("right"))
def test_right_answer_is_accepted(number, answer, says, capsys):
    run_check(number, answer)
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(("number", "answer", "says"), answers("wrong"))
def test_wrong_answer_is_refused_with_a_reason(number, answer, says):
    with pytest.raises(AssertionError) as refusal:
        run_check(number, answer)
    assert says and says in str(refusal.value)
    assert str(refusal.value).startswith("Not yet.")
