import numpy as np
import pytest

from mnist_lib import History, accuracy, average_loss, fit, predict


def test_history_starts_empty_and_shares_nothing():
    one, other = History(), History()
    one.add_batch(1.0, 5)
    assert other.batch_losses == other.batch_sizes == []


def test_history_weighs_the_short_batch_by_its_size(small_model, small_data):
    history = fit(small_model, *small_data, epochs=2, batch_size=40, verbose=0)
    assert history.batch_sizes == [40, 10] * 2
    first, second = history.batch_losses[:2]
    assert history.epoch_losses[0] == pytest.approx((40 * first + 10 * second) / 50)
    assert len(history.epoch_losses) == 2
    assert history.validation_losses == history.validation_metrics == []


def test_validation_is_optional(small_model, small_data, capsys):
    history = History()
    history.add_validation(small_model, None, None, 1)
    assert history == History()
    history.add_validation(small_model, small_data, None, 0)
    predictions = predict(small_model, small_data[0])
    expected = float(average_loss(small_data[1], predictions))
    assert history.validation_losses == pytest.approx([expected])
    assert history.validation_metrics == []
    assert capsys.readouterr().out == ""


def test_validation_is_printed_with_the_metric_s_name(small_model, small_data, capsys):
    history = History()
    history.add_validation(small_model, small_data, accuracy, 1)
    loss, reached = history.validation_losses[0], history.validation_metrics[0]
    line = f"validation loss: {loss:.2f}, accuracy: {reached:.4f}\n"
    assert capsys.readouterr().out == line


def test_a_metric_without_a_name_is_called_metric(small_model, small_data, capsys):
    class Half:
        def __call__(self, labels, predictions):
            return np.float32(0.5)

    history = History()
    history.add_validation(small_model, small_data, Half(), "bar")
    assert history.validation_metrics == [0.5]
    assert capsys.readouterr().out.endswith(", metric: 0.5000\n")
