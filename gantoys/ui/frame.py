"""The lesson frame: question, picture, "Try this", and under them explanation, mistake, code, questions, reading.

A page opens its lesson, shows a picture and then the rest:

    page = frame.open_lesson("game", picture.State)
    page.picture(picture.scene)
    page.rest(code=(ledger_finite,))
"""

import ast
import inspect
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from pydantic import ValidationError
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gantoys.lessons import Lesson, load, shuffled
from gantoys.pictures import state as links
from gantoys.pictures.state import State, StateT
from gantoys.shared import TURNS
from gantoys.stage import component
from gantoys.stage.pack import Packed, packed
from gantoys.stage.page import standalone
from gantoys.stage.scene import Animation, Scene
from gantoys.ui import memory, navigation

Build = Callable[..., Scene | Packed]
Made = TypeVar("Made")
_apart: ContextVar[dict[str, Any] | None] = ContextVar("apart", default=None)  # what pages keep, where no session is
MOVE_SECONDS = 1.6
HEIGHT = 488
HEAD_START_SECONDS = 0.8
FILMS_AT_ONCE = 1
LINKS_KEPT = 8  # of those that this session has written last
LECTURE_HEIGHT, LECTURE_HEIGHT_ASKING, LECTURE_HEIGHT_SAYING = 572, 520, 470


def _kept() -> Any:
    """What the pages of this session keep."""
    apart = _apart.get()
    return st.session_state if apart is None else apart


def served() -> bool:
    """Whether a browser may be looking: there is a server, and not a test that runs a page."""
    return runtime.exists() and type(runtime.get_instance()) is runtime.Runtime


def lecture_view() -> bool:
    """Whether the link asks for the view for projection."""
    return st.query_params.get("view") == "lecture"


