import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Adam,
    Callback,
    History,
    NaiveDense,
    NaiveSequential,
    accuracy,
    average_loss,
    confusion_matrix,
    fit,
    fit_compiled,
    load_weights,
    loss_and_gradients,
    one_cycle,
    one_training_step,
    predict,
    rate_at,
    save_weights,
    training_mode,
    update_weights,
    variables_of,
)

# What XLA makes of a graph is in test_compiling.py; it takes four times as long.
fit_as_graph = functools.partial(fit_compiled, jit_compile=False)
WAYS = {"fit": fit, "graph": fit_as_graph}
IN_BOTH_WAYS = pytest.mark.parametrize("train", WAYS.values(), ids=WAYS)


def copies(weights):
    return [weight.numpy().copy() for weight in weights]


def make_small_model(seed=7):
    tf.random.set_seed(seed)
    return NaiveSequential(
        [NaiveDense(6, 5, tf.nn.tanh), NaiveDense(5, 3, tf.nn.softmax)]
    )


def test_update_steps_against_the_gradient():
    weight = tf.Variable([1.0, 2.0])
    update_weights([tf.constant([0.5, -4.0])], [weight], learning_rate=0.1)
    assert weight.numpy() == pytest.approx([0.95, 2.4])
    update_weights([tf.constant([50.0, 0.0])], [weight])  # the source's rate, 1e-3
    assert weight.numpy() == pytest.approx([0.9, 2.4])


def test_one_step_returns_the_loss_before_it_and_lowers_it(small_model, small_data):
    before, _ = loss_and_gradients(small_model, *small_data)
    returned = one_training_step(small_model, *small_data, learning_rate=0.1)
    after, _ = loss_and_gradients(small_model, *small_data)
    assert float(returned) == pytest.approx(float(before))
    assert float(after) < float(before)


def test_fit_takes_one_step_for_each_batch_of_each_epoch(small_data):
    by_fit, by_hand = make_small_model(), make_small_model()
    history = fit(by_fit, *small_data, epochs=2, batch_size=20, verbose=0)
    losses = []
    images, labels = small_data
    for _ in range(2):
        for batch in (slice(0, 20), slice(20, 40), slice(40, 50)):
            losses.append(
                float(one_training_step(by_hand, images[batch], labels[batch]))
            )
    assert history.batch_losses == losses
    for one, other in zip(by_fit.weights, by_hand.weights, strict=True):
        assert np.array_equal(one, other)


CHANGES = {
    "nothing": {},
    "batch_size": {"batch_size": 7},
    "learning_rate": {"learning_rate": 0.5},
    "shuffle": {"shuffle": False},
    "seed": {"seed": 2},
    "epochs": {"epochs": 2},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_only_other_settings_give_other_weights(small_data, change):
    settings = {"epochs": 1, "batch_size": 10, "shuffle": True, "seed": 1, "verbose": 0}
    plain, changed = make_small_model(), make_small_model()
    fit(plain, *small_data, **settings)
    fit(changed, *small_data, **(settings | change))
    assert np.array_equal(plain.weights[0], changed.weights[0]) == (not change)


def test_it_prints_as_the_source_does(small_model, small_data, capsys):
    images, labels = (np.concatenate([part] * 3) for part in small_data)
    losses = itertools.count()

    def step(*arguments, loss):
        return tf.constant(float(next(losses)))

    fit(small_model, images, labels, epochs=2, batch_size=1, step=step)
    assert capsys.readouterr().out.splitlines() == [
        *["Epoch 0", "loss at batch 0: 0.00", "loss at batch 100: 100.00"],
        *["Epoch 1", "loss at batch 0: 150.00", "loss at batch 100: 250.00"],
    ]


def test_it_can_be_silent_or_show_a_bar(small_model, small_data, capsys):
    validation = {"validation_data": small_data, "metric": accuracy}
    fit(small_model, *small_data, 1, 10, verbose=0, **validation)
    silent = capsys.readouterr()
    assert silent.out == silent.err == ""
    fit(small_model, *small_data, 1, 10, verbose="bar", **validation)
    bar = capsys.readouterr()
    first, *drawn, last = bar.out.splitlines()
    assert first == "Epoch 0" and "5/5" in drawn[-1] and "loss: " in drawn[-1]
    assert last.startswith("validation loss: ") and ", accuracy: " in last


@IN_BOTH_WAYS
def test_it_stops_when_the_loss_is_not_finite(small_data, train):
    model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax)])
    model.weights[0].assign(model.weights[0] * np.inf)
    words = "loss at epoch 0, batch 0 must be finite.*learning rate ten times smaller"
    with pytest.raises(FloatingPointError, match=words):
        train(model, *small_data, 1, validation_data=small_data, metric=accuracy)


