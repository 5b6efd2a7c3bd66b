"""The lessons in a real browser: what stands above the fold, the hand, links, lecture view, a training on the page."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from gantoys.lessons import KEYS, load, shuffled

PHONE = {"width": 390, "height": 844}
Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"
SMALL = """() => { const out = [], walk = (root) => { for (const e of root.querySelectorAll('*')) {
  if (e.shadowRoot) walk(e.shadowRoot);
  const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join('');
  const box = e.getBoundingClientRect();
  if (text && box.width > 1 && box.height > 1 && box.bottom > 0 && getComputedStyle(e).visibility !== 'hidden'
      && !['STYLE', 'SCRIPT', 'SUB', 'SUP'].includes(e.tagName) && parseFloat(getComputedStyle(e).fontSize) < 24)
    out.push(text.slice(0, 40)); } }; walk(document); return out; }"""


# a page takes the browser seconds: those with most beside each other for every change, the others with `make load`
FULLEST = ("start", "divergences", "dynamics", "lab")
SOME = [pytest.param(key, marks=[] if key in FULLEST else [pytest.mark.long]) for key in KEYS]


@pytest.fixture
def lesson(app_url: str, open_page: Open, console_errors: list[str]) -> Callable[..., Page]:
    """lesson(key, "left=1", ...) opens a lesson by its link and waits for its first picture."""

    def at(key: str, query: str = "", **options: object) -> Page:
        page = open_page(**options)
        page.goto(f"{app_url}/{key}?{query}" if key != KEYS[0] else f"{app_url}/?{query}")
        expect(canvas(page)).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
        expect(page.locator("h1")).to_have_text(load(key).question)
        page.locator('[data-testid="stStatusWidget"]').wait_for(state="detached", timeout=20_000)
        probes = [error for error in console_errors if error == PROBE]
        for error in probes[:2]:
            console_errors.remove(error)
        return page

    return at


def canvas(page: Page) -> Locator:
    return page.locator(".gs canvas")


def query(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).query).items()}


def bottom(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


@pytest.mark.parametrize("key", KEYS)
def test_question_picture_formula_and_chips_stand_above_the_fold(
    lesson: Callable[..., Page], key: str, shoot: Shoot
) -> None:
    page = lesson(key)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        shoot(page, f"{key}-wide-{scheme}")
        chips = [page.get_by_role("button", name=row.label) for row in load(key).tries]
        assert all(bottom(chip) <= 720 for chip in chips)
        assert bottom(page.locator(".gs-formula").first) <= 720
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("key", SOME)
def test_on_a_phone_nothing_overlaps_and_nothing_scrolls_sideways(
    lesson: Callable[..., Page], key: str, shoot: Shoot
) -> None:
    page = lesson(key, viewport=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_timeout(700)
    shoot(page, f"{key}-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    question, picture = page.locator("h1").bounding_box(), canvas(page).bounding_box()
    header = page.locator('[data-testid="stHeader"]').bounding_box()
    assert question and picture and header
    assert question["y"] >= header["y"] + header["height"] - 1
    assert picture["y"] >= question["y"] + question["height"] - 1
    assert picture["x"] >= 0 and picture["x"] + picture["width"] <= 390
    # the main control stays under the thumb, over what is behind it
    main = page.locator(".gs-main .gs-control:visible").first.bounding_box()
    assert main is None or main["y"] + main["height"] <= PHONE["height"]
    rest = page.locator(".gs canvas, .gs-others .gs-control:visible, .gs-readout:visible").all()
    boxes = [b for b in (e.bounding_box() for e in rest) if b]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = (
                a["x"] + a["width"] <= b["x"] + 1
                or b["x"] + b["width"] <= a["x"] + 1
                or a["y"] + a["height"] <= b["y"] + 1
                or b["y"] + b["height"] <= a["y"] + 1
            )
            assert apart, (a, b)


def test_a_larger_projector_is_used(lesson: Callable[..., Page]) -> None:
    page = lesson(KEYS[0], "view=lecture", viewport={"width": 1920, "height": 1080})
    last = page.get_by_role("button", name="After 3,000 steps")
    box = last.bounding_box()
    assert box is not None and 980 < box["y"] + box["height"] <= 1080  # all is in the picture, and little is empty


@pytest.mark.parametrize("key", SOME)
def test_lecture_view_is_large_and_works_by_keys_alone(lesson: Callable[..., Page], key: str, shoot: Shoot) -> None:
    page = lesson(key, "view=lecture")
    page.wait_for_timeout(700)
    shoot(page, f"{key}-lecture")
    assert page.evaluate(SMALL) == []
    words = load(key)
    assert all(bottom(page.get_by_role("button", name=row.label)) <= 720 for row in words.tries)
    page.keyboard.press("2")
    expect(page.get_by_text("Before it moves:")).to_be_visible(timeout=10_000)
    row = words.tries[1]
    expect(page.get_by_role("button", name=row.options[row.right]).first).to_be_visible()
    page.wait_for_timeout(500)
    page.keyboard.press(str(shuffled(len(row.options), f"{key}|try|1|").index(row.right) + 1))
    expect(page.get_by_text("As you said.")).to_be_visible(timeout=10_000)
    assert query(page)["view"] == "lecture"


def test_a_drag_draws_on_the_page_and_its_release_reaches_the_link(lesson: Callable[..., Page]) -> None:
    page = lesson("optimal-discriminator")
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.frames_ = 0;"
        " WebSocket.prototype.send = function (...a) { window.frames_++; return send.apply(this, a); }; }"
    )
    box = page.locator('[data-key="left"] input').bounding_box()
    assert box is not None
    y, x = box["y"] + box["height"] / 2, lambda share: box["x"] + 9 + share * (box["width"] - 18)
    before = int(canvas(page).get_attribute("data-pictures") or 0)
    page.mouse.move(x((-1 + 7) / 14), y)
    page.mouse.down()
    for i in range(30):
        page.mouse.move(x(0.43 + 0.4 * i / 29), y)
        page.wait_for_timeout(15)
    assert int(canvas(page).get_attribute("data-pictures") or 0) - before >= 10
    assert page.evaluate("window.frames_") == 0
    page.mouse.up()
    page.wait_for_url(re.compile("left="), timeout=10_000)
    assert float(query(page)["left"]) > 3


def test_a_state_in_the_link_is_the_state_on_screen(lesson: Callable[..., Page]) -> None:
    page = lesson("optimal-discriminator", "left=-2&right=2&weight=0")
    expect(page.locator(".gs-readout", has_text="JS").locator(".gs-number")).to_have_text("0.2136", timeout=10_000)
    assert query(page) == {"left": "-2", "right": "2", "weight": "0"}


def test_a_bad_link_says_what_is_allowed_and_the_page_lives(lesson: Callable[..., Page]) -> None:
    page = lesson("optimal-discriminator", "left=99&%3Cscript%3E=1")
    expect(page.get_by_text("from -7 to 7")).to_be_visible()
    expect(page.get_by_text("known are")).to_be_visible()
    assert query(page) == {}


def test_the_path_leads_to_the_next_lesson_whatever_the_picture_says_on_the_way(lesson: Callable[..., Page]) -> None:
    """A message of the old picture after the click would have the server run the old page, or half of the new one."""
    page, words = lesson("start"), load("optimal-discriminator")
    page.wait_for_timeout(2000)  # all that the page says by itself is said
    link = page.get_by_role("link", name=words.question).element_handle()
    away = """([link, slider]) => {
        const say = () => setTimeout(() => {
            slider.value = 40;
            for (const name of ['input', 'change']) slider.dispatchEvent(new Event(name, { bubbles: true }));
        }, 2);
        if (link) { link.click(); say(); }
        else { addEventListener('popstate', say, { once: true }); history.back(); }
    }"""
    page.evaluate(away, [link, page.locator('[data-key="step"] input').element_handle()])
    expect(page).to_have_url(re.compile("optimal-discriminator"), timeout=15_000)
    page.wait_for_timeout(2500)
    expect(page.locator("h1")).to_have_text(words.question, timeout=15_000)
    expect(page.get_by_text(words.checks[0].ask)).to_be_visible(timeout=15_000)
    page.evaluate(away, [None, page.locator('[data-key="left"] input').element_handle()])
    page.wait_for_timeout(2500)
    expect(page.locator("h1")).to_have_text(load("start").question, timeout=15_000)
    expect(page.get_by_text(load("start").checks[0].ask)).to_be_visible(timeout=15_000)


@pytest.mark.long
def test_train_it_now_grows_a_film_on_the_page(lesson: Callable[..., Page], shoot: Shoot) -> None:
    page = lesson("start", reduced_motion="reduce")  # so that all the machine is for the training
    page.get_by_role("button", name=re.compile("Train it now")).click()
    expect(page.get_by_text(re.compile(r"Training with seed 1: step [\d,]+ of 3,000"))).to_be_visible(timeout=240_000)
    film = page.locator('[data-key="step"] input')
    first = int(film.get_attribute("max") or 0)
    expect(film).not_to_have_attribute("max", str(first), timeout=120_000)
    shoot(page, "start-training")
    expect(page.get_by_text(re.compile("Trained with seed 1, 3,000 steps"))).to_be_visible(timeout=240_000)
    assert query(page)["seed"] == "1"
    assert int(film.get_attribute("max") or 0) == 160
