"""The page to draw on, in chapter 10, used in a real browser as a reader would.

Needs what test_pages.py needs, and is skipped, or fails, as it is.
"""

import base64
import re
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from conftest import IN_BOTH_WAYS, PICTURES, ROOT, SITE, opened

from mnist_lib import (
    NaiveDense,
    NaiveSequential,
    accuracy,
    export_weights,
    he_start,
    import_weights,
    load_mnist,
    predict,
)
from mnist_lib.digits import stand_in

WEIGHTS = ROOT / "book/_static/draw/weights.safetensors"
DRAWING = "book/10_drawing.html"
READY = """() => typeof layers === "object"
  && document.getElementById("draw-answer").textContent"""
# A way of writing each digit; points as in digits/stand_in.py: 38 is 3 ninths of the
# way to the right and 8 ninths down, "/" lifts the pen.
WRITTEN = {
    0: "60 31 13 16 38 59 78 86 83 71 50",
    1: "50 53 56 59",
    2: "12 30 60 82 74 46 19 / 19 49 79 99",
    3: "11 40 70 72 54 34 / 34 64 86 68 49 19 07",
    4: "20 13 16 / 16 45 95 / 70 73 76 79",
    5: "80 50 20 / 20 14 / 14 44 75 77 59 29 08",
    6: "60 33 16 28 49 69 87 75 55 27",
    7: "11 41 81 / 80 63 46 39",
    8: "71 40 21 23 54 76 78 59 38 26 44 72 71",
    9: "72 50 31 23 44 63 72 / 71 74 76 79",
}


def strokes(digit, size=0.7, left=0.15, top=0.15):
    """Yield strokes as lists of points, 0 to 1 across the field, bent as by a hand."""
    for stroke in WRITTEN[digit].split("/"):
        corners = np.array([[int(x), int(y)] for x, y in stroke.split()])
        curve = stand_in._smooth(corners[None] / 9)[0, :, ::3].reshape(-1, 2)
        yield (curve * size + (left, top)).tolist()


def draw(tab, strokes):
    """Draw with the mouse."""
    tab.locator("#draw-pad").scroll_into_view_if_needed()
    field = tab.locator("#draw-pad").bounding_box()
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            place = x * field["width"], y * field["height"]
            tab.mouse.move(field["x"] + place[0], field["y"] + place[1])
            if i == 0:
                tab.mouse.down()
        tab.mouse.up()


def said(tab):
    """Return the answer that is shown, once it is the one that is read out."""
    tab.evaluate("new Promise(requestAnimationFrame)")
    answer = tab.locator("#draw-answer").inner_text()
    assert tab.locator("#draw-said").text_content() == answer
    return answer


def seen(tab):
    """Return the picture that the network sees, from 0 to 1."""
    code = "Array.from(drawing.picture ?? makePicture(drawing.strokes))"
    return np.reshape(tab.evaluate(code), (28, 28))