def test_a_learning_rate_is_a_number_or_a_function_of_the_step():
    assert rate_at(0.5, 7) == 0.5
    assert rate_at(lambda step: 1 / step, 4) == 0.25


@IN_BOTH_WAYS
def test_a_rate_of_0_takes_no_step(small_model, small_data, train):
    settings = {"batch_size": 50, "learning_rate": lambda step: 0.1 * step}
    before = copies(small_model.weights)
    train(small_model, *small_data, 1, **settings, verbose=0)
    for old, weight in zip(before, small_model.weights, strict=True):
        assert np.array_equal(old, weight)
    train(small_model, *small_data, 2, **settings, verbose=0)
    assert not np.array_equal(before[0], small_model.weights[0])


class Dropout:
    weights, training = [], False

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, inputs):
        return tf.nn.dropout(inputs, self.rate) if self.training else inputs


class Block:
    """A layer that holds another one, where only a search finds it."""

    def __init__(self, layer):
        self.parts, self.weights = {"first": (layer,)}, []

    def __call__(self, inputs):
        return self.parts["first"][0](inputs)


def make_dropping_model():
    tf.random.set_seed(7)
    hidden, dropout = NaiveDense(6, 200, tf.nn.relu), Block(Dropout(0.5))
    return NaiveSequential([hidden, dropout, NaiveDense(200, 3, tf.nn.softmax)])


@IN_BOTH_WAYS
def test_dropout_drops_in_training_only(small_data, train):
    model, seen = make_dropping_model(), []

    class Look(Callback):
        def on_batch_end(self, batch, history):
            seen.append(predict(model, small_data[0]))

    settings = {"learning_rate": 1e-9, "verbose": 0, "callbacks": [Look()]}
    history = train(model, *small_data, 2, 25, validation_data=small_data, **settings)
    expected = float(average_loss(small_data[1], seen[0]))
    assert np.allclose(seen, seen[0], atol=1e-5)
    assert history.validation_losses == pytest.approx([expected] * 2, abs=1e-4)
    assert np.ptp(history.batch_losses[::2]) > 1e-5  # the same batch, other neurons


def test_training_mode_ends_with_an_error():
    layer = Dropout(0.5)
    with pytest.raises(KeyError), training_mode(NaiveSequential([Block(layer)])):
        assert layer.training
        raise KeyError
    assert not layer.training


@pytest.mark.parametrize(
    "layer", [keras.layers.Dropout(0.5), keras.layers.BatchNormalization()]
)
def test_a_layer_of_keras_that_cannot_be_told_is_refused(small_data, layer):
    model = NaiveSequential([layer, NaiveDense(6, 3, tf.nn.softmax)])
    with pytest.raises(ValueError, match="layers must be told by an attribute train"):
        fit(model, *small_data, 1, verbose=0)


@IN_BOTH_WAYS
def test_a_missing_gradient_is_explained(small_data, train):
    model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax), Block(tf.identity)])
    model.layers[1].weights = [tf.Variable(tf.zeros(4))]  # of which nothing depends
    words = r"the gradient of weight 2 must be a tensor of shape \(4,\), got None"
    with pytest.raises(ValueError, match=f"(?s){words}.*NumPy.*running mean"):
        train(model, *small_data, 1, verbose=0)


@IN_BOTH_WAYS
def test_weights_of_half_precision_are_refused(small_data, train):
    layer = Block(tf.identity)
    layer.weights = [tf.Variable(tf.zeros(4, tf.float16))]
    model = NaiveSequential([NaiveDense(6, 3, tf.nn.softmax), layer])
    with pytest.raises(TypeError, match="weights must be float32 or float64, got floa"):
        train(model, *small_data, 1, verbose=0)


@IN_BOTH_WAYS
def test_a_callback_can_stop_the_training(small_model, small_data, train):
    stop = Callback()
    for answer, epochs in ((True, 2), (np.True_, 2), (None, 4), ("a figure", 4)):
        stop.on_epoch_end = lambda epoch, history, told=answer: told if epoch else None
        callbacks = [stop, Callback()]
        history = train(small_model, *small_data, 4, verbose=0, callbacks=callbacks)
        assert len(history.epoch_losses) == epochs


