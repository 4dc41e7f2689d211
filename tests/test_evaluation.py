import numpy as np
import pytest

from mnist_lib import (
    accuracy,
    accuracy_interval,
    confusion_matrix,
    misclassified,
    predict,
)


@pytest.fixture
def example():
    """Five pictures of three classes; the second and the last are misread."""
    labels = np.array([0, 1, 2, 2, 0], "uint8")
    predictions = [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.1, 0.2, 0.7],
        [0.2, 0.2, 0.6],
        [0.05, 0.15, 0.8],
    ]
    return labels, np.array(predictions, "float32")


def test_predict_gives_a_row_of_probabilities_for_each_image(small_model, small_data):
    predictions = predict(small_model, small_data[0])
    assert predictions.shape == (50, 3) and predictions.dtype == np.float32
    assert predictions.sum(axis=1) == pytest.approx(np.ones(50), abs=1e-6)


def test_predict_runs_in_batches_with_the_same_result(small_model, small_data):
    sizes = []

    def watched(images):
        sizes.append(len(images))
        return small_model(images)

    in_batches = predict(watched, small_data[0], batch_size=20)
    assert sizes == [20, 20, 10]
    at_once = small_model(small_data[0]).numpy()
    assert in_batches == pytest.approx(at_once, abs=1e-6)


def test_accuracy_is_correct_over_all(example):
    assert accuracy(*example) == 3 / 5
    assert isinstance(accuracy(*example), float)


def test_wilson_interval_worked_out_by_hand(example):
    # p = 0.6, n = 5, z = 1.96: center 0.5565, half width 0.3257
    assert accuracy_interval(*example) == pytest.approx((0.2307, 0.8824), abs=1e-4)


def test_interval_stays_within_0_and_1_where_all_is_correct():
    low, high = accuracy_interval([0] * 10, np.array([[1.0, 0.0]] * 10))
    assert 0.7 < low < 0.75 and high == pytest.approx(1.0) and high <= 1


def test_interval_is_narrower_with_more_examples_and_less_confidence(example):
    many = [np.concatenate([part] * 100) for part in example]
    intervals = accuracy_interval(*many), accuracy_interval(*example, confidence=0.5)
    more, less, usual = np.ptp([*intervals, accuracy_interval(*example)], axis=1)
    assert more < usual / 5 and less < usual / 2


def test_confusion_matrix_has_a_row_for_each_label(example):
    expected = [[1, 0, 1], [1, 0, 0], [0, 0, 2]]
    counts = confusion_matrix(*example)
    assert counts.tolist() == expected
    assert counts.dtype == np.int64


def test_mistakes_come_with_the_most_confident_first(example):
    mistakes = misclassified(*example)
    assert mistakes.indices.tolist() == [4, 1]
    assert mistakes.guesses.tolist() == [[2, 1], [0, 1]]
    assert mistakes.confidences == pytest.approx(np.array([[0.8, 0.15], [0.6, 0.3]]))


def test_no_mistakes_give_empty_arrays():
    mistakes = misclassified([1], np.array([[0.1, 0.9]]))
    assert mistakes.indices.shape == (0,)
    assert mistakes.guesses.shape == mistakes.confidences.shape == (0, 2)


@pytest.mark.parametrize("function", [accuracy, confusion_matrix, misclassified])
@pytest.mark.parametrize(
    ("labels", "predictions", "words"),
    [
        ([0, 1, 1], np.eye(2), "2 predictions and 3 labels"),
        ([0, 2], np.eye(2), "labels must be in 0 to 1"),
        ([0.0, 1.0], np.eye(2), "labels must be integers"),
        (None, np.eye(2), "labels must be integers"),
        ([0, 1], [0, 1], "predictions must be probabilities"),
        ([0, 1], np.eye(2) * np.nan, "predictions must be finite"),
    ],
)
def test_wrong_data_are_explained(function, labels, predictions, words):
    with pytest.raises((ValueError, TypeError), match=words):
        function(labels, predictions)


@pytest.mark.parametrize("confidence", [0, 1, np.nan])
def test_wrong_confidence_is_explained(example, confidence):
    with pytest.raises(ValueError, match="confidence must be positive and below 1"):
        accuracy_interval(*example, confidence=confidence)


def test_wrong_images_are_explained(small_model, small_data):
    images, _ = small_data
    with pytest.raises(ValueError, match="images must be one or more"):
        predict(small_model, images[:0])
    with pytest.raises(ValueError, match="images must be finite, got 300"):
        predict(small_model, images * np.inf)
    with pytest.raises(TypeError, match="images must be float32"):
        predict(small_model, images.astype("float64"))
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        predict(small_model, images, batch_size=0)
