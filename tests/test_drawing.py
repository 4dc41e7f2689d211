import json
import zlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT

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

WEIGHTS = ROOT / "book/_static/draw/weights.bin"


def make_model(*sizes, hidden=tf.nn.relu, last=tf.nn.softmax):
    activations = [hidden] * (len(sizes) - 2) + [last]
    shapes = zip(sizes, sizes[1:], activations, strict=False)
    layers = [NaiveDense(*shape, he_start) for shape in shapes]
    for layer in layers:
        layer.b.assign(tf.random.normal(layer.b.shape))
    return NaiveSequential(layers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.bin"


@pytest.fixture
def content(path):
    """The bytes of a file of a small network."""
    export_weights(make_model(784, 3, 10), path)
    return path.read_bytes()


def with_checksum(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


# Quantize


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


def test_a_neuron_of_zeros_stays_one():
    integers, scales = quantize(np.zeros((3, 2), "float32"))
    assert not integers.any() and (scales > 0).all()
    tiny = np.full((3, 2), 1e-45, "float32")
    assert np.isfinite(quantize(tiny)[0] * quantize(tiny)[1]).all()


@pytest.mark.parametrize(
    ("matrix", "bits", "words"),
    [
        (np.ones(3, "float32"), 8, r"matrix must be of shape"),
        (np.ones((3, 2), int), 8, r"matrix must be decimal"),
        (np.full((3, 2), np.nan, "float32"), 8, r"matrix must be finite"),
        (np.ones((3, 2), "float32"), 9, r"bits must be one of .*got 9"),
        (np.ones((3, 2), "float32"), 1, r"bits must be one of .*got 1"),
    ],
)
def test_quantize_explains_what_it_cannot_take(matrix, bits, words):
    with pytest.raises((ValueError, TypeError), match=words):
        quantize(matrix, bits)


# Export and import


def test_the_file_is_as_described(path):
    model = make_model(784, 3, 10)
    export_weights(model, path)
    header, _, rest = path.read_bytes().partition(b"\n")
    assert json.loads(header) == {
        "format": "digits-from-scratch weights",
        "version": 1,
        "layers": [
            {"inputs": 784, "outputs": 3, "activation": "relu"},
            {"inputs": 3, "outputs": 10, "activation": "softmax"},
        ],
    }
    numbers, checksum = rest[:-4], rest[-4:]
    for layer in model.layers:
        integers, scales = quantize(layer.W.numpy())
        for array in (scales, layer.b.numpy(), integers):
            assert numbers[: array.nbytes] == array.tobytes()
            numbers = numbers[array.nbytes :]
    assert numbers == b""
    body = header + b"\n" + rest[:-4]
    assert int.from_bytes(checksum, "little") == zlib.crc32(body)


def test_the_network_of_the_course_is_small_enough(path):
    export_weights(make_model(784, 512, 10), path)
    assert path.stat().st_size <= 450_000


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ((784, 10), tf.nn.relu),
        ((784, 20, 10), tf.nn.tanh),
        ((784, 30, 20, 10), tf.nn.sigmoid),
    ],
)
def test_a_network_comes_back_with_rounded_weights(path, random, sizes, hidden):
    model = make_model(*sizes, hidden=hidden)
    export_weights(model, str(path))
    restored = import_weights(str(path))
    assert len(restored.layers) == len(model.layers)
    for layer, other in zip(model.layers, restored.layers, strict=True):
        integers, scales = quantize(layer.W.numpy())
        assert np.array_equal(other.W, integers * scales)
        assert np.array_equal(other.b, layer.b)
        assert other.activation is layer.activation
    images = random.random((50, 784), dtype="float32")
    assert np.abs(restored(images) - model(images)).max() < 0.05


def test_the_file_is_replaced_as_a_whole(path, content):
    broken = make_model(784, 3, 10)
    broken.layers[1].b.assign(np.full(10, np.nan))
    with pytest.raises(ValueError, match="biases must be finite"):
        export_weights(broken, path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with pytest.raises(OSError, match="could not be written"):
        export_weights(make_model(784, 10), path / "below" / "a.bin")


MODELS = {
    "from 784 pixels to 10": lambda: make_model(100, 10),
    "10 probabilities": lambda: make_model(784, 9),
    "of softmax": lambda: make_model(784, 10, last=tf.nn.relu),
    "activations must be .*got .*'elu'": lambda: make_model(
        784, 5, 10, hidden=tf.nn.elu
    ),
    "an activation": lambda: make_model(784, 5, 10, hidden=lambda sums: sums),
    "a NaiveSequential of NaiveDense": lambda: NaiveDense(784, 10, tf.nn.softmax),
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
        with pytest.raises(ValueError, match=r"weights.bin is not usable: \w+"):
            import_weights(path)
    path.write_bytes(content)
    assert repr(import_weights(path).layers[0]) == "NaiveDense(784, 3, relu)"


CHANGES = {
    "not digits-from-scratch weights, version 1": (b'"version": 1', b'"version": 2'),
    "not digits-from-scratch": (b"digits-from-", b"letters-from-"),
    "fewer|smaller": (b'"inputs": 784', b'"inputs": 999999999999'),
    r"\w": (b'"inputs": 784', b'"inputs": -1'),
    "swish": (b"relu", b"swish"),
    "must be": (b'"outputs": 3', b'"outputs": 0'),
    "layers": (b'"layers"', b'"lagers"'),
    "unexpected keyword": (b'"inputs"', b'"puts"'),
}


def test_a_file_made_to_deceive_is_refused(path, content):
    for words, change in CHANGES.items():
        changed = content[:-4].replace(*change, 1)
        assert changed != content[:-4]
        path.write_bytes(with_checksum(changed))
        with pytest.raises(ValueError, match=f"(?s)not usable: .*({words})"):
            import_weights(path)


def test_what_follows_the_last_layer_is_not_passed_over(path, content):
    path.write_bytes(with_checksum(content[:-4] + b"\0"))
    with pytest.raises(ValueError, match="not usable: .*must be none, got 1 bytes"):
        import_weights(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.bin is not usable: .*No such file"):
        import_weights(tmp_path / "none.bin")
    with pytest.raises(ValueError, match="is not usable: .*directory"):
        import_weights(tmp_path)


# On the real MNIST


@pytest.mark.mnist
def test_rounding_costs_less_than_a_tenth_of_a_point(mnist, path):
    train, train_labels, test, test_labels = mnist
    model = make_model(784, 512, 10)
    settings = {"learning_rate": 0.3, "shuffle": True, "seed": 7, "verbose": 0}
    fit_compiled(model, train, train_labels, 2, **settings)
    export_weights(model, path)
    read = [
        accuracy(test_labels, predict(m, test)) for m in (model, import_weights(path))
    ]
    assert read[0] > 0.96
    assert abs(read[0] - read[1]) <= 0.001


@pytest.mark.mnist
def test_the_page_s_network_reads_99_percent(mnist):
    _, _, test, test_labels = mnist
    network = import_weights(WEIGHTS)
    assert repr(network.layers) == (
        "[NaiveDense(784, 512, relu), NaiveDense(512, 10, softmax)]"
    )
    assert accuracy(test_labels, predict(network, test)) >= 0.99
