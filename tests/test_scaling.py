import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import (
    Adam,
    NaiveDense,
    NaiveSequential,
    fit,
    fit_distributed,
    start_workers,
    update_weights,
)

# Trains on one device and on several, and writes down where they differ most.
COMPARE = """
import json, sys
import keras
import numpy as np
import tensorflow as tf
import mnist_lib as m

random = np.random.default_rng(7)
labels = random.integers(0, 3, 401)
images = random.random((401, 6), dtype="float32") + labels[:, None].astype("float32")
# 8 to a batch, and 1 in the last one: others have nothing to do.
SIZES = {"epochs": 2, "batch_size": 8, "verbose": 0}
VALIDATION = {"validation_data": (images[:50], labels[:50]), "metric": m.accuracy}
SETTINGS = {
    "plain": {"learning_rate": 0.1, **VALIDATION},
    "momentum": {"rule": m.Momentum, "learning_rate": 0.05, "shuffle": True, "seed": 3},
    "keras": {"rule": lambda weights: keras.optimizers.AdamW(0.01, clipnorm=0.05)},
}

def make():
    tf.random.set_seed(7)
    layers = [m.NaiveDense(6, 5, tf.nn.tanh), m.NaiveDense(5, 3, tf.nn.softmax)]
    return m.NaiveSequential(layers)

def largest(pairs):
    return max(np.abs(a - b).max(initial=0) for a, b in pairs)

def compare(strategy, name):
    settings = {**SIZES, **SETTINGS[name]}
    distributed = m.fit_distributed(make, images, labels, strategy=strategy, **settings)
    model, rule = make(), settings.pop("rule", None)
    start = [weight.numpy() for weight in model.weights]
    update = m.update_weights if rule is None else rule(model.weights)
    history = m.fit(model, images, labels, update=update, **settings)
    expected = [weight.numpy() for weight in model.weights]
    assert largest(zip(expected, start)) > 1e-2
    assert history.batch_sizes == distributed[1].batch_sizes == 2 * (50 * [8] + [1])
    lists = zip(vars(history).values(), vars(distributed[1]).values(), strict=True)
    differences = [largest([map(np.array, pair)]) for pair in lists]
    copies = map(strategy.experimental_local_results, distributed[0].weights)
    for copy in zip(*copies):
        differences.append(largest(zip(expected, [part.numpy() for part in copy])))
    return float(max(differences))

def compare_all(strategy, names):
    return {name: compare(strategy, name) for name in names}
"""
VIRTUAL = """
cpus = [tf.config.LogicalDeviceConfiguration()] * 4
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, cpus)
differences = {"no strategy": compare_all(tf.distribute.get_strategy(), ["momentum"])}
for count, name in {2: "keras", 4: "plain"}.items():
    strategy = tf.distribute.MirroredStrategy(
        [f"/cpu:{i}" for i in range(count)], tf.distribute.ReductionToOneDevice())
    assert strategy.num_replicas_in_sync == count
    differences[f"{count} mirrored"] = compare_all(strategy, [name])
print(json.dumps(differences))
"""
WORKER = """
strategy = m.join_cluster(100)
assert strategy.num_replicas_in_sync == 2
print(json.dumps(compare_all(strategy, sys.argv[1:])))
"""
WORKERS = ["momentum", "plain"]


@pytest.fixture(scope="module")
def differences(tmp_path_factory):
    """For every strategy and settings how far it is from ``fit``."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "virtual.py").write_text(COMPARE + VIRTUAL)
    (folder / "worker.py").write_text(COMPARE + WORKER)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    virtual = subprocess.Popen([sys.executable, folder / "virtual.py"], **pipes)
    program = [str(folder / "worker.py"), *WORKERS]
    lines = start_workers(program, 2, out=io.StringIO())
    found = {f"worker {i}": json.loads(own[-1]) for i, own in enumerate(lines)}
    out, complaint = virtual.communicate()
    assert virtual.returncode == 0, complaint
    return found | json.loads(out)


@pytest.mark.integration
def test_it_gives_the_weights_and_the_history_of_fit(differences):
    assert len(differences) == 2 + 3  # workers, and three other strategies
    for strategy, by_settings in differences.items():
        for settings, largest in by_settings.items():
            assert largest <= 1e-5, (strategy, settings)
    assert differences["worker 0"] == differences["worker 1"]


def make_model():
    tf.random.set_seed(7)
    layers = [NaiveDense(6, 5, tf.nn.tanh), NaiveDense(5, 3, tf.nn.softmax)]
    return NaiveSequential(layers)


def test_it_goes_on_from_a_checkpoint_of_fit(small_data, tmp_path):
    settings = {"epochs": 1, "batch_size": 20, "verbose": 0, "learning_rate": 0.1}
    model = make_model()
    update = Adam(model.weights)
    fit(model, *small_data, checkpoint_dir=tmp_path, **settings, update=update)
    settings |= {"epochs": 2, "strategy": tf.distribute.get_strategy(), "rule": Adam}
    expected, whole = fit_distributed(make_model, *small_data, **settings)
    settings["checkpoint_dir"] = tmp_path
    model, history = fit_distributed(make_model, *small_data, **settings)
    assert history.batch_losses == pytest.approx(whole.batch_losses, abs=1e-5)
    for one, other in zip(model.weights, expected.weights, strict=True):
        assert np.abs(one.numpy() - other.numpy()).max() <= 1e-5


def test_a_rule_that_counts_in_python_is_found(small_data):
    counts = []

    def rule(gradients, weights, learning_rate):
        counts.append(learning_rate)
        update_weights(gradients, weights, learning_rate)

    strategy = tf.distribute.get_strategy()
    settings = {"strategy": strategy, "rule": lambda weights: rule, "verbose": 0}
    with pytest.raises(ValueError, match=r"update\.counts.* must be a tf.Variable"):
        fit_distributed(make_model, *small_data, 1, 20, **settings)


def test_each_replica_needs_an_example(small_data):
    with pytest.raises(ValueError, match="at least 1 for each of 1 replicas, got 0"):
        fit_distributed(make_model, *small_data, 1, 0, tf.distribute.get_strategy())
