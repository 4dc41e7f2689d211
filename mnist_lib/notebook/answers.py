"""For the chapters: check an answer to an exercise, show an expected error."""

import re
import textwrap
from collections.abc import Callable

from mnist_lib import checks

# Names of nodes and files: long, and others on every machine.
TENSORFLOW_DETAILS = re.compile(
    r"(?s)^in user code:.*\n +\w+: |The op is created.*| \[Op:.*?$|(_\d+)?\[_Xla.*?\]"
    r"|( compatible with node )?\{\{(function_)?node .*?\}\} ?|__inference_"
)

__all__ = ["check_answer", "show_error"]


def check_answer(answer, conditions: dict[str, Callable]) -> None:
    """Say whether an answer to an exercise is right, and if not, why.

    Args:
        answer: Whatever the exercise asks for, or a tuple of several things. Three
            dots stand for "not yet".
        conditions: For each sentence that has to be true of the answer, a
            function of the answer that says whether it is.

    Raises:
        AssertionError: A condition does not hold; the message is its sentence.
    """
    parts = answer if isinstance(answer, tuple) else (answer,)
    if any(part is ... for part in parts):
        print("Not filled in yet: put your answer in place of the three dots.")
        return
    for sentence, holds in conditions.items():
        if not holds(answer):
            raise AssertionError(f"Not yet. This should be true: {sentence}.")
    print("Right.", *(f"- {sentence}" for sentence in conditions), sep="\n")


def show_error(action: Callable) -> None:
    """Do what is expected to fail, and print the error as Python words it.

    Args:
        action: Function without arguments.

    Raises:
        AssertionError: It did not fail.
    """
    checks.check_callable("action", action)
    try:
        action()
    except Exception as error:
        words = TENSORFLOW_DETAILS.sub("", str(error)).rstrip()
        message = f"{type(error).__name__}: {words}"
        print(*(textwrap.fill(line, 76) for line in message.splitlines()), sep="\n")
    else:
        raise AssertionError("this was expected to fail, and did not")
