"""The look that all figures share, and plots of any curves, bars and times.

Blue is training and correct, vermillion is test and wrong, in every figure of the
course; dashes and markers say it again for those who see colors differently.
"""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np

from mnist_lib.checks import arguments as checks

__all__ = ["plot_bars", "plot_curves", "plot_timeline"]

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
STYLES = [(BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":")]
WIDTH = 6.4  # inches


def new_figure(height: float = 3.6, rows: int = 1, columns: int = 1) -> tuple:
    """Return a figure of the usual width, and its axes."""
    size = (WIDTH, height)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
    plt.close(figure)  # or pyplot shows it a second time
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)  # labels stand there
    return figure, axes


def as_picture(image) -> np.ndarray:
    """Return a picture, which may come as a row of side * side pixels."""
    image = np.squeeze(image)
    side = math.isqrt(image.size)
    return image if image.ndim > 1 else image.reshape(side, side)


def image_grid(images, titles, columns: int, **style) -> plt.Figure:
    """Lay pictures out in rows, each under its title."""
    count, rows = len(images), math.ceil(len(images) / columns)
    checks.check_positive_integer("number of pictures", count)
    titles = [""] * count if titles is None else [*map(str, np.ravel(titles))]
    got = f"{len(titles)} for {count} pictures"
    checks.require(len(titles) == count, "titles", "one for each picture", got)
    title_lines = max(title.count("\n") + bool(title) for title in titles)
    height = rows * (WIDTH / columns + 0.2 * title_lines)
    figure, _ = new_figure(height, rows, columns)
    for axis in figure.axes:
        axis.axis("off")
    for axis, image, title in zip(figure.axes, images, titles, strict=False):
        axis.imshow(as_picture(image), **style)
        axis.set_title(title, fontsize="medium")
    return figure


def label_ends(axis, lines) -> None:
    """Write each line's name at its end, moved apart where two would overlap."""
    axis.figure.draw_without_rendering()  # fixes the limits
    points, ends, lowest = 72 / axis.figure.dpi, [], -math.inf
    for line in lines:
        end = tuple(line.get_xydata()[np.isfinite(line.get_ydata())][-1])
        ends.append((points * axis.transData.transform(end)[1], end, line))
    for height, end, line in sorted(ends, key=lambda place: place[0]):
        lowest = max(lowest, height)
        style = {"color": line.get_color(), "va": "center", "annotation_clip": False}
        place = {"xytext": (6, lowest - height), "textcoords": "offset points"}
        axis.annotate(line.get_label(), end, **place, **style)
        lowest += 15  # points, the height of a name


def plot_curves(
    curves: dict, x_label: str, y_label: str, **axis_settings
) -> plt.Figure:
    """Plot named curves, each with its name at its end; four styles take turns.

    Args:
        curves: For each name a pair (x values, y values).
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        **axis_settings: For ``Axes.set``, such as ``xscale="log"``.
    """
    figure, axis = new_figure()
    lines, styles = [], itertools.cycle(STYLES)
    for (name, (x, y)), (color, dash) in zip(curves.items(), styles, strict=False):
        marker = "o" if len(x) <= 30 else ""
        lines += axis.plot(x, y, dash, color=color, marker=marker, ms=4, label=name)
    axis.set(xlabel=x_label, ylabel=y_label, **axis_settings)
    label_ends(axis, lines)
    return figure


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
    figure, axis = new_figure(height=0.34 * len(bars) + 0.8)
    for row, (name, values) in enumerate(bars.items()):
        runs, median = np.ravel(values), np.median(values)
        color = VERMILLION if name in highlight else BLUE
        axis.barh(row, median, color=color, height=0.6)
        if len(runs) > 1:
            axis.plot(runs, [row] * len(runs), "o", ms=4, color="black", alpha=0.6)
        place = {"xy": (runs.max(), row), "xytext": (6, 0), "va": "center"}
        axis.annotate(form.format(median), textcoords="offset points", **place)
    axis.set_yticks(range(len(bars)), bars)
    axis.set(xlabel=label, **axis_settings)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    return figure


def plot_timeline(computing, steps, label: str = "time (ms)") -> plt.Figure:
    """Show what workers do in some steps: compute, wait for the slowest, exchange.

    Args:
        computing: Seconds that each worker computes, of shape (steps, workers).
        steps: Seconds that each step takes, of shape (steps,).
        label: What the x axis says.
    """
    own, whole = 1000 * np.asarray(computing), 1000 * np.asarray(steps)
    starts, slowest, workers = np.cumsum(whole) - whole, own.max(axis=1), own.shape[1]
    figure, axis = new_figure(height=0.34 * workers + 1.2)
    for worker, seconds in enumerate(own.T):
        axis.barh([worker] * len(starts), seconds, left=starts, color=BLUE, height=0.6)
    style = {"color": "none", "edgecolor": VERMILLION, "hatch": "//", "align": "edge"}
    axis.bar(starts + slowest, workers - 0.4, whole - slowest, bottom=-0.3, **style)
    axis.set(xlabel=label, yticks=range(workers), ylabel="worker")
    parts = "filled: computing   hatched: exchanging   white: waiting"
    axis.set_title(parts, size="medium")
    axis.invert_yaxis()
    return figure
