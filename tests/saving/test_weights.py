import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import load, save

from mnist_lib import (
    NaiveDense,
    NaiveSequential,
    he_start,
    in_float64,
    load_weights,
    save_weights,
    to_keras,
)


def values(model):
    return [weight.numpy() for weight in model.weights]


def same(one, other):
    """Whether two lists of arrays are the same, bit for bit."""
    pairs = list(zip(one, other, strict=True))
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def make_model(*sizes, activation=tf.nn.tanh):
    pairs = zip(sizes, sizes[1:], strict=False)
    return NaiveSequential([NaiveDense(*pair, activation, he_start) for pair in pairs])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def test_weights_come_back_bit_for_bit(path, capsys):
    model, other = make_model(6, 5, 3), make_model(6, 5, 3)
    variables, before = list(other.weights), values(model)
    save_weights(model, path)
    assert len(load(path.read_bytes())) == len(before)  # any reader reads the file
    assert not same(values(other), before)
    load_weights(other, path)
    assert same(values(other), before) and same(values(model), before)
    # In place: what holds the variables, such as a rule, still does.
    assert all(a is b for a, b in zip(variables, other.weights, strict=True))
    assert capsys.readouterr().out == ""


def refused(model, path, words):
    """Whether the file is refused by its name, and the model left as it was."""
    before = values(model)
    with pytest.raises(ValueError, match=words) as caught:
        load_weights(model, path)
    return str(path) in str(caught.value) and same(values(model), before)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (make_model(6, 4, 3), r"weight_0 float32\(6, 4\), .*, got weight_0 .*\(6, 5"),
        (make_model(6, 5, 5, 3), r"its weights must be .*weight_5 float32\(3,\), got"),
        (in_float64(make_model(6, 5, 3)), "weight_0 float64.*got weight_0 float32"),
    ],
    ids=["another width", "a layer more", "another dtype"],
)
def test_weights_of_another_network_are_refused(model, words, path):
    save_weights(make_model(6, 5, 3), path)
    assert refused(model, path, words)


def test_weights_that_changed_places_in_the_file_are_found(path):
    model = make_model(5, 5, 5)
    save_weights(model, path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    arrays = load(path.read_bytes())
    arrays["weight_0"], arrays["weight_2"] = arrays["weight_2"], arrays["weight_0"]
    for kept in (metadata, None):
        path.write_bytes(save(arrays, kept))
        assert refused(model, path, "its weights are not those saved")


def test_damage_is_found_wherever_it_is(path):
    model = make_model(6, 5, 3)
    save_weights(model, path)
    content = path.read_bytes()
    for i in range(0, len(content), 7):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        assert refused(model, path, "is not usable: "), i
        path.write_bytes(content[:i])
        assert refused(model, path, "is not usable: "), i


def test_a_file_that_is_missing_or_something_else_is_refused(path, tmp_path):
    model = make_model(6, 5, 3)
    assert refused(model, path, "is not usable: No such file or directory$")
    assert refused(model, tmp_path, "is not usable: Is a directory$")
    path.write_text("<html>not found</html>")
    assert refused(model, path, "is not usable")


@pytest.mark.parametrize("use", [save_weights, load_weights])
def test_what_is_no_model_is_explained(use, path):
    with pytest.raises(ValueError, match="model must be a network with weights, got 3"):
        use(3, path)


NAMES = ["relu", "tanh", "sigmoid", "gelu", "leaky_relu", "silu", "relu6", "softmax"]


@pytest.mark.parametrize("name", NAMES)
def test_the_twin_has_the_same_outputs(name, random, capsys):
    model = make_model(6, 5, 4, 3, activation=getattr(tf.nn, name))
    model.weights[1].assign(random.random(5, dtype="float32"))
    images = 2 * random.standard_normal((40, 6), dtype="float32")
    twin = to_keras(model)
    assert np.abs(model(images) - twin(images)).max() <= 1e-6
    assert twin.output_shape == (None, 3)
    assert capsys.readouterr().out == ""


def test_keras_own_functions_will_do_and_float64_stays(random):
    model = in_float64(make_model(6, 5, 3, activation=keras.activations.gelu))
    twin, images = to_keras(model), random.standard_normal((40, 6))
    assert twin(images).dtype == tf.float64
    assert np.abs(model(images) - twin(images)).max() <= 1e-14


def test_the_twin_of_the_course_network_can_be_saved_and_served(random, tmp_path):
    layers = [NaiveDense(784, 512, tf.nn.relu, he_start)]
    model = NaiveSequential([*layers, NaiveDense(512, 10, tf.nn.softmax, he_start)])
    images, twin = random.random((64, 784), dtype="float32"), to_keras(model)
    expected = model(images)
    model.weights[0].assign_add(tf.ones((784, 512)))  # the twin shares nothing with it
    twin.save(tmp_path / "digits.keras")
    twin.export(tmp_path / "served")
    loaded = keras.models.load_model(tmp_path / "digits.keras")
    served = tf.saved_model.load(tmp_path / "served")
    for read in (twin, loaded, served.serve):
        assert np.abs(expected - read(images)).max() <= 1e-6
        assert np.abs(expected[:1] - read(images[:1])).max() <= 1e-6


def relu(sums):
    return tf.maximum(sums, 0.1 * sums)


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        (lambda sums: sums, "must be one of .*leaky_relu, .*, got <function"),
        (keras.layers.ReLU(), "an activation must be one of "),
        (relu, "the activation relu must be as in Keras, got <function relu"),
    ],
    ids=["nameless", "a layer", "another of that name"],
)
def test_an_activation_that_keras_has_not_is_explained(activation, words):
    with pytest.raises(ValueError, match=words):
        to_keras(make_model(6, 5, 3, activation=activation))


def test_what_is_no_network_of_dense_layers_is_explained():
    twin = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for model in (twin, NaiveDense(6, 3, tf.nn.relu), 3, None):
        words = "model must be a NaiveSequential of NaiveDense, got"
        with pytest.raises(ValueError, match=words):
            to_keras(model)
