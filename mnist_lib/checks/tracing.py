"""Checks of what is compiled: Python runs it once, and its values become constants.

A rule that counts in Python would count to one, and a program that is used again would
go on with the settings it was made with. So what code reads is written down, and
compared.
"""

import contextlib
import functools
import sys
import types
import weakref

import keras
import numpy as np
import tensorflow as tf

from mnist_lib.checks.arrays import require

VALUES = bool | int | float | complex | str | bytes | None | np.generic


def python_state(**parts) -> dict:
    """Return what the code of these parts reads from Python, by name.

    That is: what is in their attributes, lists and closures, and in the globals that
    their functions name. Numbers and texts are there as such, all else as references
    that keep nothing alive.
    """
    found, seen, waiting = {}, [], list(parts.items())
    while waiting:
        name, part = waiting.pop()
        inner = inside(part)
        if inner is None or any(part is other for other in seen):
            found[name] = leaf(part)
        else:
            seen.append(part)
            found[name] = len(inner)
            waiting += [(f"{name}.{key}", value) for key, value in inner.items()]
    return found


def inside(part) -> dict | None:
    """Return by name what a part holds, or None where there is nothing to look into."""
    if isinstance(part, dict):
        return part
    if isinstance(part, list | tuple | set):
        return dict(enumerate(part))
    if isinstance(part, functools.partial):
        return {"function": part.func, "arguments": part.args, **part.keywords}
    if isinstance(part, types.MethodType):
        return {"function": part.__func__, "object": part.__self__}
    if isinstance(part, types.FunctionType) and not is_library(part.__module__):
        return inside_function(part)
    known = isinstance(part, type | types.FunctionType) or not hasattr(part, "__dict__")
    module = type(part).__module__
    own = module.startswith("mnist_lib.") or not is_library(module)
    return None if known or not own else methods_of(type(part)) | vars(part)


def inside_function(function) -> dict:
    """Return a function's code and defaults, its attributes, and the names it uses."""
    code, names = function.__code__, function.__globals__
    found = {name: names[name] for name in names_in(code) if name in names}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # it has no value yet
            found[name] = cell.cell_contents
    return found | vars(function) | {"code": code, "defaults": function.__defaults__}


def names_in(code) -> set[str]:
    """Return the names that code uses, with the functions and loops inside of it."""
    parts = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return {*code.co_names}.union(*map(names_in, parts))


def methods_of(kind: type) -> dict:
    """Return what objects of a class share, if it is none of the library."""
    if is_library(kind.__module__):
        return {}
    names = vars(kind).items()
    return {k: v for k, v in names if k == "__call__" or not k.startswith("__")}


def is_library(module: str | None) -> bool:
    """Tell whether a module is of an installed library, which nobody changes."""
    root = (module or "").partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return root in {"mnist_lib", *sys.stdlib_module_names} or "-packages" in file


def leaf(part):
    """Return what shows whether a part is still the same."""
    if isinstance(part, VALUES):
        return part
    if isinstance(part, np.random.Generator):
        return str(part.bit_generator.state)
    if part is np:  # whose global random numbers a function may draw
        return str(np.random.get_state()[1:3])
    try:
        return weakref.ref(part)
    except TypeError:
        return id(part)


def changes(before: dict, after: dict) -> list[str]:
    """Return the names of what is not the same in two states, the first ones first."""
    same = [
        name
        for name in before.keys() & after.keys()
        if before[name] is after[name]
        or (isinstance(before[name], VALUES) and before[name] == after[name])
    ]
    return sorted((before.keys() | after.keys()) - {*same})


def check_python_state(before: dict, after: dict) -> None:
    """Find what code remembers in Python, where only TensorFlow runs it again."""
    for name in changes(before, after)[:1]:
        expected = "a tf.Variable that is made before the training"
        got = "a value of Python, which compiled code reads only once"
        require(False, f"{name}, which changes in a step,", expected, got)


def check_rule_state(rule, weights) -> None:
    """Trace an update rule alone, and find what it remembers in Python."""
    if isinstance(rule, keras.Optimizer):
        return

    @tf.function
    def trial():
        rule(gradients, weights, tf.constant(0.0, weights[0].dtype))

    gradients = [tf.zeros_like(weight) for weight in weights]
    before = python_state(update=rule)
    trial.get_concrete_function()
    check_python_state(before, python_state(update=rule))
