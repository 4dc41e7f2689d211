"""Figures: what the numbers look like. Every function returns the figure."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnist_lib import checks
from mnist_lib.notebook import figures
from mnist_lib.notebook.figures import BLUE, finished, image_grid, plot_curves

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
        images: Array of shape (n, 28, 28) or (n, 784), of any range of values.
        labels: Titles, one for each picture, or None.
        columns: Pictures to a row.
    """
    return finished(image_grid(images, labels, columns, cmap="gray_r"))


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
    return finished(figure)


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
    return show_digits(images[chosen], titles[:count], columns)


def plot_forward(model, image) -> Figure:
    """Show what flows through a network of two layers, for one picture.

    Args:
        model: ``NaiveSequential`` of two layers.
        image: Array of shape (28, 28) or (784,), float32 in [0, 1].
    """
    vector = np.reshape(image, (1, -1))
    hidden = np.asarray(model.layers[0](vector))
    cells = hidden.reshape(-1, np.gcd(hidden.size, 16))
    figure, axes = figures.new_figure(height=2.4, columns=3)
    figure.get_layout_engine().set(wspace=0.12)
    axes[0].imshow(np.reshape(image, (28, 28)), cmap="gray_r")
    axes[1].imshow(cells, cmap="gray_r", aspect="auto", vmin=0)
    axes[2].barh(range(10), np.ravel(model(vector)), color=BLUE)
    axes[2].set(xlim=(0, 1), yticks=range(10), ylim=(9.5, -0.5))
    names = ("784 pixels", f"{hidden.size} hidden neurons", "10 probabilities")
    for axis, name, frame in zip(axes, names, ("off", "off", "on"), strict=True):
        axis.set_title(name, fontsize="medium")
        axis.axis(frame)
    return finished(figure)


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
        counts: What ``confusion_matrix`` returned, of shape (10, 10).
    """
    figure, axis = figures.new_figure(height=5)
    mistakes = np.where(np.eye(len(counts)), 0, counts)
    axis.imshow(mistakes, cmap="Oranges", vmax=1.6 * mistakes.max() or 1)
    for (label, guess), count in np.ndenumerate(counts):
        style = {"color": BLUE, "weight": "bold"} if label == guess else {}
        axis.text(guess, label, count, ha="center", va="center", **style)
    axis.set(xlabel="read as", ylabel="label", xticks=range(10), yticks=range(10))
    return finished(figure)


def plot_confidence(labels, predictions, bins: int = 20) -> Figure:
    """Plot how often the network was how sure, when correct and when wrong.

    Args:
        labels: Integers of shape (n,).
        predictions: Probabilities of shape (n, 10).
        bins: Bars between confidence 0 and 1.
    """
    checks.check_predictions(labels, predictions)
    confidences = np.max(predictions, axis=1)
    correct = np.argmax(predictions, axis=1) == labels
    figure, axis = figures.new_figure()
    style = {"bins": bins, "range": (0, 1), "histtype": "stepfilled", "alpha": 0.6}
    axis.hist(confidences[correct], label="correct", color=BLUE, **style)
    style |= {"color": figures.VERMILLION, "hatch": "//"}
    axis.hist(confidences[~correct], label="wrong", **style)
    axis.set(xlabel="confidence (largest probability)", ylabel="digits", yscale="log")
    axis.legend(loc="upper left", frameon=False)
    return finished(figure)