@dataclass(frozen=True)
class Page(Generic[StateT]):
    """One opened lesson. Its state is a plain value in the session, shared by picture, controls and link."""

    words: Lesson
    model: type[StateT]
    lecture: bool

    def _slot(self, name: str) -> str:
        return f"{name}:{self.words.key}"

    @property
    def stage_key(self) -> str:
        """The key under which the stage of this lesson is mounted."""
        return f"stage-{self.words.key}"

    @property
    def state(self) -> StateT:
        """The state on screen."""
        return _kept()[self._slot("state")]

    def get(self, name: str, default: Any = None) -> Any:
        """A value that this lesson keeps beside its state."""
        return _kept().get(self._slot(name), default)

    def put(self, name: str, value: Any) -> None:
        """Keeps a value beside the state."""
        _kept()[self._slot(name)] = value

    def later(self, make: Callable[[], Made]) -> Callable[[], Made]:
        """`make` for a thread that knows no session, as that of Streamlit in which downloads are written.

        It finds what the page kept when its picture was drawn last, and changes none of it.
        """
        self._note()
        known = self.get("known")

        def made() -> Made:
            token = _apart.set({key: value for key, value in known["now"].items() if key != self._slot("sent")})
            try:
                return make()
            finally:
                _apart.reset(token)

        return made

    def _note(self) -> None:
        known = self.get("known")
        if known is None:
            self.put("known", known := {})
        own = f":{self.words.key}"
        slots = [key for key in st.session_state if isinstance(key, str) and key.endswith(own)]
        known["now"] = {key: st.session_state[key] for key in slots if key != self._slot("known")}

    def change(self, **values: Any) -> bool:
        """Adopts new values of fields when they are allowed, else leaves all as it is. The link follows in the run."""
        try:
            state = self.model(**{**self.state.model_dump(), **values})
        except ValidationError:
            return False
        self.put("state", state)
        self.put("problems", [])
        return True

    def _write_link(self) -> None:
        wanted = links.write(self.state) | ({"view": "lecture"} if self.lecture else {})
        if dict(st.query_params) != wanted:
            st.query_params.from_dict(wanted)
        known = self.get("links", [])
        if wanted not in known[-1:]:
            self.put("links", [*known[1 - LINKS_KEPT :], wanted])

    def _order(self, what: str, index: int, count: int) -> tuple[int, ...]:
        """In which order a question's options stand: shuffled by the link with which the lesson was opened.

        So a link that is passed on asks in the same order, and nothing jumps while the state changes.
        """
        return shuffled(count, f"{self.words.key}|{what}|{index}|{self.get('opened_by', '')}")

    # --- the top: picture, chips, prediction --------------------------------------------------------------------

    def picture(
        self,
        build: Build,
        *,
        more: Callable[["Page[StateT]"], None] | None = None,
        beside: Callable[[], None] | None = None,
        every: float | None = None,
        on_resync: Callable[[], None] | None = None,
        on_click: component.Clicked | None = None,
    ) -> None:
        """The stage with `build(state)` (given `drawn` too when the picture can be drawn on), then the chips.

        `more` draws the controls that are not needed at first; `beside` draws what stands between chips and controls.
        `every`: seconds after which the picture is built again by itself; `on_resync` is called when the browser asks
        for the whole film; `on_click(name, x, y)` when a panel with that `click` was clicked at (x, y).
        """
        st.fragment(_top, run_every=every)(self, build, more, beside, on_resync, on_click)

    @property
    def moving(self) -> bool:
        """Whether the film on screen plays, or grows and is followed: then nobody has said at which step."""
        return bool(self.get("moving"))

    def jump(self, fields: Iterable[str]) -> None:
        """A film whose clock is one of these fields of the state goes to where the state now is."""
        jumps = self.get("jumps", {})
        self.put("jumps", jumps | dict.fromkeys(fields, max(jumps.values(), default=0) + 1))

    def _moved(self, values: dict[str, float], moved: str | None) -> None:
        self.change(**self.state.moved(values, moved))

    def _mount(self, build: Build, on_click: component.Clicked | None = None) -> None:
        picture = build(self.state, drawn=self.get("drawn")) if _takes_drawn(build) else build(self.state)
        if self.get("known") is not None:
            self._note()
        move = self.get("move")
        if move is not None:
            picture = _with_move(picture, *move)
        component.mount(
            picture,
            key=self.stage_key,
            jumps=self.get("jumps"),
            height=self._height(),
            lecture=self.lecture,
            on_values=self._moved,
            on_moving=lambda moving: self.put("moving", moving),
            on_drawn=lambda curve, done: self.put("drawn", curve),
            on_click=on_click,
        )

    def _height(self) -> int:
        """In lecture view the picture makes room for a question or an answer under it."""
        if not self.lecture:
            return HEIGHT
        if self.get("asking") is not None:
            return LECTURE_HEIGHT_ASKING
        return LECTURE_HEIGHT_SAYING if self.get("answer") is not None else LECTURE_HEIGHT

    def _chips(self) -> None:
        asking = self.get("asking")
        if self.lecture and asking is not None:
            self._ask(asking)
            return
        columns = st.columns([1] * len(self.words.tries), gap="small")
        for i, (column, row) in enumerate(zip(columns, self.words.tries, strict=True)):
            column.button(
                row.label,
                key=self._slot(f"try-{i}"),
                on_click=self.put,
                args=("asking", None if asking == i else i),
                shortcut=None if asking is not None else str(i + 1),
                width="stretch",
                type="primary" if asking == i else "secondary",
            )
        if asking is not None:
            self._ask(asking)
        elif self.get("answer") is not None:
            self._seen(*self.get("answer"))

    def _ask(self, index: int) -> None:
        row = self.words.tries[index]
        st.markdown(f"**Before it moves:** {_in_roles(row.ask)}")
        order = self._order("try", index, len(row.options))
        for place, (column, i) in enumerate(zip(st.columns(len(order)), order, strict=True)):
            column.button(
                row.options[i],
                key=self._slot(f"guess-{index}-{i}"),
                on_click=self._guess,
                args=(index, i),
                shortcut=str(place + 1),
                width="stretch",
            )

    def _guess(self, index: int, chosen: int) -> None:
        before = self.state
        self.put("asking", None)
        self.put("answer", (index, chosen))
        named = self.words.tries[index].state
        self.change(**{k: v.default for k, v in self.model.model_fields.items()} | named)
        self.jump(named)
        self.put("move", (before.positions(), self.state.positions(), self.get("moves", 0)))
        self.put("moves", self.get("moves", 0) + 1)

    def _seen(self, index: int, chosen: int) -> None:
        row = self.words.tries[index]
        wrong = f"You said “{row.options[chosen]}”; it is “{row.options[row.right]}”."
        verdict = "As you said." if chosen == row.right else wrong
        st.info(f"**{verdict}** {_in_roles(row.explain)}")

    # --- the rest, below the fold -------------------------------------------------------------------------------

    def rest(self, *, code: tuple[Callable[..., Any] | str, ...], build: Build | None = None) -> None:
        """Explanation, mistake, the source that computed the picture, questions, reading, keeping the picture."""
        memory.seen(self.words.key)
        if self.lecture:
            return
        if not self.get("opened"):
            # what stands below the fold, with its formulas, would hold up the first picture in the browser
            self.put("opened", True)
            if served():
                # one who has pressed a button meanwhile does not wait: at that touch of the state this run ends
                TURNS.later(HEAD_START_SECONDS, lambda: self.get("opened"))
        left, right = st.columns([2, 1], gap="large")
        with left:
            st.markdown(f"### What you see\n\n{self.words.explanation}")
            with self._drawer("In code: the functions that computed this picture", "code") as opened:
                for function in code if opened else ():
                    st.code(_source(function), language="python")
            st.subheader("Check yourself")
            for i, question in enumerate(self.words.checks):
                self._question(i, question)
        with right:
            st.warning(f"**A common mistake.** {self.words.mistake}", icon=None)
            # each element of a page costs every visitor's browser, and the server, about as much as any other
            reading = "\n".join(f"- {line}" for line in self.words.reading)
            lecture = f"[Lecture view](?{_query(links.write(self.state) | {'view': 'lecture'})})"
            st.markdown(
                f"### Further reading\n\n{reading}\n\n### Keep it\n\n"
                f":small[:gray[The address of this page holds the picture's state: send it to anyone.]] {lecture}"
            )
            if build is not None:
                self._download(build)

    @contextmanager
    def _drawer(self, label: str, name: str) -> Iterator[bool]:
        """An expander that says whether it is open: what is closed is not sent, so that the picture comes sooner."""
        drawer = st.expander(label, key=self._slot(name), on_change="rerun")
        with drawer:
            yield bool(drawer.open)

    def _download(self, build: Build) -> None:
        st.download_button(
            "Save as a web page that moves",
            data=self.later(lambda: standalone(build(self.state))),
            file_name=f"gantoys-{self.words.key}.html",
            mime="text/html",
            key=self._slot("save"),
            on_click="ignore",  # a run of the page would take away the file that is asked for
        )

    def _question(self, index: int, question: Any) -> None:
        order = self._order("check", index, len(question.options))
        chosen = st.radio(
            question.ask, [question.options[i] for i in order], index=None, key=self._slot(f"check-{index}"),
        )  # fmt: skip
        if chosen is not None:
            at = question.options.index(chosen)
            right = at == question.right
            memory.answered(self.words.key, index, right)
            (st.success if right else st.error)(_in_roles(question.explain[at]), icon=None)


