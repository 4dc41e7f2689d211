"""Chapter 10. From a trained network to a page that reads what you draw.

A browser has no TensorFlow, and 1.6 MB of weights are a lot for a phone. So each
weight is rounded to a whole number of 8 bits, and each neuron keeps one scale. The
file is made for a few lines of JavaScript: a safetensors file, that is

1. 8 bytes, the length of what follows, lowest byte first;
2. a line of JSON: for each tensor its dtype, its shape, and where it is; and in the
   metadata, under "about", format, version, the layers' activations and a checksum;
3. the numbers: for each layer, counted from 0, ``0.scales`` and ``0.biases``, both
   (outputs,), float32, and ``0.weights``, (inputs, outputs), int8.
"""

import json
import os
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from safetensors.numpy import save

from mnist_lib.checks import arguments as checks
from mnist_lib.dense_layers import NaiveDense, NaiveSequential
from mnist_lib.saving.disk import (
    header_and_numbers,
    read_tensors,
    refusing,
    write_whole,
)
from mnist_lib.saving.weights import name_in_keras

__all__ = ["export_weights", "import_weights", "quantize"]

FORMAT, VERSION = "digits-from-scratch weights", 2
ACTIVATIONS = {
    "relu": tf.nn.relu,
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
    "tanh": tf.nn.tanh,
}
PARTS = ("weights", "scales", "biases")  # of a layer in the file


def quantize(matrix, bits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Round weights to whole numbers: ``matrix`` is nearly ``integers * scales``.

    The largest weight of each column, that is of each neuron, becomes the largest
    whole number that there is: 127 for 8 bits.

    Args:
        matrix: Weights of shape (inputs, outputs), finite.
        bits: Bits for a weight, 2 to 8.

    Returns:
        The integers, int8 of the matrix's shape, from -127 to 127, and the scales,
        float32 of shape (outputs,). No weight changes by more than half a scale.

    Raises:
        ValueError: A weight is not finite, or there are more or fewer bits.

    Source: B. Jacob et al. (2018), here with a scale for each neuron and no offset.
    """
    checks.check_vectors("matrix", matrix)
    checks.check_choice("bits", bits, (2, 3, 4, 5, 6, 7, 8))
    matrix, largest = np.asarray(matrix, "float32"), 2 ** (bits - 1) - 1
    checks.check_finite("matrix", matrix)
    # Where a neuron's weights are all 0, any scale will do, but not 0.
    smallest = np.finfo(np.float32).tiny
    scales = np.maximum(np.max(np.abs(matrix), axis=0) / largest, smallest)
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def export_weights(model, path: str | os.PathLike) -> None:
    """Write a network for the book's page to draw on, with 8 bits for a weight.

    Args:
        model: ``NaiveSequential`` of ``NaiveDense`` layers, 784 numbers in, 10 out;
            activations relu, tanh, sigmoid and softmax, the last one softmax.
        path: The file; 0.41 MB for 784-512-10.

    Raises:
        ValueError: It is another network, or a weight is not finite.
        OSError: The file could not be written. One that was there before stays.
    """
    checks.check_dense_layers(model)
    names = [name_in_keras(layer.activation, ACTIVATIONS) for layer in model.layers]
    checks.check_for_page(model, names)
    tensors = {}
    for i, layer in enumerate(model.layers):
        tensors[f"{i}.weights"], tensors[f"{i}.scales"] = quantize(layer.W.numpy())
        tensors[f"{i}.biases"] = layer.b.numpy().astype("float32")
        checks.check_finite("biases", tensors[f"{i}.biases"])
    about = {"format": FORMAT, "version": VERSION, "activations": names}
    about["crc32"] = zlib.crc32(header_and_numbers(save(tensors))[1])
    write_whole(path, save(tensors, {"about": json.dumps(about)}))


def import_weights(path: str | os.PathLike) -> NaiveSequential:
    """Read a file of ``export_weights``.

    Args:
        path: The file.

    Returns:
        The network, with the rounded weights.

    Raises:
        ValueError: The file is missing, damaged, or something else.
    """
    with refusing(path):
        tensors, metadata, numbers = read_tensors(path)
        about = json.loads(metadata.get("about", "{}"))
        if (about.get("format"), about.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"it is not {FORMAT}, version {VERSION}")
        if zlib.crc32(numbers) != about["crc32"]:
            raise ValueError("its checksum is not that of its numbers")
        layers = []
        for i, name in enumerate(about["activations"]):
            parts = [tensors[f"{i}.{part}"] for part in PARTS]
            layers.append(make_layer(ACTIVATIONS[name], *parts))
        return NaiveSequential(layers)


def make_layer(activation: Callable, integers, scales, biases) -> NaiveDense:
    """Make a layer whose weights are whole numbers times scales."""
    layer = NaiveDense(*integers.shape, activation, initializer=tf.zeros)
    layer.W.assign(integers * scales)
    layer.b.assign(biases)
    return layer
