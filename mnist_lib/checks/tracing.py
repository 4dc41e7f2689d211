"""Checks of what is compiled: Python runs it once, and its values become constants.

A rule that counts in Python would count to one, and a program that is used again would
go on with the settings it was made with. So what code reads is listed, and compared.
"""

import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.checks.arrays import require

VALUES = bool | int | float | complex | str | bytes | np.generic | types.CodeType


def python_state(**parts) -> list[tuple]:
    """List what the code of these parts reads from Python, each with its name.

    That is: what is in their attributes, lists and closures, and in the globals that
    their functions name. Of what holds others only their number is listed.
    """
    state, waiting, seen = [], [*parts.items()], set()
    for name, part in waiting:  # which grows
        inner = inside(part)
        state.append((name, part if inner is None else len(inner)))
        if inner and id(part) not in seen:
            seen.add(id(part))
            waiting += [(f"{name}.{key}", value) for key, value in inner.items()]
    return state


def inside(part) -> dict | None:
    """Return by name what a part holds, or None where there is nothing to look into."""
    if isinstance(part, dict):
        return part
    if isinstance(part, list | tuple | set):
        return dict(enumerate(part))
    if isinstance(part, functools.partial):
        return {"function": part.func, "arguments": part.args, **part.keywords}
    if isinstance(part, np.random.Generator):
        return {"state": str(part.bit_generator.state)}
    if part is np:  # whose global random numbers a function may draw
        return {"random": str(np.random.get_state()[1:3])}
    if inspect.ismethod(part):
        return {"function": part.__func__, "object": part.__self__}
    kind = part if inspect.isfunction(part) else type(part)
    if not is_own(kind) or not hasattr(part, "__dict__"):
        return None
    return inside_function(part) if kind is part else vars(kind) | vars(part)


def inside_function(function) -> dict:
    """Return a function's code and defaults, its attributes, and what it reads."""
    code, names = function.__code__, function.__globals__
    read = {name: names[name] for name in names_in(code) if name in names}
    read |= inspect.getclosurevars(function).nonlocals | vars(function)
    return read | {"code": code, "defaults": function.__defaults__}


def is_own(kind) -> bool:
    """Tell whether a class or function is the reader's, or a class of the course."""
    root = (kind.__module__ or "").partition(".")[0]
    if root == "mnist_lib":
        return inspect.isclass(kind)
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return root not in sys.stdlib_module_names and "-packages" not in file


def names_in(code: types.CodeType) -> set[str]:
    """Return the names that code uses, with the functions and loops inside of it."""
    parts = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return {*code.co_names}.union(*map(names_in, parts))


def first_change(before: list, after: list) -> str | None:
    """Return the name of the first part that is another one in the second state."""
    for (name, old), (other, new) in zip(before, after, strict=False):
        values = isinstance(old, VALUES) and isinstance(new, VALUES)
        if name != other or not (old is new or (values and old == new)):
            return name
    return None


@contextlib.contextmanager
def unchanged(**parts) -> Iterator[list]:
    """Find what code remembers in Python, where only TensorFlow runs it again."""
    before = python_state(**parts)
    try:
        yield before
    finally:
        name = first_change(before, python_state(**parts))
        expected = "a tf.Variable that is made before the training"
        got = "a value of Python, which compiled code reads only once"
        require(name is None, f"{name}, which changes in a step,", expected, got)


def check_rule_state(rule, weights) -> None:
    """Trace an update rule alone, and find what it remembers in Python."""

    @tf.function
    def trial():
        rule(gradients, weights, tf.constant(0.0, weights[0].dtype))

    gradients = [tf.zeros_like(weight) for weight in weights]
    if not isinstance(rule, keras.Optimizer):
        with unchanged(update=rule):
            trial.get_concrete_function()