def open_lesson(key: str, model: type[StateT]) -> Page[StateT]:
    """Opens the lesson `key`: reads its state from the link or the session and writes the question on top."""
    navigation.take_over()
    page = Page(load(key), model, lecture_view())
    asked = dict(st.query_params)
    fresh = page._slot("state") not in st.session_state
    written = page.get("links", [None])
    # a link of a moment ago comes with what was on its way when a newer one was written
    other = set(asked) - set(links.RESERVED) and asked not in written
    if fresh or other or (_by_history() and asked != written[-1]):
        state, problems = links.read(model, asked)
        st.session_state[page._slot("state")] = state
        page.put("opened_by", _query(links.write(state)))
        if not fresh:
            page.jump(model.model_fields)
        page.put("problems", problems)  # said until the state changes, whatever runs the page again meanwhile
    page._write_link()
    st.markdown(f"# {page.words.question}")
    for problem in page.get("problems", [])[:3]:
        st.warning(_literal(problem), icon=None)
    return page


def _by_history() -> bool:
    """Whether Back or Forward has asked for this run: then its link says what to show, also one that says nothing."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


_ROLES = {"p_data": ":blue[$p_{data}$]", "p_G": ":orange[$p_G$]", "D*": ":green[$D^*$]"}


def _in_roles(text: str) -> str:
    """Plain words with the symbols of both players set as formulas in their colours."""
    if "$" not in text:
        for plain, coloured in _ROLES.items():
            text = text.replace(plain, coloured)
    return text


def _source(of: Callable[..., Any] | str) -> str:
    """The source of a function; of "training/loop.py:Game.step" without importing it: what needs torch, or a table."""
    if not isinstance(of, str):
        return inspect.getsource(of)
    file, _, name = of.partition(":")
    text = resources.files("gantoys").joinpath(file).read_text("utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        node = next(n for n in ast.walk(node) if part in _names(n))
    return textwrap.dedent(ast.get_source_segment(text, node, padded=True) or "")


def _names(node: ast.AST) -> list[str]:
    """What a function, a class or an assignment to a name is called."""
    found = [getattr(node, "name", None), *(getattr(target, "id", None) for target in getattr(node, "targets", ()))]
    return [name for name in found if name is not None]


def _literal(text: str) -> str:
    """Text from a link as plain words: Markdown's signs keep no meaning."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-!|~$:" else c for c in text)


