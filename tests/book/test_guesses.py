"""Predictions, questions, hints and words that explain, used as a reader would.

Needs what test_pages.py needs, and is skipped, or fails, as it is.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import CHAPTERS, IN_BOTH_WAYS, opened

PAGE = CHAPTERS[0]
CHOICE, NUMBER = ".guess[data-kind=choice]", ".guess[data-kind=number]"
QUESTION = ".guess[data-kind=question]"
PHONE = {"width": 320, "height": 700}
# Where all headings and cells are: nothing may move them.
PLACES = """[...document.querySelectorAll("article :is(h2, h3, .cell)")].map(
  ({offsetTop}) => offsetTop)"""
IS_SEEN = "part => part.checkVisibility({ contentVisibilityAuto: true, \
  visibilityProperty: true })"
FIRST_FOLDED = """() => {
  const folded = document.querySelector(".guess-part:not(.open)").lastElementChild;
  folded.id = "folded";
  location.hash = "";
  location.hash = "folded";
}"""


@pytest.fixture
def page(tab, site):
    """Show a chapter as a reader comes to it for the first time."""
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(f"{site}/{PAGE}.html")
    yield tab
    assert tab.complaints == []


def seen(locator):
    """Tell whether the content of parts is seen; folded ones are there, but covered."""
    inner = [part.locator("> *").first for part in locator.all()]
    return [part.evaluate(IS_SEEN) for part in inner]


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def choose(prompt, is_right):
    """Press the right option of a prompt, or a wrong one; return its reason."""
    right = int(prompt.get_attribute("data-right"))
    option = right if is_right else (right + 1) % 2
    prompt.locator(".guess-option").nth(option).press("Enter")
    return prompt.locator(".guess-reasons > li").nth(option)


@IN_BOTH_WAYS
def test_wrong_guess_has_a_reason_and_the_right_one_unfolds(page):
    prompt, parts = page.locator(CHOICE).first, page.locator(".guess-part")
    assert not any(seen(parts))
    before = page.evaluate(PLACES)
    reason = choose(prompt, is_right=False)
    assert reason.is_visible() and not any(seen(parts))
    said = page.locator(".hands-unseen[role=status]").last
    assert said.text_content().strip() == f"Not quite. {reason.inner_text()}"
    assert choose(prompt, is_right=True).is_visible() and not reason.is_visible()
    assert seen(parts)[0] and not seen(parts)[-1]
    assert page.evaluate(PLACES) == before
    page.reload(wait_until="networkidle")  # with its fonts
    assert page.evaluate(PLACES) == before
    assert seen(parts)[0] and prompt.locator(".wrong").count() == 1
    button(page, "Forget my answers").click()
    assert not any(seen(parts)) and prompt.locator(".wrong").count() == 0
    assert page.evaluate(PLACES) == before


def test_number_says_how_far_off_it_was(page):
    page.set_viewport_size(PHONE)
    prompt, before = page.locator(NUMBER).first, page.evaluate(PLACES)
    truth = prompt.get_attribute("data-number")
    number = float(truth.strip("%").replace(",", ""))
    field, said = prompt.get_by_label("Your guess"), prompt.locator("output")
    for given, answer in [
        ("some", "“some” is not a number. Try one such as 12 or 0.5."),
        (f"{number - 7:n} %", f"You said {number - 7:n} %, it is {truth}: 7 below."),
        (f"{number + 2.5:n}", f"You said {number + 2.5:n}, it is {truth}: 2.5 above."),
        (truth, f"You said {truth}: exactly right."),
    ]:
        field.fill(given)
        field.press("Enter")
        assert said.inner_text() == answer and page.evaluate(PLACES) == before
        opened = str(given != "some").lower()
        assert prompt.locator(f"[aria-expanded={opened}]").count() == 1
    field.fill("eighty")
    field.press("Enter")
    assert said.inner_text().startswith("“eighty” is not a number")


@pytest.mark.parametrize(
    ("text", "number"),
    [("407,050", 407050), ("407050", 407050), ("82 %", 82), ("−19", -19), (".5", 0.5)],
)
def test_number_is_read_as_people_write_it(page, text, number):
    field = page.locator(NUMBER).first.get_by_label("Your guess")
    field.fill(text)
    field.press("Enter")
    said = page.locator(NUMBER).first.locator("output").inner_text()
    truth = page.locator(NUMBER).first.get_attribute("data-number").strip("%")
    off = abs(number - float(truth.replace(",", "")))
    assert (f": {off:,.10g} " if off else "exactly right") in said


def test_all_can_be_shown_and_hidden_again(page):
    parts, before = page.locator(".guess-part"), page.evaluate(PLACES)
    choose(page.locator(CHOICE).first, is_right=True)
    button(page, "Show all").press("Enter")
    assert all(seen(parts)) and page.evaluate(PLACES) == before
    page.reload()
    assert all(seen(parts))
    button(page, "Hide again").press("Space")
    assert seen(parts)[0] and not seen(parts)[-1] and page.evaluate(PLACES) == before
    for prompt in page.locator("[data-right]").all():
        choose(prompt, is_right=True)
    for prompt in page.locator(NUMBER).all():
        field = prompt.get_by_label("Your guess")
        field.fill(prompt.get_attribute("data-number"))
        field.press("Enter")
    assert not button(page, "Hide again").is_visible()  # there is nothing to hide


def test_answer_can_be_shown_without_a_guess(page):
    show = button(page, "Show without guessing").first
    part = page.locator(f"[id='{show.get_attribute('aria-controls').split()[0]}']")
    show.press("Enter")
    assert seen(part) == [True] and page.locator(CHOICE).first.locator(".right").count()
    assert page.evaluate("document.activeElement.ariaExpanded") == "true"
    button(page, "Fold again").press("Enter")
    assert seen(part) == [False]


def test_questions_are_counted_at_the_first_try(page):
    for number, question in enumerate(page.locator(QUESTION).all()):
        if number == 0:
            choose(question, is_right=False)
        if number == 1:
            button(question, "Show the answer").press("Enter")
        assert choose(question, is_right=True).is_visible()
    score = page.locator(".guess-score")
    assert score.inner_text() == "3 of 5 answered right at the first try."


def test_links_and_searches_open_what_is_folded(page, site):
    parts = page.locator(".guess-part")
    page.evaluate(FIRST_FOLDED)
    page.wait_for_function("document.querySelector('.guess-part').matches('.open')")
    assert seen(parts)[0] and not seen(parts)[-1]
    page.reload()
    assert not seen(parts)[0]  # it was not shown for good
    parts.last.evaluate("part => part.dispatchEvent(new Event('beforematch'))")
    assert seen(parts)[-1]
    word = parts.last.evaluate("part => part.textContent.match(/[a-z]{6,}/)[0]")
    page.goto(f"{site}/book/intro.html")
    page.goto(f"{site}/{PAGE}.html?highlight={word}")
    page.wait_for_function(
        "document.querySelector('.guess-part:has(.highlighted).open')"
    )


def test_all_is_there_without_script_storage_and_on_paper(browser, site):
    with opened(browser, site, java_script_enabled=False) as tab:
        tab.goto(f"{site}/{PAGE}.html")
        assert all(seen(tab.locator(".guess-part, .guess-reasons, .guess-options")))
    with opened(browser, site) as tab:
        tab.goto(f"{site}/{PAGE}.html")
        tab.emulate_media(media="print")
        assert all(seen(tab.locator(".guess-part, .guess-reasons, .guess-options")))
        assert not tab.locator(".guess-hand").first.is_visible()
    with opened(browser, site) as tab:
        tab.route("**/guesses.js*", lambda route: route.abort())
        tab.goto(f"{site}/{PAGE}.html")
        assert all(seen(tab.locator(".guess-part")))
    with opened(browser, site) as tab:
        broken = "Storage.prototype.setItem = () => { throw Error('refused'); }"
        tab.add_init_script(broken.replace("setItem", "[0]") + ";" + broken)
        tab.goto(f"{site}/{PAGE}.html")
        assert choose(tab.locator(CHOICE).first, is_right=True).is_visible()


@pytest.mark.parametrize(
    "theme", ["light", pytest.param("dark", marks=pytest.mark.slow)]
)
def test_prompts_have_no_barriers_on_a_small_phone(browser, site, theme):
    settings = {"color_scheme": theme, "reduced_motion": "reduce", "viewport": PHONE}
    with opened(browser, site, **settings) as tab:
        tab.goto(f"{site}/{PAGE}.html")
        for is_right in (False, True):
            found = Axe().run(tab, context=".guess, .guess-head, .guess-score")
            assert found.response["violations"] == [], found.generate_report()
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for prompt in tab.locator(f"{CHOICE}, {QUESTION}").all():
                choose(prompt, is_right)
        assert Axe().run(tab, context=".guess").response["violations"] == []


def test_hints_appear_one_by_one(page):
    hints = page.locator("section:has(> .hint + .hint)").first.locator("> .hint")
    assert [hint.is_visible() for hint in hints.all()[:2]] == [True, False]
    hints.first.locator("summary").press("Enter")
    assert hints.nth(1).is_visible()


def test_word_explains_itself_on_hover_focus_and_tap(browser, page, site):
    word, bubble = page.locator("a.term").first, page.get_by_role("tooltip")
    meaning = word.get_attribute("data-means")
    word.hover()
    assert bubble.inner_text() == meaning
    page.keyboard.press("Escape")
    assert not bubble.is_visible()
    word.focus()
    assert bubble.is_visible() and word.get_attribute("aria-describedby")
    with opened(browser, site, has_touch=True, viewport=PHONE) as phone:
        phone.goto(f"{site}/{PAGE}.html")
        for word in phone.locator("a.term").all()[:6]:
            phone.keyboard.press("Escape")
            word.tap()
            box = phone.get_by_role("tooltip").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        word.tap()
        phone.wait_for_url("**/glossary.html#term-*")


def test_terms_are_linked_once_and_where_text_is_read(page):
    targets = [term.get_attribute("href") for term in page.locator("a.term").all()]
    assert len(targets) == len({*targets}) >= 8
    assert not page.locator(":is(h1, h2, h3, pre, code, figcaption, a) a.term").count()
    plain = page.locator("a.term:not(strong *)").all_inner_texts()
    assert not any(map(str.isalpha, plain))  # a word in bold has the glossary's sense
