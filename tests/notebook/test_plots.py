import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from matplotlib.text import Text

from mnist_lib import (
    History,
    Mistakes,
    NaiveDense,
    NaiveSequential,
    plot_bars,
    plot_confidence,
    plot_confusion,
    plot_curves,
    plot_forward,
    plot_losses,
    plot_misclassified,
    plot_timeline,
    plot_weights,
    show_digits,
)

NOTHING = Mistakes(np.zeros(0, int), np.zeros((0, 2), int), np.zeros((0, 2)))
NO_MISTAKES = np.zeros((9, 784)), np.arange(9), NOTHING


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


@pytest.fixture(autouse=True)
def nothing_is_left_open():
    yield
    assert not plt.get_fignums()


@pytest.mark.parametrize("shape", [(7, 28, 28), (7, 784), (7, 28, 28, 1)])
def test_digits_are_shown_in_rows_under_their_labels(shape):
    axes = show_digits(np.ones(shape), labels=range(7), columns=5).axes
    assert [axis.get_title() for axis in axes] == [*"0123456", "", "", ""]
    assert [len(axis.images) for axis in axes] == [1] * 7 + [0] * 3
    assert not any(axis.axison for axis in axes)
    picture = axes[0].images[0]
    assert picture.get_cmap().name == "gray_r"
    assert picture.get_array().shape == (28, 28)
    assert titles(show_digits(np.ones(shape))) == []


@pytest.mark.parametrize("shape", [(28, 28), (784,)])
def test_one_digit_is_shown_as_one(shape):
    figure = show_digits(np.ones(shape), np.uint8(5), columns=1)
    assert titles(figure) == ["5"] and len(figure.axes) == 1
    assert figure.axes[0].images[0].get_array().shape == (28, 28)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: show_digits(np.ones((3, 28, 28)), [1]), "titles must be one for each"),
        (lambda: show_digits(np.ones((3, 785))), "size 785 into shape .28,28"),
        (lambda: plot_misclassified(*NO_MISTAKES), "pictures must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_explained(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.parametrize("sizes", [(784, 10), (784, 64, 10), (64, 32, 16, 26)])
def test_forward_shows_image_hidden_neurons_and_probabilities(sizes):
    pairs = zip(sizes, sizes[1:], strict=False)
    model = NaiveSequential([NaiveDense(*pair, tf.nn.softmax) for pair in pairs])
    vector = np.linspace(0, 1, sizes[0], dtype="float32")
    figure = plot_forward(model, vector)
    hidden = [f"{size} hidden neurons" for size in sizes[1:-1]]
    names = [f"{sizes[0]} pixels", *hidden, f"{sizes[-1]} probabilities"]
    assert titles(figure) == names
    bars = [bar.get_width() for bar in figure.axes[-1].patches]
    assert bars == pytest.approx(model(vector[np.newaxis]).numpy()[0])
    assert [*figure.axes[-1].get_yticks()] == [*range(sizes[-1])]


@pytest.mark.parametrize("classes", [2, 10, 26])
def test_confusion_shows_every_count(classes):
    counts = np.arange(classes**2).reshape(classes, classes)
    figure = plot_confusion(counts)
    assert texts(figure) == [str(i) for i in range(classes**2)]
    assert [*figure.axes[0].get_xticks()] == [*range(classes)]
    assert figure.axes[0].get_ylabel() == "label"
    assert not np.diag(figure.axes[0].images[0].get_array()).any()


def test_all_weights_share_one_scale_around_zero():
    weights = np.zeros((784, 3))
    weights[5, 1], weights[6, 2] = 2.0, -3.0
    figure = plot_weights(weights, titles=["a", "b", "c"], columns=3, label="slope")
    pictures = [axis.images[0] for axis in figure.axes[:3]]
    assert {picture.get_clim() for picture in pictures} == {(-3.0, 3.0)}
    assert pictures[1].get_array()[0, 5] == 2.0
    assert figure.axes[3].get_xlabel() == "slope"
    assert plot_weights(np.zeros((784, 2))).axes[0].images  # without a scale


def test_mistakes_show_label_and_two_guesses():
    images, labels = np.zeros((9, 784)), np.arange(9)
    confidences = np.array([[0.9, 0.1], [0.6, 0.3]])
    mistakes = Mistakes(np.array([4, 7]), np.array([[9, 4], [1, 7]]), confidences)
    figure = plot_misclassified(images, labels, mistakes, count=5)
    expected = ["a 4, read as 9\n90% (4: 10%)", "a 7, read as 1\n60% (7: 30%)"]
    assert titles(figure) == expected
    assert len(titles(plot_misclassified(images, labels, mistakes, count=1))) == 1


def test_curves_carry_their_names_units_and_styles():
    curves = {name: ([1, 2], [3, y]) for y, name in enumerate("abcde")}
    figure = plot_curves(curves, "batch size", "loss (nats)", xscale="log")
    axis = figure.axes[0]
    assert sorted(texts(figure)) == [*"abcde"]
    assert axis.get_xlabel() == "batch size" and axis.get_ylabel() == "loss (nats)"
    assert axis.get_xscale() == "log"
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 4


def test_a_curve_may_end_in_nan():
    figure = plot_curves({"diverged": ([1, 2, 3], [1.0, 2.0, np.nan])}, "x", "y")
    assert figure.axes[0].texts[0].xy == (2, 2.0)


def test_losses_show_every_batch_and_every_epoch():
    history = History([3.0, 2.0, 1.5, 1.0], [8, 8, 8, 8], [2.5, 1.25], [2.0, 1.0])
    axis = plot_losses(history).axes[0]
    by_length = {len(line.get_ydata()): line for line in axis.lines}
    assert by_length[4].get_ydata().tolist() == history.batch_losses
    assert sorted(text.get_text() for text in axis.texts) == ["training", "validation"]
    assert axis.get_ylabel() == "loss (nats)" and axis.get_ylim()[0] == 0
    history.validation_losses.clear()
    assert len(plot_losses(history).axes[0].texts) == 1


def test_confidence_counts_correct_and_wrong_apart():
    labels = np.array([0, 1, 1])
    predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    figure = plot_confidence(labels, predictions, bins=10)
    correct, wrong = figure.axes[0].patches
    assert correct.get_path().vertices[:, 1].max() == 1  # of 0.8 and of 0.9 each
    assert wrong.get_path().vertices[:, 1].max() == 1
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["correct", "wrong"]


def test_text_can_be_read_on_a_phone(source_model):
    images = np.zeros((2, 784), "float32")
    with plt.rc_context(fname=ROOT / "book/matplotlibrc"):
        drawn = [
            show_digits(images, range(2)),
            plot_forward(source_model, images[0]),
            plot_confusion(np.eye(10)),
            plot_confidence(np.zeros(2, int), np.eye(10)[:2]),
            plot_curves({"name": ([1, 2], [3, 4])}, "x", "y"),
            plot_bars({"name": 1.0}, "x"),
            plot_timeline(np.ones((2, 2)), np.ones(2)),
        ]
    for figure in drawn:
        pixel = 390 / 72 / figure.get_figwidth()  # of a point, as wide as the screen
        sizes = [text.get_fontsize() * pixel for text in figure.findobj(Text)]
        assert min(sizes) >= 9
