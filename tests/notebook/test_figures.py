import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from mnist_lib import plot_bars, plot_timeline
from mnist_lib.notebook import figures


def test_names_at_the_ends_of_lines_do_not_overlap():
    figure, axis = figures.new_figure()
    lines = [axis.plot([0, 1], [0, y], label=f"line {y}")[0] for y in (1, 1.01, 0.99)]
    figures.label_ends(axis, lines)
    figure.draw_without_rendering()
    order = [text.get_text() for text in axis.texts]
    assert order == ["line 0.99", "line 1", "line 1.01"]
    boxes = [text.get_window_extent() for text in axis.texts]
    assert all(low.y1 <= high.y0 for low, high in zip(boxes, boxes[1:], strict=False))


def test_each_curve_has_its_color_and_its_dash():
    colors, dashes = zip(*figures.STYLES, strict=True)
    assert len(set(colors)) == len(set(dashes)) == 4


def test_the_frame_leaves_room_for_labels_without_a_matplotlibrc():
    with plt.rc_context(matplotlib.rcParamsDefault):
        figure, _ = figures.new_figure(columns=2)
    for axis in figure.axes:
        spines = {name: spine.get_visible() for name, spine in axis.spines.items()}
        assert spines == {"left": True, "bottom": True, "top": False, "right": False}


def test_bars_stand_in_order_with_their_values_at_their_ends():
    bars = {128: 1.0, "second": [3.0, 2.0, 4.0]}
    settings = {"highlight": ["second"], "xlim": (0, 5)}
    (axis,) = plot_bars(bars, "seconds", "{:.1f} s", **settings).axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["128", "second"] and axis.yaxis_inverted()
    assert [bar.get_width() for bar in axis.patches] == [1.0, 3.0]  # the median
    assert [text.get_text() for text in axis.texts] == ["1.0 s", "3.0 s"]
    assert axis.texts[1].xy == (4.0, 1)  # right of every dot
    (dots,) = axis.lines
    assert [*dots.get_xdata()] == [3.0, 2.0, 4.0]
    colors = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in axis.patches]
    assert colors == [figures.BLUE.lower(), figures.VERMILLION.lower()]
    assert axis.get_xlabel() == "seconds" and axis.get_xlim() == (0, 5)


def test_a_timeline_shows_who_computes_and_for_how_long_all_exchange():
    computing = np.array([[0.1, 0.3], [0.2, 0.1]])
    (axis,) = plot_timeline(computing, np.array([0.4, 0.25])).axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axis.patches]
    assert [bool(bar.get_hatch()) for bar in axis.patches] == 4 * [False] + 2 * [True]
    assert np.allclose(bars[:4], [(0, 100), (400, 200), (0, 300), (400, 100)])
    assert np.allclose(bars[4:], [(300, 100), (600, 50)])
    assert axis.get_xlabel() == "time (ms)" and axis.get_ylabel() == "worker"
