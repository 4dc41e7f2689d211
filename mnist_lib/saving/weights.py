"""From trained weights to a file, and back: for this library, and for Keras.

A file of weights holds arrays and nothing else. Loading it runs no code of its
author, and finds out whether it is whole.
"""

import os

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf

from mnist_lib.checks import arguments as checks
from mnist_lib.dense_layers import variables_of
from mnist_lib.saving.disk import read_tensors, refusing, sha256, write_whole

__all__ = ["load_weights", "save_weights", "to_keras"]


def save_weights(model, path: str | os.PathLike) -> None:
    """Write the weights into a safetensors file, which is there whole or not at all.

    The file holds ``weight_0``, ``weight_1``, … in the order of ``model.weights``, then
    the layers' ``state`` in the same way, and in its metadata ``sha256``, a digest of
    their bytes.

    Args:
        model: A model with a list ``weights``.
        path: The file, by custom with the ending ``.safetensors``.

    Raises:
        OSError: The file could not be written. One that was there before stays.
    """
    arrays = arrays_of(model)
    digest = {"sha256": sha256(*arrays.values())}
    write_whole(path, safetensors.numpy.save(arrays, digest))


def load_weights(model, path: str | os.PathLike) -> None:
    """Put the weights from a file of ``save_weights`` into the model, in place.

    Args:
        model: A model whose weights have the shapes and dtypes of those in the file.
        path: The file.

    Raises:
        ValueError: The file is missing, damaged, or of another network. The model
            keeps the weights that it had.
    """
    own = arrays_of(model)
    with refusing(path):
        saved, metadata, _ = read_tensors(path)
        expected, got = layout_of(own), layout_of(saved)
        checks.require(got == expected, "its weights", expected, got)
        arrays = [saved[name] for name in own]
        if sha256(*arrays) != metadata.get("sha256"):
            raise ValueError("its weights are not those saved")
    for variable, array in zip(variables_of(model), arrays, strict=True):
        variable.assign(array)


def arrays_of(model) -> dict[str, np.ndarray]:
    """Return a model's variables as arrays, each by its name in a file."""
    checks.check_model(model)
    variables = enumerate(variables_of(model))
    return {f"weight_{i}": np.asarray(variable) for i, variable in variables}


def layout_of(arrays: dict) -> str:
    """Return the names, dtypes and shapes of arrays, to be compared and read."""
    named = sorted(arrays.items())
    return ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in named)


def to_keras(model) -> keras.Sequential:
    """Build the same network of Keras layers, with a copy of the weights.

    Keras does the rest: ``.save("digits.keras")`` writes a file for
    ``keras.models.load_model``, and ``.export("folder")`` a SavedModel for
    ``tf.saved_model.load``, TensorFlow Serving and TensorFlow Lite.

    Args:
        model: ``NaiveSequential`` of ``NaiveDense`` layers, with activations that
            Keras has under the same name, such as ``tf.nn.leaky_relu``.

    Returns:
        A Keras model with the same outputs, up to rounding.

    Raises:
        ValueError: Keras does not have one of the layers or activations.
    """
    checks.check_dense_layers(model)
    first = model.layers[0]
    twin = keras.Sequential([keras.Input((first.input_size,), dtype=first.W.dtype)])
    for layer in model.layers:
        name = name_in_keras(layer.activation)
        dense = keras.layers.Dense(layer.output_size, name, dtype=layer.W.dtype)
        twin.add(dense)
        dense.set_weights([tf.identity(weight).numpy() for weight in layer.weights])
    return twin


def name_in_keras(activation, choices=None) -> str:
    """Return the name under which Keras has the same function, not just one like it.

    Args:
        activation: Function from a tensor to one of the same shape.
        choices: Names among which it must be, or None for all that Keras has.

    Raises:
        ValueError: It has none of these names, or Keras's function gives other values.
    """
    if choices is None:
        names = {name for name in dir(keras.activations) if not name.startswith("_")}
        choices = sorted(names - {"deserialize", "get", "serialize"})
    name = getattr(activation, "__name__", "").removesuffix("_v2")
    expected = f"one of {', '.join(choices)}"
    checks.require(name in choices, "an activation", expected, repr(activation))
    sums = tf.linspace([-9.0], [9.0], 20, axis=1)
    values = activation(sums), keras.activations.get(name)(sums)
    same = np.shape(values[0]) == sums.shape and np.allclose(*values, atol=1e-5)
    checks.require(same, f"the activation {name}", "as in Keras", repr(activation))
    return name
