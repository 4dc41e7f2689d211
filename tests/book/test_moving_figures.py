"""The figures that move, used in a real browser as a reader would.

Needs what test_pages.py needs, and is skipped, or fails, as it is.
"""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import IN_BOTH_WAYS, PICTURES, opened

FIGURES = {
    "templates-by-hand": "02_dense_layers",
    "downhill": "04_gradient_tape",
    "confidence": "06_evaluation",
    "where-the-ink-comes-from": "08_improving",
}
PHONE = {"width": 390, "height": 844}


def show(tab, site, figure, scripts=True):
    """Open the page of a figure there, and return what moves in it."""
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(f"{site}/book/{FIGURES[figure]}.html#{figure}")
    form = tab.locator(f"#{figure} form")
    if scripts:
        form.wait_for()
    return form


def passed(tab):
    """Return what the chapter has passed to the page's figure."""
    return tab.evaluate("NUMBERS")


def move(form, label, value):
    form.get_by_label(label, exact=True).fill(str(value))


def said(form):
    return form.get_by_role("status").last.text_content()


SLOW = pytest.mark.slow
LOOKS = [pytest.param("light", marks=SLOW), pytest.param("dark", marks=SLOW), "phone"]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("look", LOOKS)
def test_figure_has_no_barriers(browser, site, figure, look):
    settings = {"color_scheme": "light"} if look == "light" else {}
    settings |= {"viewport": PHONE} if look == "phone" else {}
    with opened(browser, site, **settings) as tab:
        form = show(tab, site, figure)
        assert not tab.locator(f"#{figure} > img").is_visible()
        for slider in form.get_by_role("slider").all():
            slider.press("PageUp")
            output = form.locator(f"output[for={slider.get_attribute('id')}]")
            assert output.inner_text() == slider.get_attribute("aria-valuetext")
        found = Axe().run(tab, context=f"#{figure}")
        assert found.response["violations"] == [], found.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        PICTURES.mkdir(parents=True, exist_ok=True)
        tab.locator(f"#{figure}").screenshot(path=PICTURES / f"{figure}-{look}.png")
        assert tab.complaints == []


@pytest.mark.parametrize("figure", FIGURES)
def test_picture_remains_without_scripts_and_on_paper(browser, site, figure):
    with opened(browser, site, java_script_enabled=False) as tab:
        form = show(tab, site, figure, scripts=False)
        assert tab.locator(f"#{figure} > img").is_visible() and not form.is_visible()
    with opened(browser, site) as tab:
        form = show(tab, site, figure)
        tab.emulate_media(media="print")
        assert tab.locator(f"#{figure} > img").is_visible() and not form.is_visible()


@IN_BOTH_WAYS
def test_a_neuron_adds_up_and_can_be_painted(tab, site):
    form = show(tab, site, "templates-by-hand")
    numbers = passed(tab)
    code = """([text, Numbers]) => Array.from(
      new globalThis[Numbers](bytesOf(text).buffer))"""
    digits = tab.evaluate(code, [numbers["digits"], "Uint8Array"])
    templates = tab.evaluate(code, [numbers["templates"], "Int8Array"])
    digits = np.reshape(digits, (8, 784)) / 255
    templates = np.reshape(templates, (10, 784)) / 127
    form.get_by_label("Training picture 7").check()
    z = digits[7] @ templates[3] - 5
    fires = f"The neuron fires: {z:.1f}." if z > 0 else "The neuron does not fire"
    assert fires in said(form)
    move(form, "Pixels added", 300)
    part = digits[7, :300] @ templates[3, :300]
    words = f"^Sum {part:.1f}, with".replace("-", "−")
    assert form.get_by_text(re.compile(words)).count()
    form.get_by_role("button", name="Add up").click()
    assert form.get_by_label("Pixels added").input_value() == "784"

    form.get_by_label("Your own template").check()
    assert "The neuron does not fire" in said(form)
    canvas = form.get_by_role("application")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2, steps=30)
    tab.mouse.up()
    move(form, "Bias", 0)
    assert "The neuron fires" in said(form)
    form.get_by_label("erase").check()
    canvas.focus()
    for key in ["ArrowLeft", "Space"] * 27:
        canvas.press(key)
    assert "The neuron does not fire" in said(form)
    assert tab.complaints == []


def test_a_step_too_long_leaps_the_valley(tab, site):
    form = show(tab, site, "downhill")
    losses = passed(tab)["losses"]
    move(form, "Step length", 0.1)
    form.get_by_role("button", name="Take the step").click()
    assert said(form) == f"Loss {losses[0]:.2f} before, {losses[1]:.2f} now."
    form.get_by_role("button", name="Back to the start").click()
    move(form, "Step length", 4)
    form.get_by_role("button", name="Take the step").click()
    assert said(form).startswith("The step leaps across the valley.")
    assert said(form).endswith(f"{losses[40]:.2f} now, higher than before.")
    assert form.get_by_label("Place", exact=True).input_value() == "4"
    box = form.get_by_role("img").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 3, box["y"] + 99)
    tab.mouse.down()
    tab.mouse.up()
    assert 0.8 < float(form.get_by_label("Place", exact=True).input_value()) < 1.4


def test_a_threshold_divides_the_digits(tab, site):
    form = show(tab, site, "confidence")
    numbers = passed(tab)
    right, wrong = np.array(numbers["right"]), np.array(numbers["wrong"])
    for threshold in (0, 40, 99):
        move(form, "Threshold", threshold)
        read = (right + wrong)[threshold:].sum()
        errors = wrong[threshold:].sum()
        shown = form.locator("dd").all_inner_texts()
        assert shown[0].startswith(f"{(right + wrong)[:threshold].sum():,.0f} (")
        share = f" ({errors / read:.1%})" if read else ""
        assert shown[1:] == [f"{read:,.0f}", f"{errors:,.0f}{share}"]
    assert said(form).endswith("of them wrong.")


@IN_BOTH_WAYS
def test_a_bent_digit_is_read(tab, site):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    form = show(tab, site, "where-the-ink-comes-from")
    reads = form.locator("#moving-reads")
    assert not any(
        "weights" in url for url in asked
    )  # 0.5 MB, not before they are used
    move(form, "Elastic (pixels)", 0)
    reads.get_by_text(re.compile(r"The network reads: \d \(")).wait_for()
    upright = reads.inner_text()
    # MNIST's first training picture is a 5; the network has never seen a stand-in.
    is_mnist = "stand-in digits" not in tab.content()
    assert ("reads: 5 (" in upright) or not is_mnist
    move(form, "Rotation (degrees)", 10)
    code = """() => Array.from(warp(digits[0], findPlaces()))"""
    turned = np.reshape(tab.evaluate(code), (28, 28))
    rows, columns = np.indices((28, 28))
    assert (turned[:10] * columns[:10]).sum() / turned[:10].sum() > 14  # to the right
    move(form, "Shift (pixels)", 8)
    assert reads.inner_text() != upright
    assert "reads: 5 (" not in reads.inner_text() or not is_mnist
    form.get_by_role("button", name="Another bend").click()
    assert said(form) == reads.inner_text()
    assert tab.complaints == []


def test_without_the_network_a_sentence_says_so(tab, site):
    tab.route("**/draw/weights.js*", lambda route: route.abort())
    form = show(tab, site, "where-the-ink-comes-from")
    move(form, "Shear", 0.5)
    form.get_by_text("No network: weights.js is missing or damaged.").first.wait_for()