def test_the_rates_the_rule_and_the_distortion_are_used(small_model, small_data):
    images, labels = small_data
    seen = []

    def distort(given):
        assert np.array_equal(given, images) and not given.flags.writeable
        return np.full_like(images, len(seen))

    def update(gradients, weights, learning_rate):
        seen.append(learning_rate)
        assert [g.shape for g in gradients] == [w.shape for w in weights]

    before = copies(small_model.weights)
    settings = {"learning_rate": lambda step: 0.5 + step, "verbose": 0}
    settings |= {"update": update, "distort": distort}
    history = fit(small_model, images, labels, 2, 50, **settings)
    assert seen == [0.5, 1.5]
    assert images.flags.writeable  # the reader's own array stays as it was
    for old, weight in zip(before, small_model.weights, strict=True):
        assert np.array_equal(old, weight)
    expected = [
        float(average_loss(labels, small_model(np.full_like(images, value))))
        for value in (0, 1)
    ]
    assert history.batch_losses == pytest.approx(expected)


@pytest.mark.mnist
def test_the_source_s_recipe_reaches_the_source_s_figures(mnist, source_model):
    train_images, train_labels, test_images, test_labels = mnist
    # What fit does (test_compiling.py), in a fifth of the time.
    history = fit_compiled(source_model, train_images, train_labels, 10, verbose=0)
    assert len(history.batch_losses) == 4690
    assert 4.0 <= history.batch_losses[0] <= 6.5
    assert all(0.55 <= loss <= 0.80 for loss in history.batch_losses[-469::100])
    reached = accuracy(test_labels, predict(source_model, test_images))
    assert 0.79 <= reached <= 0.85


