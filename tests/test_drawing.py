import json
import zlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from safetensors.numpy import load, save

from mnist_lib import (
    NaiveDense,
    NaiveSequential,
    accuracy,
    export_weights,
    fit_compiled,
    he_start,
    import_weights,
    predict,
    quantize,
)
from mnist_lib.saving.disk import header_and_numbers

WEIGHTS = ROOT / "book/_static/draw/weights.safetensors"


def make_model(*sizes, hidden=tf.nn.relu, last=tf.nn.softmax):
    activations = [hidden] * (len(sizes) - 2) + [last]
    shapes = zip(sizes, sizes[1:], activations, strict=False)
    layers = [NaiveDense(*shape, he_start) for shape in shapes]
    for layer in layers:
        layer.b.assign(tf.random.normal(layer.b.shape))
    return NaiveSequential(layers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


@pytest.fixture
def content(path):
    """The bytes of a file of a small network."""
    export_weights(make_model(784, 3, 10), path)
    return path.read_bytes()


def test_quantize_by_hand():
    matrix = np.array([[1.27, -0.02], [-0.5, 0.0125], [0.004, 0.0]], "float32")
    integers, scales = quantize(matrix)
    assert integers.dtype == np.int8 and scales.dtype == np.float32
    assert integers.tolist() == [[127, -127], [-50, 79], [0, 0]]
    assert np.allclose(scales, [0.01, 0.02 / 127])


@pytest.mark.parametrize("bits", [2, 8])
def test_no_weight_is_off_by_more_than_half_a_scale(random, bits):
    matrix = random.normal(size=(50, 20)).astype("float32") * np.arange(1, 21)
    integers, scales = quantize(matrix, bits)
    largest = 2 ** (bits - 1) - 1
    assert np.array_equal(np.abs(integers).max(axis=0), np.full(20, largest))
    assert (np.abs(integers * scales - matrix) <= 0.5001 * scales).all()


@pytest.mark.parametrize("value", [0, 1e-45])
def test_a_neuron_of_zeros_stays_one(value):
    integers, scales = quantize(np.full((3, 2), value, "float32"))
    assert (scales > 0).all() and np.isfinite(integers * scales).all()


@pytest.mark.parametrize(
    ("matrix", "bits", "words"),
    [
        (np.ones(3, "float32"), 8, "matrix must be of shape"),
        (np.ones((3, 2), int), 8, "matrix must be decimal"),
        (np.full((3, 2), np.nan, "float32"), 8, "matrix must be finite"),
        (np.ones((3, 2), "float32"), 9, "bits must be one of .*got 9"),
    ],
)
def test_quantize_explains_what_it_cannot_take(matrix, bits, words):
    with pytest.raises((ValueError, TypeError), match=words):
        quantize(matrix, bits)


def test_the_file_is_as_described(path):
    model = make_model(784, 3, 10)
    export_weights(model, path)
    content = path.read_bytes()
    header, numbers = header_and_numbers(content)
    assert json.loads(header["__metadata__"]["about"]) == {
        "format": "digits-from-scratch weights",
        "version": 2,
        "activations": ["relu", "softmax"],
        "crc32": zlib.crc32(numbers),
    }
    tensors = load(content)
    for i, layer in enumerate(model.layers):
        integers, scales = quantize(layer.W.numpy())
        parts = {"weights": integers, "scales": scales, "biases": layer.b.numpy()}
        for name, array in parts.items():
            found = tensors.pop(f"{i}.{name}")
            assert found.dtype == array.dtype and np.array_equal(found, array)
    assert not tensors


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [((784, 10), None), ((784, 20, 10), tf.nn.tanh), ((784, 9, 9, 10), tf.nn.sigmoid)],
)
def test_a_network_comes_back_with_rounded_weights(path, random, sizes, hidden):
    model = make_model(*sizes, hidden=hidden)
    export_weights(model, str(path))
    restored = import_weights(str(path))
    for layer, other in zip(model.layers, restored.layers, strict=True):
        integers, scales = quantize(layer.W.numpy())
        assert np.array_equal(other.W, integers * scales)
        assert np.array_equal(other.b, layer.b)
        assert other.activation is layer.activation
    images = random.random((50, 784), dtype="float32")
    assert np.abs(restored(images) - model(images)).max() < 0.05


def make_one_with_nan():
    model = make_model(784, 3, 10)
    model.layers[1].b.assign(np.full(10, np.nan))
    return model


MODELS = {
    "from 784 pixels to 10": lambda: make_model(100, 10),
    "10 probabilities": lambda: make_model(784, 9),
    "of softmax": lambda: make_model(784, 10, last=tf.nn.relu),
    "one of relu, sigmoid, softmax, tanh, got .*swish": lambda: make_model(
        784, 5, 10, hidden=tf.nn.silu
    ),
    "one of relu, .*, got .*lambda": lambda: make_model(784, 5, 10, hidden=lambda x: x),
    "a NaiveSequential of NaiveDense": lambda: NaiveDense(784, 10, tf.nn.softmax),
    "biases must be finite": make_one_with_nan,
}


@pytest.mark.parametrize(("words", "make"), MODELS.items(), ids=MODELS)
def test_export_explains_what_the_page_cannot_read(path, words, make):
    with pytest.raises(ValueError, match=words):
        export_weights(make(), path)
    assert not path.exists()


def test_every_damage_is_found(path, content, random):
    places = [*range(0, 250, 10), *random.integers(0, len(content), 50)]
    damaged = [content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :] for i in places]
    damaged += [content[: len(content) * i // 9] for i in range(9)]
    damaged += [content + b"\0", b"", b"abc", random.bytes(5000)]
    for case in damaged:
        path.write_bytes(case)
        with pytest.raises(ValueError, match=r"weights.safetensors is not usable: \w+"):
            import_weights(path)
    path.write_bytes(content)
    assert repr(import_weights(path).layers[0]) == "NaiveDense(784, 3, relu)"


OTHERS = {
    "not digits-from-scratch weights, version 2": {"version": 1},
    "it has no 'swish'": {"activations": ["swish", "softmax"]},
    "it has no '2.weights'": {"activations": ["relu", "relu", "softmax"]},
}


@pytest.mark.parametrize(("words", "facts"), OTHERS.items(), ids=OTHERS)
def test_a_file_of_another_kind_is_refused(path, content, words, facts):
    header, _ = header_and_numbers(content)
    about = json.loads(header["__metadata__"]["about"]) | facts
    path.write_bytes(save(load(content), {"about": json.dumps(about)}))
    with pytest.raises(ValueError, match=f"not usable: .*{words}"):
        import_weights(path)


@pytest.mark.mnist
def test_rounding_costs_less_than_a_tenth_of_a_point(mnist, path):
    train, train_labels, test, test_labels = mnist
    model = make_model(784, 512, 10)
    settings = {"learning_rate": 0.3, "shuffle": True, "seed": 7, "verbose": 0}
    fit_compiled(model, train, train_labels, 2, **settings)
    export_weights(model, path)
    assert path.stat().st_size <= 450_000
    both = model, import_weights(path)
    read = [accuracy(test_labels, predict(network, test)) for network in both]
    assert read[0] > 0.96
    assert abs(read[0] - read[1]) <= 0.001


@pytest.mark.mnist
def test_the_page_s_network_reads_99_percent(mnist):
    _, _, test, test_labels = mnist
    network = import_weights(WEIGHTS)
    assert accuracy(test_labels, predict(network, test)) >= 0.99
