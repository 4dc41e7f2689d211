"""What code reads from Python: to find what changes, and to tell two runs apart.

Python runs code only once where TensorFlow compiles it, so a rule that counts in Python
would count to one, and a program that is used again would go on with the settings it
was made with. And a checkpoint belongs to one run, with its functions and settings. So
what code reads is listed, and compared.
"""

import contextlib
import functools
import inspect
import os
import sys
import types
from collections.abc import Iterator
from numbers import Number

import numpy as np
import tensorflow as tf

# Where packages were installed, which need not be called site-packages.
LIBRARIES = os.path.dirname(os.path.dirname(tf.__file__))
VALUES = Number | str | bytes | tuple | types.CodeType  # compared by what they are
CHANGING = {"name", "training"}  # attributes that differ between runs of a program


def python_state(**parts) -> list[tuple]:
    """List what the code of these parts reads from Python, each with its name.

    That is: what is in their attributes, lists and closures, and in the globals that
    their functions name. A part that holds others is listed as its name and how many
    it holds; these follow, each as an entry of its own.
    """
    state, waiting, seen = [], [*parts.items()], set()
    for name, part in waiting:  # which grows
        inner = contents_of(part)
        state.append((name, part if inner is None else (name_of(part), len(inner))))
        if inner and id(part) not in seen:
            seen.add(id(part))
            waiting += [(f"{name}.{key}", value) for key, value in inner.items()]
    return state


def describe(**parts) -> dict[str, str]:
    """Return the state of these parts as texts, for another process to compare.

    Left out are private attributes, and the values of variables.
    """
    texts = {}
    for key, part in parts.items():
        for name, value in python_state(**{key: part}):
            keys = name.split(".")
            if not any(key[:1] == "_" or key in CHANGING for key in keys):
                texts[name] = text_of(value)
    return texts


def text_of(value) -> str:
    """Return an entry of a state without where it is, in memory or in a file."""
    match value:
        case (kind, int()):
            return kind
        case types.CodeType():
            numbers = [part for part in value.co_consts if isinstance(part, Number)]
            return f"{value.co_names} {numbers}"
        case tf.Variable():
            return f"a variable of shape {tuple(value.shape)}"
        case None | Number() | str() | bytes() | np.ndarray() | tf.Tensor():
            return str(value)
    return name_of(value)


def name_of(part) -> str:
    """Return a name that a part has in its owner's code."""
    return getattr(part, "__name__", type(part).__name__).removesuffix("_v2")


def contents_of(part) -> dict | None:
    """Return by name what a part holds, or None where there is nothing to look into."""
    if isinstance(part, dict):
        return part
    if isinstance(part, list | tuple):
        return dict(enumerate(part))
    if isinstance(part, functools.partial):
        return {"function": part.func, "arguments": part.args, **part.keywords}
    if isinstance(part, np.random.Generator):
        state = part.bit_generator.state
        return {"seed": seed_of(part), "_state": str(state)}  # private: not in texts
    if part is np:  # whose global random numbers a function may draw
        return {"_random": str(np.random.get_state()[1:3])}
    if inspect.ismethod(part):
        return {"function": part.__func__, "object": part.__self__}
    kind = part if inspect.isfunction(part) else type(part)
    if is_own(kind) and hasattr(part, "__dict__"):
        return inside_function(part) if kind is part else vars(kind) | vars(part)
    if callable(part) and hasattr(type(part), "get_config"):  # a part of Keras
        return part.get_config()
    return None


def seed_of(random: np.random.Generator) -> int | None:
    """Return the seed of random numbers, or None where there is none."""
    seed = random.bit_generator.seed_seq.entropy
    drawn = isinstance(seed, int) and seed >= 2**64  # by NumPy, of 128 bits
    return None if drawn else seed


def inside_function(function) -> dict:
    """Return a function's code and defaults, its attributes, and what it reads."""
    code, names = function.__code__, function.__globals__
    read = {name: names[name] for name in sorted(names_in(code)) if name in names}
    read |= inspect.getclosurevars(function).nonlocals | vars(function)
    return read | {"code": code, "defaults": function.__defaults__}


def is_own(kind) -> bool:
    """Tell whether a class or function is the reader's or the course's."""
    root = (kind.__module__ or "").partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    installed = "-packages" in file or file.startswith(LIBRARIES)
    foreign = root in sys.stdlib_module_names or installed
    return root == "mnist_lib" or not foreign


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
    """Refuse a block that changes a value of Python: compiled, it would not do so."""
    before = python_state(**parts)
    try:
        yield before
    finally:
        name = first_change(before, python_state(**parts))
        expected = "a tf.Variable that is made before the training"
        got = "a value of Python, which compiled code reads only once"
        if name is not None:
            told = f"{name}, which changes in a step, must be {expected}, got {got}"
            raise ValueError(told)