class Column:
    """What pandas gives: its dtype has a name that NumPy does not know."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape
        self.dtype = type("CategoricalDtype", (), {"name": "category"})()

    def __array__(self, dtype=None, copy=None):
        return self.values


def squares(targets, predictions):
    return tf.reduce_mean((tf.cast(targets, tf.float32) - predictions) ** 2)


TICKS = itertools.count(1)
PAIR = np.ones((3, 6), "float32"), [0, 1, 2]


def wrong_validation(metric=None, labels=(0, 1, 2)):
    return {"validation_data": (PAIR[0], labels), "metric": metric}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"learning_rate": 0}, "learning_rate must be positive and finite"),
        ({"learning_rate": one_cycle(0.1, 5)}, "step 5 of 6.*ValueError: step must"),
        ({"learning_rate": [0.1].__getitem__}, "step 1 of 6.*IndexError: list index"),
        ({"learning_rate": {0: 0.1}.get}, "step 1 of 6 must be a number, got None"),
        ({"learning_rate": lambda step: -step}, "step 1 of 6 must be at least 0.* -1"),
        ({"learning_rate": lambda step: next(TICKS)}, "must be the same in every call"),
        ({"verbose": 2}, "verbose must be one of"),
        ({"update": Adam}, "update must be a function, no class"),
        ({"distort": 1}, "distort must be a function, got 1"),
        ({"distort": lambda x: x[:1]}, r"must be float32 of shape \(50, 6\)"),
        ({"model": lambda images: images}, "model must be a network with weights"),
        ({"model": NaiveDense}, "model must be a function, no class"),
        ({"images": lambda x: np.where(x == x[9], np.nan, x)}, "must be finite, got 6"),
        ({"images": lambda x: x[1:]}, "got 49 images and 50 labels"),
        (
            {"images": lambda x: x[:0], "labels": lambda y: y[:0]},
            "images must be one or",
        ),
        ({"images": lambda x: x[:, :5]}, r"vectors of shape \(n, 6\)"),
        ({"images": lambda x: x.astype("float64")}, "images must be float32"),
        ({"images": lambda x: x.astype(object)}, "images must be numbers .*got object"),
        (
            {"images": tf.data.Dataset.from_tensor_slices},
            "images must be an array .*get",
        ),
        ({"labels": lambda y: [*y[:-1], 3]}, r"labels must be in 0 to 2, got \[3\]"),
        (
            {"labels": lambda y: y.astype("float32")},
            "labels must be integers, got float",
        ),
        ({"labels": lambda y: Column(y.astype(str))}, "must be numbers .*got category"),
        ({"labels": lambda y: y * np.nan, "loss": squares}, "labels must be finite"),
        ({"loss": squares}, r"the model and the loss take.* \[50\] vs. \[50,3\]"),
        ({"loss": "mse"}, "loss must be a function, got 'mse'"),
        (
            {"loss": keras.losses.sparse_categorical_crossentropy},
            r"one number.*\(50,\)",
        ),
        ({"loss": lambda y, p: 1.5}, "what loss returns must be a tensor .*got float"),
        ({"activation": tf.identity}, "sum to 1.*is softmax the last activation"),
        ({"metric": accuracy}, "validation_data must be given, since a metric"),
        ({"validation_data": 1}, r"must be a pair \(images, labels\)"),
        (wrong_validation(labels=(0, 1, 3)), "labels must be in 0 to 2"),
        (
            wrong_validation({"a": accuracy, "b": confusion_matrix}),
            "b returns must be one number",
        ),
        (
            wrong_validation(keras.metrics.MeanSquaredError()),
            "a function, lambda .*adds up",
        ),
    ],
)
def test_what_is_wrong_is_explained_before_the_first_step(small_data, change, words):
    change = dict(change)
    arguments = dict(zip(("images", "labels"), small_data, strict=True))
    model = make_small_model()
    model.layers[-1].activation = change.pop("activation", tf.nn.softmax)
    for name in arguments.keys() & change.keys():
        arguments[name] = change.pop(name)(arguments[name])
    before = copies(model.weights)
    with pytest.raises((ValueError, TypeError), match=words):
        fit(**{"model": model, "epochs": 2, "batch_size": 20, **arguments, **change})
    for old, weight in zip(before, model.weights, strict=True):
        assert np.array_equal(old, weight)


def test_history_weighs_the_short_batch_by_its_size(small_model, small_data):
    history = fit(small_model, *small_data, epochs=2, batch_size=40, verbose=0)
    assert history.batch_sizes == [40, 10] * 2
    first, second = history.batch_losses[:2]
    assert history.epoch_losses[0] == pytest.approx((40 * first + 10 * second) / 50)
    assert len(history.epoch_losses) == 2
    assert history.validation_losses == history.validation_metrics == []


class Half:
    def __call__(self, labels, predictions):
        return np.float32(0.5)


@pytest.mark.parametrize(
    ("metric", "measured", "line"),
    [
        (None, [], ""),
        (accuracy, [1.0], ", accuracy: 1.0000"),
        (Half(), [0.5], ", metric: 0.5000"),
        (
            {"first": accuracy, "second": Half()},
            [{"first": 1.0, "second": 0.5}],
            ", first: 1.0000, second: 0.5000",
        ),
    ],
)
def test_validation_is_measured_and_printed(
    small_model, capsys, metric, measured, line
):
    images = np.ones((3, 6), "float32")
    guesses = predict(small_model, images).argmax(axis=1)
    history = History()
    history.add_validation(small_model, None, metric, 1)
    assert history == History()
    for verbose in (0, 1):
        history.add_validation(small_model, (images, guesses), metric, verbose)
    expected = float(average_loss(guesses, small_model(images)))
    assert history.validation_losses == pytest.approx([expected] * 2)
    assert history.validation_metrics == 2 * measured
    assert capsys.readouterr().out == f"validation loss: {expected:.2f}{line}\n"


class Layer:
    """A layer that a learner may write: a function, and what it trains."""

    def __init__(self, function, *starts):
        self.weights = [tf.Variable(start) for start in starts]
        self.function = function

    def __call__(self, inputs):
        return self.function(inputs, *self.weights)


class Frozen(Layer):
    """A layer, or several, inside another: a residual block without training."""

    def __init__(self, inner):
        self.weights, self.inner = [], [inner]

    def __call__(self, inputs):
        return inputs + self.inner[0](inputs)


def smoothed(labels, predictions):
    targets = 0.9 * tf.one_hot(tf.cast(labels, tf.int32), 3) + 0.1 / 3
    return -tf.reduce_mean(tf.reduce_sum(targets * tf.math.log(predictions), axis=1))


def dense(inputs, outputs, activation=tf.nn.softmax):
    return NaiveDense(inputs, outputs, activation, keras.initializers.HeNormal(1))


FLATTEN = Layer(lambda pictures: tf.reshape(pictures, (-1, 36)))
SCALE = Layer(lambda pixels: tf.cast(pixels, tf.float32) / 255)
KERNEL = tf.ones((3, 3, 1, 1)) / 9
CONVOLVE = Layer(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"), KERNEL)
SOFTEN = Layer(lambda sums, temperature: tf.nn.softmax(sums / temperature), 1.0)
PICTURES = np.random.default_rng(1).integers(0, 256, (50, 6, 6), "uint8")
VECTORS = (PICTURES.reshape(50, 36) / 255).astype("float32")
MEANS = VECTORS.mean(axis=1, keepdims=True)
ODD = PICTURES[:, 0, 0] % 2
CLASSES, ONE_HOT = np.arange(50) % 3, np.eye(2, dtype="float32")[ODD]
AUTOENCODER = [dense(36, 9, tf.nn.relu), dense(9, 36, tf.nn.sigmoid)]
SIGMOID = [dense(36, 1, tf.nn.sigmoid)]
EXPERIMENTS = {
    "pictures": ([SCALE, FLATTEN, dense(36, 3)], PICTURES),
    "convolution": ([CONVOLVE, FLATTEN, dense(36, 3)], VECTORS.reshape(50, 6, 6, 1)),
    "frozen block": ([Frozen(dense(36, 36, tf.nn.tanh)), dense(36, 3)], VECTORS),
    "temperature": ([dense(36, 3, tf.identity), SOFTEN], VECTORS),
    "nested": ([NaiveSequential([dense(36, 9)]), dense(9, 3)], VECTORS),
    "other byte order": ([dense(36, 3)], VECTORS.astype(">f4")),
    "two classes of pandas": ([dense(36, 2)], VECTORS, Column(ODD)),
    "label smoothing": ([dense(36, 3)], VECTORS, CLASSES, smoothed),
    "squares of one-hot": ([dense(36, 2)], VECTORS, ONE_HOT, squares),
    "autoencoder": (AUTOENCODER, VECTORS, VECTORS, squares),
    "regression": ([dense(36, 1, tf.identity)], VECTORS, MEANS, squares),
    "one sigmoid": (SIGMOID, VECTORS, ODD, keras.losses.BinaryCrossentropy()),
    "a column of labels": (SIGMOID, VECTORS, ODD[:, None], squares),
}


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
@pytest.mark.parametrize(
    "compiled",
    [fit_as_graph, pytest.param(fit_compiled, marks=pytest.mark.slow)],
    ids=["graph", "xla"],
)
def test_a_learner_s_experiments_train_eagerly_and_compiled(experiment, compiled):
    usual = CLASSES, average_loss
    layers, images, labels, loss = experiment + usual[len(experiment) - 2 :]
    settings = {"verbose": 0, "loss": loss, "validation_data": (images, labels)}
    model, losses = NaiveSequential(layers), []
    start = copies(model.weights)
    for train in (fit, compiled):
        for weight, value in zip(model.weights, start, strict=True):
            weight.assign(value)
        history = train(model, images, labels, 2, 20, 0.02, **settings)
        losses.append(history.batch_losses)
        expected = float(loss(np.asarray(labels), model(images)))
        assert history.validation_losses[1] == pytest.approx(expected)
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert history.validation_losses[1] < history.validation_losses[0]


class Normalization:
    """Batch normalization without scale and shift; its running means are no weights."""

    training = False

    def __init__(self, size):
        self.weights = []
        self.state = [tf.Variable(tf.zeros(size)), tf.Variable(tf.ones(size))]

    def __call__(self, inputs):
        means, variances = self.state
        if self.training:
            now = tf.nn.moments(inputs, [0])
            for old, new in zip(self.state, now, strict=True):
                old.assign(0.9 * old + 0.1 * new)
            means, variances = now
        return (inputs - means) / tf.sqrt(variances + 1e-3)


def make_normalizing_model():
    tf.random.set_seed(7)
    return NaiveSequential([Normalization(6), NaiveDense(6, 3, tf.nn.softmax)])


@IN_BOTH_WAYS
def test_a_state_moves_in_training_only_and_is_saved(small_data, tmp_path, train):
    def trained(epochs, **settings):
        model = make_normalizing_model()
        train(model, *small_data, epochs, 20, 0.1, verbose=0, **settings)
        return copies(variables_of(model)), model

    expected, model = trained(3, validation_data=small_data)
    assert len(expected) == 4 and np.all(expected[2] > 0.1)
    save_weights(model, tmp_path / "weights")
    other = make_normalizing_model()
    load_weights(other, tmp_path / "weights")
    assert np.array_equal(predict(other, small_data[0]), predict(model, small_data[0]))
    trained(1, checkpoint_dir=tmp_path / "saves")
    resumed, _ = trained(3, checkpoint_dir=tmp_path / "saves")
    for one, two in zip(expected, resumed, strict=True):
        assert np.array_equal(one, two)
