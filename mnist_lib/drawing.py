"""From a trained network to a page that reads what you draw, in any browser.

A browser has no TensorFlow, and 1.6 MB of weights are much for a phone. So each
weight is rounded to a whole number of 8 bits, and each neuron keeps one scale. The
file is made for a few lines of JavaScript. All its numbers are little-endian:

1. a line of JSON: format, version, and for each layer inputs, outputs, activation;
2. for each layer its scales and biases, both (outputs,), float32, and its whole
   numbers, (inputs, outputs), int8;
3. the CRC-32 of all that comes before, uint32.
"""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnist_lib import checks
from mnist_lib.dense_layers import NaiveDense, NaiveSequential
from mnist_lib.saving.archives import write_whole
from mnist_lib.saving.weights import name_in_keras

__all__ = ["export_weights", "import_weights", "quantize"]

FORMAT, VERSION = "digits-from-scratch weights", 1
ACTIVATIONS = {
    "relu": tf.nn.relu,
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
    "tanh": tf.nn.tanh,
}


def quantize(matrix, bits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Round weights to whole numbers: ``matrix`` is nearly ``integers * scales``.

    The largest weight of each column, that is of each neuron, becomes the largest
    whole number that there is: 127 for 8 bits.

    Args:
        matrix: Weights of shape (inputs, outputs), finite.
        bits: Bits for a weight, 2 to 8.

    Returns:
        ``(integers, scales)``: int8 of the matrix's shape, from -127 to 127, and
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
    checks.check_layers_fit(model.layers)
    names = [name_in_keras(layer.activation) for layer in model.layers]
    sizes = [tuple(layer.W.shape) for layer in model.layers]
    checks.require({*names} <= {*ACTIVATIONS}, "activations", [*ACTIVATIONS], names)
    checks.require(
        (sizes[0][0], sizes[-1][1], names[-1]) == (784, 10, "softmax"),
        "model", "one from 784 pixels to 10 probabilities of softmax", repr(model),
    )  # fmt: skip
    layers, content = [], b""
    for name, (inputs, outputs), layer in zip(names, sizes, model.layers, strict=True):
        layers.append({"inputs": inputs, "outputs": outputs, "activation": name})
        integers, scales = quantize(layer.W.numpy())
        biases = layer.b.numpy().astype("float32")
        checks.check_finite("biases", biases)
        parts = (scales, "<f4"), (biases, "<f4"), (integers, "i1")
        content += b"".join(array.astype(kind).tobytes() for array, kind in parts)
    header = {"format": FORMAT, "version": VERSION, "layers": layers}
    content = json.dumps(header).encode() + b"\n" + content
    content += zlib.crc32(content).to_bytes(4, "little")
    write_whole(path, lambda file: file.write(content))


def import_weights(path: str | os.PathLike) -> NaiveSequential:
    """Read a file of ``export_weights``.

    Args:
        path: The file.

    Returns:
        The network, with the rounded weights.

    Raises:
        ValueError: The file is missing, damaged, or something else.
    """
    try:
        content = Path(path).expanduser().read_bytes()
        checksum = int.from_bytes(content[-4:], "little")
        if len(content) < 5 or zlib.crc32(content[:-4]) != checksum:
            raise ValueError("its checksum is not that of its content")
        header, _, numbers = content[:-4].partition(b"\n")
        header, numbers, layers = json.loads(header), memoryview(numbers), []
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is not {FORMAT}, version {VERSION}")
        for layer in header["layers"]:
            dense, numbers = read_layer(numbers, **layer)
            layers.append(dense)
        checks.require(not numbers, "what follows", "none", f"{len(numbers)} bytes")
        return NaiveSequential(layers)
    except Exception as error:  # a file of a stranger fails in many ways
        reason = str(error)[:200] or type(error).__name__
        raise ValueError(f"{path} is not usable: {reason}") from error


def read_layer(numbers, inputs: int, outputs: int, activation: str) -> tuple:
    """Make a layer of the first bytes, and return it with the bytes that are left."""
    scales, biases = np.frombuffer(numbers, "<f4", 2 * outputs).reshape(2, -1)
    integers = np.frombuffer(numbers, np.int8, inputs * outputs, 8 * outputs)
    matrix = integers.reshape(inputs, outputs) * scales
    checks.check_finite("biases", biases)
    layer = NaiveDense(inputs, outputs, ACTIVATIONS[activation], lambda shape: matrix)
    layer.b.assign(biases)
    return layer, numbers[(8 + inputs) * outputs :]