def keep(tab, name):
    """Leave a picture of the page to draw on where those of all pages are."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    tab.emulate_media(reduced_motion="reduce")  # a larger window moves the side bars
    tab.locator("#draw").screenshot(path=PICTURES / f"drawing-{name}.png")


def go(tab, site):
    """Open the page, and wait until the network is loaded."""
    tab.goto(f"{site}/{DRAWING}")
    tab.locator("#draw-pad").scroll_into_view_if_needed()
    tab.wait_for_function(READY)


@pytest.fixture
def desk(tab, site):
    """A tab at the page to draw on, with the network loaded."""
    go(tab, site)
    yield tab
    assert tab.complaints == []


@IN_BOTH_WAYS
def test_ten_drawn_digits_are_read(desk):
    answers = {}
    for digit in WRITTEN:
        draw(desk, strokes(digit))
        answers[digit] = said(desk)
        rows = desk.locator("#draw-bars li").all_inner_texts()
        percents = [int(re.search(r"(\d+)%", row)[1]) for row in rows]
        assert 95 <= sum(percents) <= 105
        assert np.argmax(percents) == digit
        keep(desk, f"dark-{digit}")
        desk.get_by_role("button", name="Clear").click()
        assert said(desk) == "Draw a digit."
    assert all(
        re.fullmatch(rf"I read an? {digit} \(\d+%\)\.", answer)
        for digit, answer in answers.items()
    ), answers


def test_a_drawing_is_prepared_as_mnist_is(desk):
    draw(desk, strokes(5))
    large = seen(desk)
    desk.get_by_role("button", name="Clear").click()
    draw(desk, strokes(5, size=0.2, left=0.75, top=0.02))
    small = seen(desk)
    rows, columns = np.indices((28, 28))
    for picture in (large, small):
        assert picture.min() == 0 and picture.max() == 1
        assert np.any((picture > 0) & (picture < 1))  # soft edges
        inked = [np.flatnonzero(picture.max(axis=axis) > 0.5) for axis in (0, 1)]
        assert max(line[-1] - line[0] + 1 for line in inked) in (19, 20)
        for places in (rows, columns):
            assert abs((picture * places).sum() / picture.sum() - 14) < 0.1
    assert np.abs(large - small).mean() < 0.02  # the pointer moves in whole pixels


ZOOMS = {
    "turned": "document.getElementById('draw').style.transform = 'rotate(40deg)'",
    "both": "document.querySelector('article').style = 'zoom: 1.5; scale: 0.8'",
}


@pytest.mark.parametrize("change", ZOOMS.values(), ids=ZOOMS)
def test_strokes_land_where_the_pen_is(desk, change):
    desk.evaluate(change)
    desk.locator("#draw-pad").scroll_into_view_if_needed()
    session = desk.context.new_cdp_session(desk)
    pad = session.send("Runtime.evaluate", {"expression": "pad"})["result"]["objectId"]
    model = session.send("DOM.getBoxModel", {"objectId": pad})["model"]
    corner, right, _, bottom = np.reshape(model["content"], (4, 2))
    drawn = [[0.5, 0.45], [0.6, 0.5], [0.55, 0.6]]
    for i, (x, y) in enumerate(drawn):
        desk.mouse.move(*(corner + x * (right - corner) + y * (bottom - corner)))
        if i == 0:
            desk.mouse.down()
    desk.mouse.up()
    (stroke,) = desk.evaluate("drawing.strokes")
    assert np.abs(np.subtract(stroke, drawn)).max() < 0.01


def test_a_very_long_stroke_is_read(desk):
    code = """() => {
      const turn = (i) => [0.5 + 0.2 * Math.cos(i), 0.5 + 0.4 * Math.sin(i)];
      drawing = { strokes: [Array.from({ length: 200_000 }, (_, i) => turn(i / 1e3))] };
      show();
    }"""
    desk.evaluate(code)
    assert desk.locator("#draw-answer").inner_text().startswith("I read a 0")


TWO = "I see two digits, but read one."


def test_two_digits_side_by_side_are_noticed(desk):
    draw(desk, [*strokes(1, 0.5, left=0.05), *strokes(0, 0.5, left=0.45)])
    assert said(desk).endswith(TWO)
    desk.get_by_role("button", name="Undo").click()
    assert not said(desk).endswith(TWO)


@pytest.mark.mnist
def test_real_digits_are_told_from_pairs_of_them(desk):
    (_, _), (pictures, _) = load_mnist()
    code = """all => all.map(points => areTwoDigits(points.map(point => [point])))"""

    def points(picture, left=0):
        rows, columns = np.nonzero(picture > 127)
        return (np.stack([columns + left, rows], axis=1) / 56).tolist()

    single = [points(picture) for picture in pictures[:2000]]
    pairs = [points(a) + points(b, 28) for a, b in pairwise(pictures[:500])]
    assert sum(desk.evaluate(code, single)) == 0
    assert np.mean(desk.evaluate(code, pairs)) > 0.95


def test_undo_and_clear(desk):
    first, *others = strokes(4)
    draw(desk, [first])
    one_stroke = seen(desk)
    draw(desk, others)
    assert not np.array_equal(seen(desk), one_stroke)
    for _ in others:
        desk.get_by_role("button", name="Undo").click()
    assert np.array_equal(seen(desk), one_stroke)
    desk.get_by_role("button", name="Undo").click()
    desk.get_by_role("button", name="Undo").click()
    assert said(desk) == "Draw a digit." and not seen(desk).any()


def test_the_field_can_be_drawn_in_by_keyboard(desk):
    desk.locator("#draw-pad").focus()
    desk.keyboard.press("Space")
    for _ in range(14):
        desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Space")
    assert said(desk).startswith("I read a 1")
    desk.keyboard.press("u")
    assert said(desk) == "Draw a digit."

    # A 7: two arrows at once go diagonally.
    desk.keyboard.press("Space")
    assert desk.locator("#draw-said").text_content().startswith("Pen down.")
    for _ in range(10):
        desk.keyboard.press("ArrowRight")
    desk.keyboard.down("ArrowLeft")
    for _ in range(6):
        desk.keyboard.press("ArrowDown")
    desk.keyboard.up("ArrowLeft")
    for _ in range(9):
        desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Space")
    assert said(desk).startswith("I read a 7")
    scrolled = desk.evaluate("scrollY")
    desk.keyboard.press("ArrowDown")
    assert desk.evaluate("scrollY") == scrolled
    desk.keyboard.press("Delete")
    assert said(desk) == "Draw a digit."


def test_real_digits_that_it_gets_wrong_are_shown(desk):
    shown = set()
    for _ in range(4):
        desk.get_by_role("button", name="Show me one it gets wrong").click()
        answer = said(desk)
        found = re.search(r"an? (\d) \(\d+%\)\. But it is labeled (\d)\.$", answer)
        assert found and found[1] != found[2], answer
        shown.add(seen(desk).tobytes())
    assert len(shown) == 4
    draw(desk, strokes(3))  # begins a new drawing
    assert said(desk).startswith("I read a 3")


def test_the_readers_score_is_counted(desk):
    score = desk.locator("#draw-score")
    meant = desk.get_by_role("group", name="I meant")
    assert meant.get_by_role("button", name="3").is_disabled()  # nothing is drawn yet
    for digit, marked in ((3, 3), (7, 7), (0, 9)):
        draw(desk, strokes(digit))  # after a mark, this begins a new drawing
        said(desk)
        meant.get_by_role("button", name=str(marked)).click()
        assert meant.get_by_role("button", pressed=True).inner_text() == str(marked)
    assert score.inner_text().startswith("2 of 3 read as you meant.")
    meant.get_by_role("button", name="0").click()  # a mark can be mended,
    assert score.inner_text().startswith("3 of 3 read as you meant.")
    desk.get_by_role("button", name="Undo").click()  # and taken back
    assert score.inner_text().startswith("2 of 2 read as you meant.")


def test_neurons_that_fire_are_shown(desk):
    draw(desk, strokes(2))
    said(desk)
    fires = [
        float(text) for text in desk.locator("#draw-neurons span").all_inner_texts()
    ]
    assert len(fires) == 8 and fires == sorted(fires, reverse=True) and fires[-1] > 0
    weights = import_weights(WEIGHTS).layers[0]
    hidden = weights(seen(desk).reshape(1, 784).astype("float32")).numpy().ravel()
    assert np.allclose(fires, np.sort(hidden)[:-9:-1], rtol=0.05)
    neuron = weights.W.numpy()[:, hidden.argmax()]
    code = """Array.from(document.querySelector("#draw-neurons canvas").getContext("2d")
      .getImageData(0, 0, 28, 28).data)"""
    colors = np.reshape(desk.evaluate(code), (784, 4)).astype(int)
    redness = colors[:, 0] - colors[:, 2]
    assert np.corrcoef(redness, neuron)[0, 1] > 0.99


def test_own_network_can_be_tried(desk, tmp_path):
    chooser = desk.get_by_label("Your own network")
    network = desk.locator("#draw-network")
    assert network.inner_text() == "the book's network, 784-512-10"
    own = NaiveSequential(
        [
            NaiveDense(784, 30, tf.nn.tanh, he_start),
            NaiveDense(30, 20, tf.nn.sigmoid, he_start),
            NaiveDense(20, 10, tf.nn.softmax, he_start),
        ]
    )
    export_weights(own, tmp_path / "mine.safetensors")
    chooser.set_input_files(tmp_path / "mine.safetensors")
    desk.get_by_text("mine.safetensors, 784-30-20-10").wait_for()
    draw(desk, strokes(6))
    probabilities = desk.evaluate(
        "Array.from(read(makePicture(drawing.strokes)).probabilities)"
    )
    picture = seen(desk).reshape(1, 784).astype("float32")
    expected = import_weights(tmp_path / "mine.safetensors")(picture).numpy()
    assert np.abs(expected - probabilities).max() < 1e-3
    desk.get_by_role("button", name="The book's network").click()
    desk.get_by_text("the book's network, 784-512-10").wait_for()


MISFIT = "its network does not lead from 784 pixels to 10 probabilities"
FORGERIES = {
    "sizes": (b'"shape":[784,3]', b'"shape":[3,784]', MISFIT),
    "a dtype": (b'"I8"', b'"U8"', MISFIT),
    "places": (b'"data_offsets":[0,', b'"data_offsets":[4,', MISFIT),
    "an activation": (b'"relu', b'"rely', MISFIT),
    "the last activation": (b'"softmax\\"', b'"sigmoid\\"', MISFIT),
    "a tensor": (b'"0.scales"', b'"0.scalez"', MISFIT),
    "a version": (b'version\\": 2', b'version\\": 1', "it is damaged, cut off"),
    "a length": (b"\2\0\0\0\0\0\0{", b"\2\0\0\0\0\0\1{", "it is damaged, cut off"),
}


def test_a_file_made_to_deceive_is_refused(desk, tmp_path):
    layers = [NaiveDense(784, 3, tf.nn.relu), NaiveDense(3, 10, tf.nn.softmax)]
    export_weights(NaiveSequential(layers), tmp_path / "good.safetensors")
    good = (tmp_path / "good.safetensors").read_bytes()
    forged = {
        name: (good.replace(part, other, 1), words)
        for name, (part, other, words) in FORGERIES.items()
    }
    forged |= {"a cut": (good[:-100], "it is"), "nothing": (b"", "it is")}
    for name, (content, words) in forged.items():
        assert content != good
        (tmp_path / name).write_bytes(content)
        desk.get_by_label("Your own network").set_input_files(tmp_path / name)
        sentence = f"{name} cannot be used: {words}"
        desk.get_by_role("alert").get_by_text(sentence).wait_for()
    draw(desk, strokes(3))
    assert said(desk).startswith("I read a 3")  # the network before still reads


def test_a_network_that_comes_late_does_not_replace_one_chosen_since(tab, site):
    waiting = []
    tab.route("**/draw/weights.js", lambda route: waiting.append(route))
    tab.goto(f"{site}/{DRAWING}", wait_until="domcontentloaded")
    with tab.expect_request("**/draw/weights.js"):
        tab.locator("#draw-pad").scroll_into_view_if_needed()
    tab.get_by_label("Your own network").set_input_files(WEIGHTS)
    tab.get_by_text("weights.safetensors, 784-512-10").wait_for()
    waiting[0].fallback()
    tab.wait_for_load_state("networkidle")
    assert tab.locator("#draw-network").inner_text().startswith("weights.safetensors")


@pytest.mark.mnist
def test_the_browser_computes_what_python_computes(desk, mnist):
    """And reads at least 99.0 percent of all real test digits."""
    _, _, test, test_labels = mnist
    code = """text => {
      const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
      return Array.from({length: bytes.length / 784}, (_, i) => Array.from(
        forward(layers, Float32Array.from(bytes.subarray(784 * i, 784 * (i + 1)),
                                          gray => gray / 255)).at(-1)));
    }"""
    pixels = np.rint(255 * test).astype("uint8")
    parts = [base64.b64encode(part).decode() for part in np.split(pixels, 10)]
    probabilities = np.concatenate([desk.evaluate(code, part) for part in parts])
    expected = predict(import_weights(WEIGHTS), test)
    assert np.abs(probabilities - expected).max() < 1e-3
    assert accuracy(test_labels, probabilities) >= 0.99


@pytest.mark.parametrize("answer", ["missing", "damaged"])
def test_weights_that_cannot_be_used_are_explained(tab, site, answer):
    def respond(route):
        whole = (SITE / "_static/draw/weights.js").read_bytes()
        status, body = (404, b"") if answer == "missing" else (200, whole[:200_000])
        route.fulfill(status=status, body=body)

    tab.route("**/draw/weights.js", respond)
    tab.goto(f"{site}/{DRAWING}")
    tab.locator("#draw-pad").scroll_into_view_if_needed()
    words = "the book's network cannot be used: weights.js is missing or damaged."
    tab.get_by_role("alert").get_by_text(words).wait_for()
    draw(tab, strokes(3))
    assert tab.locator("#draw-answer").inner_text() == "Waiting for a network."
    tab.get_by_label("Your own network").set_input_files(WEIGHTS)
    tab.get_by_text("weights.safetensors, 784-512-10").wait_for()
    assert tab.locator("#draw-answer").inner_text().startswith("I read a 3")


def test_without_javascript_it_says_what_would_be_there(browser, site):
    with opened(browser, site, java_script_enabled=False) as tab:
        tab.goto(f"{site}/{DRAWING}")
        message = tab.locator("#draw noscript p")
        assert message.is_visible() and "needs JavaScript" in message.inner_text()
        assert not tab.locator("#draw-desk").is_visible()


def fingers(tab):
    """Return a function that puts fingers on the field, moves them and lifts them."""
    field = tab.locator("#draw-pad").bounding_box()
    session = tab.context.new_cdp_session(tab)

    def touch(kind, *places):
        corner, size = (field["x"], field["y"]), (field["width"], field["height"])
        points = [
            {"x": corner[0] + x * size[0], "y": corner[1] + y * size[1], "id": i}
            for i, (x, y) in enumerate(places)
        ]
        event = {"type": f"touch{kind}", "touchPoints": points}
        session.send("Input.dispatchTouchEvent", event)

    return touch


def test_one_finger_draws_on_a_phone_and_does_not_scroll(browser, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    phone |= {"is_mobile": True, "color_scheme": "light"}
    with opened(browser, site, **phone) as tab:
        go(tab, site)
        touch, scrolled = fingers(tab), tab.evaluate("scrollY")
        assert tab.locator("#draw-pad").bounding_box()["width"] > 250
        for stroke in strokes(5):
            for i, place in enumerate(stroke):
                touch("Move" if i else "Start", place)
            touch("End")
        assert said(tab).startswith("I read a 5")
        assert tab.evaluate("scrollY") == scrolled
        keep(tab, "phone")
        tab.get_by_role("button", name="Clear").click()
        touch = fingers(tab)  # the button may have come into sight first
        touch("Start", (0.5, 0.2), (0.9, 0.9))
        for step in range(3, 9):
            touch("Move", (0.5, step / 10), (0.9 - step / 20, 0.9))
        touch("End")
        assert len(tab.evaluate("drawing.strokes")) == 1
        assert said(tab).startswith("I read a 1")
        assert tab.complaints == []
