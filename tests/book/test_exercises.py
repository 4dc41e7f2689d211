"""Exercises accept what is right and refuse what is wrong; changes take effect."""

import functools
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from conftest import CHAPTERS, ROOT

import mnist_lib

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
    cells = [cell for page in CHAPTERS for cell in code_cells(page.split("/")[1])]
    exercises = {code.split()[3] for code, tags in cells if "solution" in tags}
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


# What a reader changes


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.parametrize("chapter", ["03_batching", "05_training"])
def test_chapter_runs_with_a_part_of_the_digits(chapter, monkeypatch):
    (images, labels), test_digits = mnist_lib.load_mnist()
    part = (images[:6400], labels[:6400]), test_digits
    monkeypatch.setattr(mnist_lib, "load_mnist", lambda: part)
    names = {}
    for code, _ in code_cells(chapter)[1:]:
        exec(code, names)
    plt.close("all")


CHANGES = """
def update_weights(gradients, weights, learning_rate=1e-3):
    weights[-1].assign_sub(learning_rate * gradients[-1])

def one_training_step(model, images, labels, learning_rate, update, loss):
    value, gradients = loss_and_gradients(model, images, labels, loss)
    update([-gradient for gradient in gradients], model.weights, learning_rate)
    return value

def average_loss(labels, predictions):
    return tf.reduce_mean(predictions**2)
"""


@pytest.mark.slow
def test_function_that_is_written_anew_takes_effect_in_chapter_5(monkeypatch):
    random = np.random.default_rng(1)
    digits = random.integers(0, 256, (256, 28, 28), "uint8"), np.arange(256) % 10
    monkeypatch.setattr(mnist_lib, "load_mnist", lambda: (digits, digits))
    codes = [code for code, _ in code_cells("05_training")[1:]]
    end = next(i for i, code in enumerate(codes) if "after 10" in code) + 1
    names = {}
    for code in codes[:end]:
        exec(code, names)
    expected = names["losses"]
    for change in CHANGES.strip().split("\n\n"):
        changed = dict(names)
        for code in (change, *codes[end - 2 : end]):
            exec(code, changed)
        assert not np.allclose(changed["losses"], expected, rtol=1e-3), change
