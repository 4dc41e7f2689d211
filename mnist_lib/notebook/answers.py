"""For the chapters: check an answer to an exercise, show an expected error."""

import contextlib
import copy
import functools
import inspect
import re
import textwrap
from collections.abc import Callable

import numpy as np

# Names of nodes and files: long, and others on every machine.
TENSORFLOW_DETAILS = re.compile(
    r"(?s)^in user code:.*\n +\w+: |The op is created.*| \[Op:.*?$|(_\d+)?\[_Xla.*?\]"
    r"|( compatible with node )?\{\{(function_)?node .*?\}\} ?|__inference_"
)

__all__ = ["check_answer", "show_error"]


class NotFilledIn(Exception):
    """Three dots stand where an answer should be."""


def check_answer(answer, conditions: dict[str, Callable]) -> None:
    """Say whether an answer to an exercise is right, and if not, why.

    Args:
        answer: Whatever the exercise asks for, or a tuple of several things. Three
            dots, as an answer or returned by a function, stand for "not yet".
        conditions: For each sentence that has to be true of the answer, a
            function of the answer that says whether it is. It gets numbers as an
            array, also those of a list, a tuple or a tensor.

    Raises:
        AssertionError: A condition does not hold, or cannot be tried with such an
            answer, or a function fails; the message says what came.
    """
    calls = []  # what the answer's functions returned, and from what
    try:
        prepared = prepare(answer, calls)
        for sentence, holds in conditions.items():
            calls.clear()
            problem = find_problem(sentence, holds, prepared)
            if problem:
                came = calls[-1] if calls else short_text(answer)
                raise AssertionError(f"Not yet. {problem} {came}.")
    except NotFilledIn:
        print("Not filled in yet: put your answer in place of the three dots.")
    else:
        print("Right.", *(f"- {sentence}" for sentence in conditions), sep="\n")


@np.errstate(all="ignore")
def find_problem(sentence, holds, answer):
    """Return what is wrong, up to what came instead, or None."""
    try:
        right = bool(holds(answer))
    except (AssertionError, NotFilledIn, NameError):  # the last: a cell has not run
        raise
    except Exception:
        return "Your answer has an unexpected form:"
    return None if right else f"This should be true: {sentence}; got"


def prepare(answer, calls):
    """Return numbers as an array, and functions so that they note their calls."""
    if answer is ...:
        raise NotFilledIn
    if callable(answer) and not hasattr(answer, "weights"):  # it is no network
        return noting(answer, calls)
    if isinstance(answer, tuple) and len(answer) == 1:  # as np.where returns it
        return prepare(answer[0], calls)
    with contextlib.suppress(TypeError, ValueError):  # parts of different shapes
        array = np.asarray(answer)
        if array.dtype.kind in "biuf":
            return array[()]  # without axes, a number
    if isinstance(answer, list | tuple):
        return tuple(prepare(part, calls) for part in answer)
    return answer


def noting(function, calls):
    """Return the function such that it notes each call, and works on copies."""
    name = getattr(function, "__name__", "<>")
    name = "your function" if "<" in name else name

    @functools.wraps(function)
    def call(*arguments):
        text = f"{name}({', '.join(map(short_text, arguments))})"
        try:
            result = function(*copy.deepcopy(arguments))
        except Exception as error:
            problem = f"Not yet. {text} fails: {reword(error)}"
            raise AssertionError(problem) from error
        calls.append(f"{short_text(result)} from {text}")
        return prepare(result, calls)

    return call


def short_text(value):
    """Return a short text that says what this is."""
    if value is None:
        return "None (did you forget `return`?)"
    if type(value).__name__ == "History":  # the library's, or the reader's own
        return "a History (`fit` returns the history; the network is what you gave it)"
    if inspect.isroutine(value):
        return "a function"
    if isinstance(value, list | tuple):
        return textwrap.shorten(f"({', '.join(map(short_text, value))})", 200)
    array = np.asarray(value)
    if array.size > 10:
        return f"an array of shape {array.shape}, {array.dtype}"
    return textwrap.shorten(repr(value) if isinstance(value, str) else str(array), 120)


def reword(error):
    """Return an error's kind and words, without what TensorFlow adds for itself."""
    words = TENSORFLOW_DETAILS.sub("", str(error)).rstrip()
    return f"{type(error).__name__}: {words}"


def show_error(action: Callable) -> None:
    """Call a function that is expected to fail, and print its error.

    Args:
        action: Function without arguments.

    Raises:
        AssertionError: It did not fail.
    """
    try:
        action()
    except Exception as error:
        lines = reword(error).splitlines()
        print(*(textwrap.fill(line, 76) for line in lines), sep="\n")
    else:
        raise AssertionError("this was expected to fail, and did not")
