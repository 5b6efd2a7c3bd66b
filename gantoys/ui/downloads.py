"""Keep and share: the buttons that save a film in every form, and a saved film opened again.

Nothing is computed before it is asked for: a button's file is made when it is pressed, one large file at a time, and
the last few stay for others who ask for the same.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import target_name
from gantoys.runs.film import Film
from gantoys.service import exports, mp4
from gantoys.service.run_service import service
from gantoys.service.weights import Weights, stored_weights
from gantoys.stage.pack import Packed
from gantoys.stage.page import standalone
from gantoys.stage.scene import Scene
from gantoys.ui.frame import _literal

KEPT_BYTES = 24_000_000  # of files that were made, for others who ask for the same; one has some 2 MB
Make = Callable[[Film, int], str | bytes]


@dataclass(frozen=True)
class Form:
    """One way to keep a film: what its button says, the file's ending and kind, and what makes it of film and step.

    costly: takes seconds, so that only one is made at a time and the last ones are kept. at_step: shows one step only.
    missing: the sentence that says what is not installed, empty if all is.
    """

    key: str
    label: str
    ending: str
    mime: str
    make: Make
    costly: bool = False
    at_step: bool = False
    missing: Callable[[], str] = str


def _page(film: Film, step: int) -> str:
    return _written(film_scene(film, 0, name=film.config.digest()[:16], autoplay=True), film)


def _written(scene: Scene | Packed, film: Film) -> str:
    return standalone(scene, title=f"A GAN learns {target_name(film)}")


FORMS = {
    row.key: row
    for row in (
        Form("gif", "Moving picture (GIF)", "gif", "image/gif", lambda film, _: exports.gif_bytes(film), costly=True),
        Form(
            "mp4",
            "Video (MP4)",
            "mp4",
            "video/mp4",
            lambda film, _: exports.mp4_bytes(film, size=480),
            costly=True,
            missing=lambda: "" if mp4.available() else mp4.MISSING,
        ),
        Form("page", "Web page that moves", "html", "text/html", _page),
        Form("film", "The film itself", "film", "application/octet-stream", lambda film, _: exports.film_bytes(film)),
        Form("points", "Generated points at this step (CSV)", "csv", "text/csv", exports.samples_csv, at_step=True),
        Form("figures", "Figures over the steps (CSV)", "csv", "text/csv", lambda film, _: exports.figures_csv(film)),
        Form("config", "Settings (JSON)", "json", "application/json", lambda film, _: exports.config_json(film.config)),
    )
}


def downloads(film: Film, step: int, *, key: str = "keep", scene: Callable[[], Scene | Packed] | None = None) -> None:
    """The buttons that keep `film`, the command line that trains it again, and the weights at `step` (steps taken).

    scene: what the web page shows, such as the views that are on screen; made when it is asked for. Else the film as
    it is usually drawn.
    """
    name = f"gantoys-{film.config.digest()[:10]}-seed-{film.seed}"
    columns = [column for _ in range(0, len(FORMS), 2) for column in st.columns(2)]  # on a phone in this order too
    for column, form in zip(columns, FORMS.values(), strict=False):
        at = f"-step-{film.step[exports.frame_at(film, step)]}" if form.at_step and len(film) else ""
        column.download_button(
            form.label,
            data=_later(form, film, step) if form.key != "page" or scene is None else _with(scene, film),
            file_name=f"{name}-{form.key}{at}.{form.ending}",
            mime=form.mime,
            key=f"{key}:{form.key}",
            on_click="ignore",
            disabled=bool(form.missing()) or (not len(film) and form.key != "config"),
            help=form.missing() or None,
            width="stretch",
        )
    _weights(film, step, name, key)
    st.caption("The command that trains it again:")
    command = exports.command_line(film.config)
    if len(command) <= 2000:
        st.code(command, language="bash", wrap_lines=True)
    else:  # a target of many points
        st.download_button(
            "Command line (text)", command + "\n", f"{name}-command.sh", "text/plain", key=f"{key}:command",
            on_click="ignore",
        )  # fmt: skip


def uploaded_film(key: str = "open-film") -> Film | None:
    """A film that the visitor opens from a file, or None; what cannot be opened is said in one sentence."""
    file = st.file_uploader(
        f"Open a film (.film, at most {exports.OPEN_BYTES // 2**20} MB)",
        max_upload_size=exports.OPEN_BYTES // 2**20,
        key=f"{key}:file",
    )
    seen = None if file is None else file.file_id
    if st.session_state.get(f"{key}:seen") != seen:
        st.session_state[f"{key}:seen"] = seen  # read once, not in every run of the page
        st.session_state[f"{key}:film"] = st.session_state[f"{key}:trouble"] = None
        if file is not None:
            try:
                if file.size > exports.OPEN_BYTES:
                    raise ValueError(f"the file has {file.size:,} bytes: at most {exports.OPEN_BYTES:,} are opened")
                st.session_state[f"{key}:film"] = exports.open_film(file.getvalue())
            except ValueError as error:
                st.session_state[f"{key}:trouble"] = str(error)
            except OSError as error:  # a disk that is full or only read
                st.session_state[f"{key}:trouble"] = f"the film cannot be opened here: {error.strerror}"
    if st.session_state.get(f"{key}:trouble"):
        words = _sentence(st.session_state[f"{key}:trouble"]) + " What is on screen stays."
        st.warning(_literal(words), icon=None)
    found: Film | None = st.session_state.get(f"{key}:film")
    return found


def _weights(film: Film, step: int, name: str, key: str) -> None:
    """Two steps: looking for a stored state reads it."""
    asked = (film.config.digest(), film.member, step)

    def look() -> None:
        try:
            found: Weights | str | None = stored_weights(service().store, film.config, film.member, step)
        except ValueError as error:
            found = str(error)
        st.session_state[f"{key}:weights"] = asked, found

    st.button("Look for the networks’ weights at this step", key=f"{key}:look", on_click=look)
    known, weights = st.session_state.get(f"{key}:weights", (None, None))
    if known != asked:
        return
    if isinstance(weights, str):
        st.warning(_literal(_sentence(weights)), icon=None)
        return
    if weights is None:
        st.caption(
            "None are kept here: a run leaves its weights every 256 steps or more seldom, where it is trained, for a "
            "while. The command below trains it again."
        )
        return
    st.download_button(
        f"Weights after step {weights.step:,} (safetensors)",
        data=weights.to_bytes,
        file_name=f"{name}-step-{weights.step}.safetensors",
        mime="application/octet-stream",
        key=f"{key}:weights-file",
        on_click="ignore",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


_made: OrderedDict[tuple[str, bytes], str | bytes] = OrderedDict()
_making = threading.Lock()


def _with(scene: Callable[[], Scene | Packed], film: Film) -> Callable[[], str]:
    return lambda: _written(scene(), film)


def _later(form: Form, film: Film, step: int) -> Callable[[], str | bytes]:
    """What makes the file when the button is pressed, in a thread of Streamlit's."""
    if not form.costly:
        return lambda: form.make(film, step)

    def made() -> str | bytes:
        with _making:  # a class that presses the same button waits for one file
            # by what the film holds, not by its config: somebody may have uploaded it
            which = (form.key, hashlib.sha256(exports.film_bytes(film)).digest())
            data = _made.pop(which) if which in _made else form.make(film, step)
            _made[which] = data
            while sum(map(len, _made.values())) > KEPT_BYTES:
                _made.popitem(last=False)
            return data

    return made
