"""The look that all figures share: colors, sizes, grids of pictures, labels.

Blue is training and correct, vermillion is test and wrong, in every figure of the
course; dashes and markers say it again for those who see colors differently.
"""

import math

import matplotlib.pyplot as plt
import numpy as np

from mnist_lib import checks

__all__ = ["plot_bars", "plot_curves", "plot_timeline"]

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
STYLES = [(BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":")]
WIDTH = 6.4  # inches


def new_figure(height: float = 3.6, columns: int = 1) -> tuple[plt.Figure, plt.Axes]:
    """Return a figure of the usual width, and its axes in a row."""
    size = (WIDTH, height)
    figure, axes = plt.subplots(1, columns, figsize=size, layout="constrained")
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)  # labels stand there
    return figure, axes


def finished(figure: plt.Figure) -> plt.Figure:
    """Return the figure, taken from pyplot, which would show it a second time."""
    plt.close(figure)
    return figure


def as_picture(image) -> np.ndarray:
    """Return a picture, which may come as a row of side * side pixels."""
    image = np.squeeze(image)
    side = math.isqrt(image.size)
    fits = image.ndim > 1 or side**2 == image.size > 0
    checks.require(fits, "a picture", "of side * side pixels", image.size)
    return image if image.ndim > 1 else image.reshape(side, side)


def image_grid(images, titles, columns: int, **style) -> plt.Figure:
    """Lay pictures out in rows, each under its title."""
    checks.check_positive_integer("number of pictures", len(images))
    checks.check_positive_integer("columns", columns)
    pictures, rows = [*map(as_picture, images)], math.ceil(len(images) / columns)
    titles = [""] * len(images) if titles is None else np.ravel(titles)
    got = f"{len(titles)} for {len(images)} pictures"
    checks.require(len(titles) == len(images), "titles", "one for each picture", got)
    titles = [str(title) for title in titles]
    title_lines = max(title.count("\n") + bool(title) for title in titles)
    size = (WIDTH, rows * (WIDTH / columns + 0.2 * title_lines))
    figure, axes = plt.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title in zip(axes.flat, pictures, titles, strict=False):
        axis.imshow(picture, **style)
        axis.set_title(title, fontsize="medium")
    return figure


def label_ends(axis, lines) -> None:
    """Write each line's name at its end, moved apart where two would overlap."""
    axis.figure.canvas.draw()  # fixes the limits
    ends = []
    for line in lines:
        x, y = line.get_xydata()[np.isfinite(line.get_ydata())][-1]
        ends.append((axis.transData.transform((x, y))[1], x, y, line))
    height, previous = 15 * axis.figure.dpi / 72, -math.inf
    for pixel, x, y, line in sorted(ends, key=lambda end: end[0]):
        previous = max(pixel, previous + height)
        offset = (previous - pixel) * 72 / axis.figure.dpi
        axis.annotate(
            line.get_label(),
            (x, y),
            (6, offset),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            annotation_clip=False,
        )


def plot_curves(
    curves: dict, x_label: str, y_label: str, **axis_settings
) -> plt.Figure:
    """Plot up to four named curves, each with its name at its end.

    Args:
        curves: For each name a pair (x values, y values).
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        **axis_settings: For ``Axes.set``, such as ``xscale="log"``.
    """
    checks.check_choice("number of curves", len(curves), (1, 2, 3, 4))
    figure, axis = new_figure()
    lines = []
    for (name, (x, y)), (color, dash) in zip(curves.items(), STYLES, strict=False):
        marker = "o" if len(x) <= 30 else ""
        lines += axis.plot(x, y, dash, color=color, marker=marker, ms=4, label=name)
    axis.set(xlabel=x_label, ylabel=y_label, **axis_settings)
    label_ends(axis, lines)
    return finished(figure)


def plot_bars(
    bars: dict, label: str, form: str = "{:.2f}", highlight=(), **axis_settings
) -> plt.Figure:
    """Plot named numbers as bars, the first on top, each with its value at its end.

    Args:
        bars: For each name a number, or a list of several runs: then the bar ends
            at their median, and dots show each of them.
        label: What the numbers are, with their unit.
        form: How to write a value, as for ``str.format``.
        highlight: Names of bars in vermillion.
        **axis_settings: For ``Axes.set``, such as ``xlim=(0.9, 1)``.
    """
    checks.check_positive_integer("number of bars", len(bars))
    bars = {str(name): values for name, values in bars.items()}
    medians = [np.median(values) for values in bars.values()]
    colors = [VERMILLION if name in highlight else BLUE for name in bars]
    figure, axis = new_figure(height=0.34 * len(bars) + 0.8)
    axis.barh(list(bars), medians, color=colors, height=0.6)
    for row, (values, median) in enumerate(zip(bars.values(), medians, strict=True)):
        runs = np.ravel(values)
        if len(runs) > 1:
            axis.plot(runs, [row] * len(runs), "o", ms=4, color="black", alpha=0.6)
        text = (max(runs.max(), median), row), (6, 0)
        axis.annotate(
            form.format(median), *text, textcoords="offset points", va="center"
        )
    axis.set(xlabel=label, **axis_settings)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    return finished(figure)


def plot_timeline(computing, steps, label: str = "time (ms)") -> plt.Figure:
    """Show what workers do in some steps: compute, wait for the slowest, exchange.

    Args:
        computing: Seconds that each worker computes, of shape (steps, workers).
        steps: Seconds that each step takes, of shape (steps,).
        label: What the x axis says.
    """
    starts = 1000 * np.concatenate([[0], np.cumsum(steps)[:-1]])
    own, whole = 1000 * np.asarray(computing), 1000 * np.asarray(steps)
    figure, axis = new_figure(height=0.34 * own.shape[1] + 1.2)
    for worker, seconds in enumerate(own.T):
        axis.barh([worker] * len(starts), seconds, left=starts, color=BLUE, height=0.6)
    slowest = own.max(axis=1)
    places = starts + slowest, own.shape[1] - 0.4, whole - slowest, -0.3
    look = {"color": "none", "edgecolor": VERMILLION, "hatch": "//"}
    axis.bar(*places, align="edge", **look)
    axis.set(xlabel=label, yticks=range(own.shape[1]), ylabel="worker")
    parts = "filled: computing   hatched: exchanging   white: waiting"
    axis.set_title(parts, size="medium")
    axis.invert_yaxis()
    return finished(figure)
