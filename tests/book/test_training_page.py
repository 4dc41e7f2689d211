"""The field to train in, in chapter 5, used in a real browser as a reader would.

Needs what test_pages.py needs, and is skipped, or fails, as it is.
"""

import base64
import io
import itertools
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from axe_playwright_python.sync_playwright import Axe
from conftest import IN_BOTH_WAYS, PICTURES, SITE, opened
from PIL import Image
from test_pages import PHONE, barriers

from mnist_lib import (
    BatchGenerator,
    NaiveDense,
    NaiveSequential,
    import_weights,
    one_training_step,
    uniform_start,
)

TRAINING, DRAWING = "book/05_training.html", "book/10_drawing.html"
BEGIN = """weights => begin(weights.map(layer => layer.map(
  text => new Float32Array(bytesOf(text).buffer))).map(([W, b]) => ({W, b})))"""
SEND = """ask("send").then(layers => layers.flatMap(
  ({W, b}) => [Array.from(W), Array.from(b)]))"""


def choose(field, **choices):
    """Set the controls of the field, by words of their labels."""
    field.get_by_label(choices.get("start", "both signs")).check()
    rate = choices.get("rate", 0.3)
    field.get_by_label("Learning rate").fill(str(math.log10(rate)))
    assert float(field.locator("output[for=train-rate]").inner_text()) == rate
    field.get_by_label("Batch size").select_option(str(choices.get("batch", 128)))
    field.get_by_label("Hidden neurons").select_option(str(choices.get("hidden", 32)))


def press(field, name):
    field.get_by_role("button", name=name).click()


def go(tab, site, **choices):
    """Open the page, choose, and load the digits."""
    tab.goto(f"{site}/{TRAINING}")
    field = tab.locator("#train-it-here")
    field.scroll_into_view_if_needed()
    tab.wait_for_function("typeof startAgain === 'function'")
    choose(field, **choices)
    press(field, "Start again")
    field.get_by_text("A new network").wait_for(state="attached")
    return field


def accuracy(field):
    """Return what the field says of the accuracy, from 0 to 1."""
    return float(field.get_by_label("Accuracy").inner_text().removesuffix("%")) / 100


@pytest.fixture
def field(tab, site):
    yield go(tab, site)
    assert tab.complaints == []


@pytest.fixture(scope="module")
def digits(built):
    """The digits of the page: 10,000 vectors to train on, and their labels."""
    [script] = (SITE / "_static/train").glob("digits-*.js")
    content = base64.b64decode(script.read_text().split('"')[1])
    levels = np.asarray(Image.open(io.BytesIO(content))).reshape(120, 29, 100, 28)
    vectors = levels[:, :28].transpose(0, 2, 1, 3).reshape(-1, 784) / np.float32(15)
    return vectors[:10_000], levels[:, 28, :, 0].reshape(-1)[:10_000]


@pytest.mark.parametrize("batch", [32, 128, 512])
@pytest.mark.parametrize(
    ("rate", "start"),
    [(0.001, uniform_start), (0.3, keras.initializers.GlorotUniform(seed=1))],
    ids=["all positive", "both signs"],
)
def test_the_page_takes_the_steps_of_the_library(
    field, tab, digits, rate, start, batch
):
    choose(field, rate=rate, batch=batch)
    hidden = NaiveDense(784, 64, tf.nn.relu, start)
    model = NaiveSequential([hidden, NaiveDense(64, 10, tf.nn.softmax, start)])
    texts = [base64.b64encode(w.numpy().tobytes()).decode() for w in model.weights]
    tab.evaluate(BEGIN, [texts[:2], texts[2:]])
    batches, losses = itertools.cycle(BatchGenerator(*digits, batch)), []
    for steps in (1, 50):
        tab.evaluate(f"ask('run', {steps - len(losses)})")
        while len(losses) < steps:
            losses.append(one_training_step(model, *next(batches), rate))
        tab.wait_for_function(f"record.losses.length === {steps}")
        largest = max(np.abs(weight).max() for weight in model.weights)
        for weight, theirs in zip(model.weights, tab.evaluate(SEND), strict=True):
            assert np.abs(theirs - weight.numpy().ravel()).max() <= 1e-5 * largest
    assert np.allclose(tab.evaluate("record.losses"), losses, rtol=1e-5)