def _query(params: dict[str, str]) -> str:
    return urlencode(params)


# One process answers everybody: where many pages look at their films in the same moment, they do so one after the
# other, so that any other page shares the interpreter with one of them and not with all.
_films = threading.BoundedSemaphore(FILMS_AT_ONCE)


def _top(
    page: Page[Any],
    build: Build,
    more: Callable[[Page[Any]], None] | None,
    beside: Callable[[], None] | None,
    on_resync: Callable[[], None] | None,
    on_click: component.Clicked | None,
) -> None:
    looks = on_resync is not None and not TURNS.mine
    with _films if looks else nullcontext(), TURNS.work(hand=True):
        page._write_link()
        if on_resync is not None and component.asks_for_all(page.stage_key):
            on_resync()
        page._mount(build, on_click)
        page._chips()
        if beside is not None:
            beside()
        if more is not None and not page.lecture:
            with page._drawer("More controls", "more") as opened:
                if opened:
                    more(page)
        page._write_link()  # what was found on the way, such as a step that was added to the film, counts too


def same(scene: Callable[..., Scene]) -> Build:
    """A build whose picture follows from the state alone, made once for all sessions; with what is drawn, for one."""

    def build(state: State, drawn: np.ndarray | None = None) -> Scene | Packed:
        return packed(scene, state) if drawn is None else scene(state, drawn=drawn)

    return build


def _takes_drawn(build: Build) -> bool:
    return "drawn" in inspect.signature(build).parameters


def _with_move(scene: Scene | Packed, before: dict[str, Any], after: dict[str, Any], token: int) -> Scene | Packed:
    """The picture with an animation along the control that changed most, where the scene still is at `after`."""
    changed = [
        (abs(after[c.key] - before[c.key]) / (np.ptp(np.asarray(c.values)) or 1), c)
        for c in scene.controls
        if c.kind == "slider" and c.key in before and after[c.key] != before[c.key]
    ]
    if not changed or any(c.value != after.get(c.key, c.value) for c in scene.controls if c.kind == "slider"):
        return scene
    control = max(changed, key=lambda pair: pair[0])[1]
    return replace(
        scene,
        animate=Animation(control.key, float(before[control.key]), float(after[control.key]), MOVE_SECONDS, str(token)),
    )
