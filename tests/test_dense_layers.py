import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import NaiveDense, NaiveSequential, uniform_start


def test_layer_turns_a_batch_into_one_row_of_outputs_for_each_example():
    layer = NaiveDense(784, 512, tf.nn.relu)
    outputs = layer(np.zeros((128, 784), "float32"))
    assert outputs.shape == (128, 512)
    assert outputs.dtype == tf.float32


def test_layer_computes_the_formula_worked_out_by_hand():
    layer = NaiveDense(2, 2, tf.nn.relu)
    layer.W.assign([[1.0, -1.0], [2.0, 0.5]])
    layer.b.assign([0.5, -3.0])
    # 1*1 + 2*2 + 0.5 = 5.5; 1*(-1) + 2*0.5 - 3 = -3, which relu cuts off at 0
    assert layer(np.array([[1.0, 2.0]], "float32")).numpy().tolist() == [[5.5, 0.0]]


def test_weights_start_uniform_from_0_to_a_tenth_and_biases_at_0():
    layer = NaiveDense(784, 512, tf.nn.relu)
    start = layer.W.numpy()
    assert isinstance(layer.W, tf.Variable) and isinstance(layer.b, tf.Variable)
    assert layer.W.dtype == layer.b.dtype == tf.float32
    assert start.min() >= 0 and start.max() < 0.1
    assert start.mean() == pytest.approx(0.05, abs=0.001)
    assert start.std() == pytest.approx(0.1 / 12**0.5, abs=0.001)
    assert not layer.b.numpy().any()


def test_same_seed_gives_the_same_start():
    starts = [tf.random.set_seed(3) or uniform_start((4, 5)) for _ in range(2)]
    assert np.array_equal(*starts)


def test_another_initializer_is_used():
    layer = NaiveDense(3, 4, tf.nn.relu, initializer=tf.ones)
    assert (layer.W.numpy() == 1).all()
    glorot = keras.initializers.GlorotUniform(seed=1)
    assert NaiveDense(3, 4, tf.nn.relu, glorot).W.numpy().min() < 0


def test_softmax_rows_sum_to_1(source_model, random):
    probabilities = source_model(random.random((5, 784), dtype="float32"))
    assert probabilities.shape == (5, 10)
    assert probabilities.numpy().sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)


def test_model_calls_its_layers_in_order(small_model, random):
    images = random.random((4, 6), dtype="float32")
    first, second = small_model.layers
    assert np.array_equal(small_model(images), second(first(images)))


def test_model_lists_the_weights_in_order(small_model):
    first, second = small_model.layers
    expected = [first.W, first.b, second.W, second.b]
    assert all(a is b for a, b in zip(small_model.weights, expected, strict=True))


def test_layer_agrees_with_keras(random):
    images = random.random((128, 784), dtype="float32")
    layer = NaiveDense(784, 512, tf.nn.relu, keras.initializers.GlorotUniform(seed=1))
    layer.b.assign(random.standard_normal(512))
    keras_layer = keras.layers.Dense(512, activation="relu")
    keras_layer.build((None, 784))
    keras_layer.set_weights([weight.numpy() for weight in layer.weights])
    difference = np.abs(layer(images) - keras_layer(images))
    assert difference.max() <= 1e-5


def test_printing_shows_sizes_and_activations(source_model):
    assert repr(source_model) == (
        "NaiveSequential([NaiveDense(784, 512, relu), NaiveDense(512, 10, softmax)])"
    )


def test_summary_counts_the_weights(source_model, capsys):
    source_model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ["401,920", "5,130", "407,050"]
    assert "(784, 512) (512,)" in lines[0]


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((5, 28, 28), "float32", r"got shape \(5, 28, 28\)"),
        ((784,), "float32", r"vectors of shape \(n, 784\)"),
        ((5, 784), "uint8", "images must be float32.*got uint8"),
        ((5, 784), "float64", "images must be float32.*got float64"),
    ],
)
def test_wrong_inputs_are_explained(source_model, shape, dtype, words):
    with pytest.raises((ValueError, TypeError), match=words):
        source_model(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_size": 0}, "input_size must be at least 1, got 0"),
        ({"output_size": 2.0}, "output_size must be a positive integer, got 2.0"),
        ({"output_size": True}, "output_size must be a positive integer, got True"),
        ({"activation": "relu"}, "activation must be a function, got 'relu'"),
        ({"initializer": 0.1}, "initializer must be a function"),
        ({"initializer": lambda _: tf.zeros(2)}, r"of shape \(3, 2\), got \(2,\)"),
        ({"initializer": lambda shape: tf.fill(shape, np.nan)}, "must be finite"),
    ],
)
def test_wrong_layers_are_explained(change, words):
    arguments = {"input_size": 3, "output_size": 2, "activation": tf.nn.relu}
    with pytest.raises((ValueError, TypeError), match=words):
        NaiveDense(**{**arguments, **change})


def test_layers_that_do_not_fit_are_explained():
    layers = [NaiveDense(784, 512, tf.nn.relu), NaiveDense(500, 10, tf.nn.softmax)]
    with pytest.raises(ValueError, match="layer 1 must be 512.*got 500"):
        NaiveSequential(layers)
    with pytest.raises(ValueError, match="layers must be one or more"):
        NaiveSequential([])
    with pytest.raises(TypeError, match="layers must be a list, got NaiveDense"):
        NaiveSequential(layers[0])