@pytest.mark.slow
@IN_BOTH_WAYS
def test_the_course_s_network_learns_in_two_epochs(tab, site):
    field = go(tab, site, hidden=512)
    assert 0 < accuracy(field) < 0.3
    press(field, "Train")
    tab.wait_for_function("record.epochs.length === 2", timeout=120_000)
    [reached] = tab.evaluate(
        "record.accuracies.filter(([step]) => step === 158).map(([, part]) => part)"
    )
    press(field, "Pause")
    field.get_by_text(re.compile(r"Step \d+: loss")).wait_for(state="attached")
    assert reached >= 0.93
    PICTURES.mkdir(parents=True, exist_ok=True)
    tab.emulate_media(reduced_motion="reduce")
    field.screenshot(path=PICTURES / "training-after.png")
    assert tab.complaints == []


def test_a_rate_that_diverges_chosen_with_the_keyboard(tab, site):
    field = go(tab, site, hidden=512)
    field.get_by_label("Learning rate").focus()
    tab.keyboard.press("End")
    assert field.locator("output[for=train-rate]").inner_text() == "3"
    field.get_by_role("button", name="Train").focus()
    tab.keyboard.press("Space")
    tab.wait_for_function("record.losses.length >= 30", timeout=60_000)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")  # on Pause
    field.get_by_text(re.compile(r"Step \d+: loss")).wait_for(state="attached")
    assert np.mean(tab.evaluate("record.losses.slice(20)")) > 5  # 2.3 knows nothing
    assert accuracy(field) < 0.2


@IN_BOTH_WAYS
def test_the_network_can_be_taken_along(tab, site, tmp_path):
    field = go(tab, site)
    press(field, "One step")
    field.get_by_text("Step 1: loss").wait_for(state="attached")
    with tab.expect_download() as download:
        press(field, "Download")
    download.value.save_as(tmp_path / "trained.safetensors")
    model, kept = import_weights(tmp_path / "trained.safetensors"), tab.evaluate(SEND)
    for weight, theirs in zip(model.weights, kept, strict=True):
        theirs = np.reshape(theirs, weight.shape)
        half_a_step = np.abs(theirs).max(axis=0) / 254
        assert np.all(np.abs(weight - theirs) <= 1.001 * half_a_step)

    press(field, "Keep it for chapter 10")
    field.get_by_role("link", name="Draw for it").click()
    tab.wait_for_url("**/10_drawing.html*")
    press(tab.locator("#draw"), "Your network of chapter 5")
    tab.get_by_text("your network of chapter 5, 784-32-10").wait_for()
    assert tab.complaints == []


@pytest.mark.parametrize("answer", ["missing", "damaged"])
def test_digits_that_cannot_be_used_are_explained(tab, site, answer):
    [script] = (SITE / "_static/train").glob("digits-*.js")
    whole = script.read_text()
    text = "" if answer == "missing" else f'{whole[:100_000]}";'
    tab.route("**/train/digits-*", lambda route: route.fulfill(body=text))
    tab.goto(f"{site}/{TRAINING}")
    field = tab.locator("#train-it-here")
    press(field, "Train")
    field.get_by_role("alert").get_by_text("The digits cannot be used: ").wait_for()
    tab.unroute("**/train/digits-*")
    press(field, "One step")
    field.get_by_text("Step 1: loss").wait_for(state="attached")
    assert field.get_by_role("alert").inner_text() == ""
    assert tab.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_bars_the_way_while_it_trains(browser, site, theme):
    with opened(browser, site, viewport=PHONE, color_scheme=theme) as tab:
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{site}/{TRAINING}", wait_until="networkidle")
        assert not [address for address in asked if "train/digits-" in address]
        field = go(tab, site)
        press(field, "Train")
        tab.wait_for_function("record.losses.length > 20")
        tab.evaluate(Axe().axe_script)
        assert barriers([tab], "#train-it-here") == []
        PICTURES.mkdir(parents=True, exist_ok=True)
        field.screenshot(path=PICTURES / f"training-phone-{theme}.png")
        assert tab.complaints == []
