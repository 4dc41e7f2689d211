"""Chapter 6. From weights to an honest number: how well does the network read?

Each function takes the labels first and the predictions second. Predictions are
probabilities; the guess is the class with the largest.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from mnist_lib.checks import arguments as checks

__all__ = [
    "Mistakes",
    "accuracy",
    "accuracy_interval",
    "confusion_matrix",
    "misclassified",
    "predict",
]


def predict(model, images, batch_size: int = 1000) -> np.ndarray:
    """Run the model on all images, a batch at a time to save memory.

    Args:
        model: Callable such as ``NaiveSequential``.
        images: Array of shape (n, …) that the model takes, such as (n, 784), float32.
        batch_size: Images per batch; the result does not depend on it.

    Returns:
        Probabilities of shape (n, classes), float32.

    Raises:
        ValueError, TypeError: An image that is not finite or does not fit the model,
            no image at all, or a ``batch_size`` that is no positive integer.
    """
    checks.check_callable("model", model)
    checks.check_positive_integer("batch_size", batch_size)
    checks.check_finite("images", images)
    starts = range(0, len(images), batch_size)
    batches = [model(images[start : start + batch_size]) for start in starts]
    return np.concatenate(batches)


def accuracy(labels, predictions) -> float:
    """Compute the fraction of examples whose likeliest class is the label.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes).

    Returns:
        Correct over all, in [0, 1].

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_predictions(labels, predictions)
    guesses = np.argmax(predictions, axis=1)
    return float(np.mean(guesses == np.asarray(labels)))


def accuracy_interval(
    labels, predictions, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute Wilson's interval: which true accuracies would explain this one?

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes).
        confidence: How often such an interval contains the true accuracy, in (0, 1).

    Returns:
        Lower and upper end, each in [0, 1].

    Raises:
        ValueError, TypeError: The data do not fit, or ``confidence`` is not in (0, 1).

    Source: E. B. Wilson, *Probable inference …*, 1927.
    """
    checks.check_positive_number("confidence", confidence, below=1)
    p = accuracy(labels, predictions)
    n = len(predictions)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half_width = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, center - half_width), min(1.0, center + half_width)


def confusion_matrix(labels, predictions) -> np.ndarray:
    """Count how often each class was read as each class.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes).

    Returns:
        Counts of shape (classes, classes), int64, with a row for each label and a
        column for each guess. The diagonal holds the correct ones; all add up to n.

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_predictions(labels, predictions)
    guesses = np.argmax(predictions, axis=1)
    counts = np.zeros((np.shape(predictions)[1],) * 2, dtype=np.int64)
    np.add.at(counts, (np.asarray(labels), guesses), 1)
    return counts


class Mistakes(NamedTuple):
    """The misread examples, the most confident mistake first.

    Attributes:
        indices: Where they are in the data, shape (m,), int64.
        guesses: The two likeliest classes of each, shape (m, 2), int64.
        confidences: The probabilities of those two, shape (m, 2).
    """

    indices: np.ndarray
    guesses: np.ndarray
    confidences: np.ndarray


def misclassified(labels, predictions) -> Mistakes:
    """Find the examples that are misread, the most confident mistake first.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes).

    Returns:
        ``Mistakes`` with the indices, the two leading guesses and their
        probabilities.

    Raises:
        ValueError, TypeError: The two do not fit each other.
    """
    checks.check_predictions(labels, predictions)
    predictions = np.asarray(predictions)
    wrong = np.flatnonzero(np.argmax(predictions, axis=1) != np.asarray(labels))
    indices = wrong[np.argsort(-predictions[wrong].max(axis=1), kind="stable")]
    guesses = np.argsort(-predictions[indices], axis=1, kind="stable")[:, :2]
    confidences = np.take_along_axis(predictions[indices], guesses, axis=1)
    return Mistakes(indices, guesses, confidences)
