"""What the course's numbers look like: digits, weights, losses, mistakes.

Every function returns the figure. Its look is in ``figures``, with plots of any curves
and bars.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnist_lib.notebook.figures import (
    BLUE,
    VERMILLION,
    as_picture,
    image_grid,
    new_figure,
    plot_curves,
)

__all__ = [
    "plot_confidence",
    "plot_confusion",
    "plot_forward",
    "plot_losses",
    "plot_misclassified",
    "plot_weights",
    "show_digits",
]


def show_digits(images, labels=None, columns: int = 10) -> Figure:
    """Show pictures in a grid, dark ink on white paper.

    Args:
        images: Array of shape (n, height, width) or (n, side * side), of any range of
            values; or one picture, of shape (side, side) or (side * side,).
        labels: Titles, one for each picture, or None.
        columns: Pictures to a row.
    """
    images = np.asarray(images)
    if images.ndim == 1 or (images.ndim == 2 and images.shape[0] == images.shape[1]):
        images = images[np.newaxis]  # one picture
    return image_grid(images, labels, columns, cmap="gray_r")


def plot_weights(
    weights, titles=None, columns: int = 10, label: str = "weight"
) -> Figure:
    """Show each column of a weight or gradient as a picture: red above 0, blue below.

    Args:
        weights: Array of shape (784, n). All pictures share one scale of colors.
        titles: One for each picture, or None.
        columns: Pictures to a row.
        label: What the colors stand for.
    """
    limit = np.abs(weights).max() or 1.0
    style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    figure = image_grid(np.transpose(weights), titles, columns, **style)
    figure.set_figheight(figure.get_figheight() + 0.7)  # room for the bar
    bar = {"location": "bottom", "shrink": 0.6, "aspect": 40, "ticks": MaxNLocator(5)}
    figure.colorbar(figure.axes[0].images[0], ax=figure.axes, label=label, **bar)
    return figure


def plot_misclassified(
    images, labels, mistakes, count: int = 15, columns: int = 5
) -> Figure:
    """Show the most confident mistakes: the label, then the two leading guesses.

    Args:
        images: All images, of shape (n, 28, 28) or (n, 784).
        labels: All labels, of shape (n,).
        mistakes: What ``misclassified`` returned for them.
        count: Mistakes to show, the most confident first.
        columns: Pictures to a row.
    """
    chosen = mistakes.indices[:count]
    titles = [
        f"a {labels[index]}, read as {first}\n{p:.0%} ({second}: {q:.0%})"
        for index, (first, second), (p, q) in zip(*mistakes, strict=True)
    ]
    return show_digits(np.asarray(images)[chosen], titles[:count], columns)


def plot_forward(model, image) -> Figure:
    """Show what flows through a network, for one picture.

    Args:
        model: ``NaiveSequential`` whose last layer gives probabilities.
        image: Array of shape (side, side) or (side * side,), float32 in [0, 1].
    """
    outputs = [np.reshape(image, (1, -1))]
    for layer in model.layers:
        outputs.append(np.asarray(layer(outputs[-1])))
    _, *hidden, last = outputs
    height = max(2.4, 0.15 * last.size)
    figure, axes = new_figure(height, columns=len(outputs))
    figure.get_layout_engine().set(wspace=0.12)
    axes[0].imshow(as_picture(image), cmap="gray_r")
    for values, axis in zip(hidden, axes[1:], strict=False):
        cells = values.reshape(-1, np.gcd(values.size, 16))
        axis.imshow(cells, cmap="gray_r", aspect="auto", vmin=0)
    classes = range(last.size)
    axes[-1].barh(classes, np.ravel(last), color=BLUE)
    axes[-1].set(xlim=(0, 1), yticks=classes, ylim=(last.size - 0.5, -0.5))
    names = ["pixels", *["hidden neurons"] * len(hidden), "probabilities"]
    for axis, values, name in zip(axes, outputs, names, strict=True):
        axis.set_title(f"{values.size} {name}", fontsize="medium")
        axis.axis("on" if name == "probabilities" else "off")
    return figure


def plot_losses(history) -> Figure:
    """Plot the loss of every batch, of every epoch, and of the validation data.

    Args:
        history: ``History`` as ``fit`` returned it.
    """
    num_epochs = len(history.epoch_losses)
    batches = np.linspace(0, num_epochs, len(history.batch_losses), endpoint=False)
    curves = {"training": (np.arange(num_epochs) + 0.5, history.epoch_losses)}
    if history.validation_losses:
        curves["validation"] = (range(1, num_epochs + 1), history.validation_losses)
    figure = plot_curves(curves, "epoch", "loss (nats)")
    axis = figure.axes[0]
    axis.plot(batches, history.batch_losses, color=BLUE, alpha=0.35, lw=0.8, zorder=1)
    axis.set_ylim(bottom=0)
    for name in axis.texts:
        name.xy = (num_epochs, name.xy[1])  # past the thin line, to stay legible
    return figure


def plot_confusion(counts) -> Figure:
    """Show a confusion matrix: correct counts in blue, mistakes in vermillion.

    Args:
        counts: What ``confusion_matrix`` returned, of shape (classes, classes).
    """
    classes = range(len(counts))
    figure, axis = new_figure(height=5)
    figure.set_size_inches(figure.get_size_inches() * max(1, len(counts) / 10))
    mistakes = np.where(np.eye(len(counts)), 0, counts)
    axis.imshow(mistakes, cmap="Oranges", vmax=1.6 * mistakes.max() or 1)
    for (label, guess), count in np.ndenumerate(counts):
        style = {"color": BLUE, "weight": "bold"} if label == guess else {}
        axis.text(guess, label, count, ha="center", va="center", **style)
    axis.set(xlabel="read as", ylabel="label", xticks=classes, yticks=classes)
    return figure


def plot_confidence(labels, predictions, bins: int = 20) -> Figure:
    """Plot how often each confidence occurs, for correct and for wrong guesses.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, classes).
        bins: Bars between confidence 0 and 1.
    """
    confidences = np.max(predictions, axis=1)
    correct = np.argmax(predictions, axis=1) == np.asarray(labels)
    style = {"bins": bins, "range": (0, 1), "histtype": "stepfilled", "alpha": 0.6}
    figure, axis = new_figure()
    axis.hist(confidences[correct], label="correct", color=BLUE, **style)
    style |= {"color": VERMILLION, "hatch": "//"}
    axis.hist(confidences[~correct], label="wrong", **style)
    axis.set(xlabel="confidence (largest probability)", ylabel="digits", yscale="log")
    axis.legend(loc="upper left", frameon=False)
    return figure
