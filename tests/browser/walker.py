"""Finds every control of a page from the page itself, and uses each.

    walk = Walk(page, errors)
    walk.everything()          # all that the page has, and what comes to light on the way
    walk.everything(INNER)     # only what stands in these places

After each use the page is looked at: no error box, no "None", no name of the picture cut, a picture that is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Download, ElementHandle, FileChooser, Page

SCRIPT = (Path(__file__).parent / "walker.js").read_text(encoding="utf-8")
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"
ANYWHERE = '[data-testid="stMain"], [data-testid="stPopoverBody"]'
# What is used first: what brings more to light, then the picture, then what changes little, last what leads elsewhere.
ORDER = (
    "drawer", "slider", "play", "deck", "handle", "spot", "sheet", "menu", "keep", "switch", "file", "number", "text",
    "answers", "popover", "tab", "button", "select", "choice",
)  # fmt: skip
HELD_SECONDS = 1.3  # until Python counts on it that the browser has all frames


@dataclass(frozen=True)
class Control:
    """What it is, what it is called, which of that name. view: one of the picture counts anew in every view. leads: it
    asks a question, whose answers come to light."""

    kind: str
    name: str
    n: int
    picture: bool
    leads: bool
    view: str


@dataclass
class Walk:
    """One page, and how often each control was used on it.

    every_view: a control of the picture counts anew whenever anything else was chosen; else when the picture has other
    controls than before.
    """

    page: Page
    errors: list[str]
    used: dict[Control, int] = field(default_factory=dict)
    within: str = ANYWHERE
    every_view: bool = True

    def __post_init__(self) -> None:
        self.page.add_init_script(SCRIPT)
        self.page.on("download", _leave)
        self.page.on("filechooser", _leave)

    def open(self, url: str) -> None:
        """Go there, and wait until the browser surely holds all that was sent."""
        self.page.goto(url)
        self.page.locator(".gs canvas[data-pictures]").wait_for(timeout=240_000)
        self.page.wait_for_timeout(1000 * HELD_SECONDS)

    def settle(self) -> None:
        """Wait until the page's script rests."""
        self.page.evaluate("walk.settle()")

    def look(self, after: str) -> list[Control]:
        """The controls that there are, once the page rests; it must be whole."""
        found = self.page.evaluate("(within) => walk.after(within)", self.within)
        ours = [error for error in self.errors if error != PROBE]
        assert not found["wrong"] and not ours, f"{self.page.url}\nafter {after}: {found['wrong'] or ours}"
        names = ", ".join(sorted(f"{row['kind']} {row['name']}" for row in found["list"] if row["picture"]))
        view = found["view"] if self.every_view else names
        return [Control(**row, view=view if row["picture"] else "") for row in found["list"]]

    def everything(self, within: str = ANYWHERE, *, but: str = "(?!)") -> int:
        """Uses each control in those places, and those that come to light: each twice, or there and back.

        but: names that are left alone. Returns how many there were.
        """
        self.within, begun, known = within, len(self.used), set[Control]()
        after = "opened"
        while True:
            there = [control for control in self.look(after) if not re.search(but, control.name)]
            new, known = set(there) - known, known | set(there)
            due = [c for c in there if self.used.get(c, 0) < self._times(c)]
            if not due:
                return len(self.used) - begun
            # what has not been used comes first, of that what has just come to light
            control = min(due, key=lambda c: (self.used.get(c, 0), c not in new, ORDER.index(c.kind)))
            turn = self.used[control] = self.used.get(control, 0) + 1
            getattr(self, f"_{control.kind}")(control)
            after = f"{control.kind} “{control.name}”, time {turn}"

    def _times(self, control: Control) -> int:
        """How often it is used; most kinds do twice what they do in one use."""
        return 2 if control.leads or control.kind == "choice" else 1

    def _at(self, control: Control) -> ElementHandle:
        """Where it is now: pages are drawn anew, and while they are a control may be missing."""
        arguments = [self.within, control.kind, control.name, control.n]
        for _ in range(40):
            element = self.page.evaluate_handle("(a) => walk.one(...a)", arguments).as_element()
            if element is not None:
                return element
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{self.page.url}\n{control} is gone")

    def _press(self, control: Control) -> None:
        self._at(control).evaluate("(e) => { e.scrollIntoView({ block: 'nearest' }); e.click(); }")

    # --- how each kind is used --------------------------------------------------------------------------------------

    def _choice(self, control: Control) -> None:
        self._press(control)

    def _button(self, control: Control) -> None:
        self._press(control)
        # those with a key beside their name ask a question: once more when it is answered
        if not control.leads and control in self.look(f"{control.name}, once"):
            self._press(control)  # else it led elsewhere, or must wait for what was asked for

    _keep = _button

    def _deck(self, control: Control) -> None:
        self._press(control)
        self._press(control)

    _tab = _deck

    def _drawer(self, control: Control) -> None:
        for _ in range(3):  # it stays open: what is in it is used too
            self._press(control)
            self.page.wait_for_timeout(40)

    _menu = _drawer

    def _popover(self, control: Control) -> None:
        self._press(control)
        self.settle()
        before = self.within
        self.everything('[data-testid="stPopoverBody"]')
        self.within = before
        self.page.keyboard.press("Escape")

    def _switch(self, control: Control) -> None:
        for _ in range(2):
            self._press(control)
            self.settle()

    def _answers(self, control: Control) -> None:
        for k in range(self._at(control).evaluate("(e) => e.querySelectorAll('input').length")):
            self._at(control).evaluate("(e, k) => e.querySelectorAll('input')[k].click()", k)
            self.page.wait_for_timeout(40)

    def _play(self, control: Control) -> None:
        self._press(control)
        self.page.wait_for_timeout(150)
        self._press(control)

    def _focus(self, control: Control) -> None:
        # found and focused in one go: a page may draw anew in between
        found = self.page.evaluate("(a) => walk.focus(...a)", [self.within, control.kind, control.name, control.n])
        assert found, f"{self.page.url}\n{control} is gone"

    def _slider(self, control: Control) -> None:
        self._focus(control)
        for key in ("End", "Shift+ArrowLeft", " ", " ", "Home", "ArrowRight", "ArrowDown", "ArrowUp"):
            self.page.keyboard.press(key)
        self.settle()
        self._focus(control)
        self.page.keyboard.press("End")

    def _handle(self, control: Control) -> None:
        for way in (24, -24):
            element = self._at(control)
            element.scroll_into_view_if_needed(timeout=5000)
            box = element.bounding_box()
            assert box is not None
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            self.page.mouse.move(x, y)
            self.page.mouse.down()
            self.page.mouse.move(x + way, y + way, steps=2)
            self.page.mouse.up()

    _sheet = _handle

    def _spot(self, control: Control) -> None:
        for part in (0.3, 0.6):
            if control not in self.look(f"{control.name}, {part} across"):
                return  # it led elsewhere
            box = self._at(control).bounding_box()
            assert box is not None
            self.page.mouse.click(box["x"] + part * box["width"], box["y"] + 0.4 * box["height"])
            self.settle()

    def _number(self, control: Control) -> None:
        for key in ("ArrowUp", "ArrowDown"):
            self._focus(control)
            self.page.keyboard.press(key)
            self.page.keyboard.press("Enter")
            self.settle()

    def _text(self, control: Control) -> None:
        before = self._at(control).input_value()
        for text in ("(", before):
            self._at(control).fill(text)
            self.page.keyboard.press("Enter")
            self.settle()

    def _select(self, control: Control) -> None:
        for key in ("ArrowDown", "ArrowUp"):
            self._press(control)
            self.page.keyboard.press(key)
            self.page.keyboard.press("Enter")
            self.settle()

    def _file(self, control: Control) -> None:
        junk, table = b"\x00junk", b"0.1,0.2\n0.5,1.5\n-0.3,0.4\n1.0,-1.0\n" * 8
        for content in (junk, table):
            self._at(control).set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
            self.settle()


def _leave(_: Download | FileChooser) -> None:
    """A file is offered, or asked for: nobody takes it."""
