"""What gantoys must survive: hostile links and files, absurd settings, crowds, dead workers, full disks.

Everybody who asks for too much gets one clear sentence, nobody else notices, and nothing that was shown is lost.
"""

import ast
import importlib
import io
import json
import logging
import os
import pickle
import pkgutil
import re
import signal
import socket
import struct
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import plane_film
from streamlit.testing.v1 import AppTest
from test_service import LONG, ROOT, SHORT, alive, finish, has_frames, pid, until
from tree import text

import gantoys.pictures
from gantoys.commands.output import plain
from gantoys.lessons import KEYS
from gantoys.maths.points import from_points
from gantoys.maths.table_reader import read_table
from gantoys.metrics.files import load_points, table_of
from gantoys.pictures.compare_state import CompareState, entrants
from gantoys.pictures.film import recorded
from gantoys.pictures.lab_state import LabState, write_run
from gantoys.pictures.state import MAX_QUERY, State, read
from gantoys.runs import limits, state_file, store
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import FilmWriter
from gantoys.runs.store import Store
from gantoys.service import exports, run_service
from gantoys.service.nursery import nursery
from gantoys.service.process import Task
from gantoys.service.run_service import Busy, Run, RunService
from gantoys.service.shelf import open_longest, put_away, shelf
from gantoys.service.summary import summary
from gantoys.stage.page import standalone
from gantoys.training.filming import record
from gantoys.ui import drawing

APP = str(ROOT / "app.py")
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "![x](http://a.b/c)")
ABSURD = ("99999", "-1e308", "1e309", "nan", "inf", "abc", "", "9" * 3500, "[" * 3500, '{"a":' * 500, "\x00", *HOSTILE)


def states() -> list[type[State]]:
    """The models of all pages."""
    for found in pkgutil.iter_modules(gantoys.pictures.__path__):
        importlib.import_module(f"gantoys.pictures.{found.name}")
    return sorted((m for m in State.__subclasses__() if m.__module__.startswith("gantoys.")), key=str)


def opened(key: str, **params: Any) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    if key != KEYS[0]:
        app.switch_page(f"pages/{key}.py")
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def sentence(error: object) -> str:
    """The words of an error that is one short line."""
    words = str(error)
    assert words and "\n" not in words and len(words) < 700 and "Traceback" not in words
    return words


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", states(), ids=lambda model: model.__name__)
def test_whatever_a_link_says_the_page_has_an_allowed_state_and_at_most_a_sentence_for_each_parameter(
    model: type[State],
) -> None:
    for name in (*model.model_fields, "nope", "run", HOSTILE[0]):
        for value in ABSURD:
            state, problems = read(model, {name: value})
            assert isinstance(state, model) and len(problems) <= 1
            assert all(sentence(problem) for problem in problems)
            json.dumps(state.model_dump(mode="json"), allow_nan=False)


def test_a_link_of_half_a_megabyte_or_two_thousand_parameters_is_refused_at_once() -> None:
    begin = time.perf_counter()
    for params in ({"run": "x" * 600_000}, {f"field{k}": "1" for k in range(2000)}):
        state, problems = read(LabState, params)
        assert state == LabState() and str(MAX_QUERY) in sentence(*problems)
    assert time.perf_counter() - begin < 0.5


def test_a_parameter_that_stands_twice_counts_once_and_the_link_becomes_clean() -> None:
    app = opened("optimal-discriminator", left=["-1.5", "99"])
    (problem,) = [w.value for w in app.warning if "left" in w.value]
    assert "from -7 to 7" in problem.replace("\\", "") and not dict(app.query_params)


def test_tags_and_pictures_of_a_link_are_shown_as_text() -> None:
    for params in ({"run": HOSTILE[1], HOSTILE[0]: "1"}, {"run": HOSTILE[3]}):
        said = " ".join(w.value for w in opened("lab", **params).warning)
        assert said and not re.search(r"(?<!\\)[<\[]", said), "every sign of Markdown is escaped"


def test_what_is_drawn_cannot_end_the_script_of_a_saved_page(tmp_path: Path) -> None:
    from gantoys.pictures.film import film_scene

    film = plane_film(tmp_path / "a.film")
    scene = film_scene(film, 0, name="</script><script>alert(1)</script>")
    assert "<script>alert" not in standalone(scene)


def test_no_text_of_a_visitor_is_set_as_html() -> None:
    """`st.html` is given constants only, and the browser's code makes text nodes."""
    for path in [*ROOT.glob("gantoys/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("st.html", "st.iframe"):
                names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {"st", "lecture"}
                assert all(name.isupper() for name in names), (path, names)
    for path in ROOT.glob("gantoys/**/*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML", text(path)), path


def test_no_link_starts_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunService, "ask", lambda *_, **__: pytest.fail("a link has started a training"))
    app = AppTest.from_file(APP, default_timeout=60).run()
    for key in KEYS:
        app.switch_page(f"pages/{key}.py")
        for name, value in {"run": "toy:moons;steps:5000;seed:991", "seed": "991", "step": "100", "train": "1"}.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception


def test_an_old_link_names_what_is_not_known_any_more() -> None:
    for run, word in (("loss:minimax-2019", "loss"), ("lerning_rate:0.1", "lerning_rate"), ("toy:donut", "toy")):
        state, problems = read(LabState, {"run": run, "step": "40"})
        assert word in sentence(*problems) and state.step == 40, "the rest of the link is kept"


# --- settings -------------------------------------------------------------------------------------------------------


def test_every_number_of_a_run_is_checked_on_the_server_at_and_beyond_its_bounds() -> None:
    checked = 0
    for name, field in TrainConfig.model_json_schema()["properties"].items():
        if field.get("type") not in ("integer", "number"):
            continue
        low, high = field["minimum"], field["maximum"]
        for value in (high * 2 + 1, low - 1, float("nan"), float("inf"), 10**400, "1"):
            with pytest.raises(ValueError, match=f"^{name} is ") as caught:
                TrainConfig.build({name: value})
            sentence(caught.value)
        checked += 1
    assert checked > 20


def test_a_number_that_no_widget_would_send_is_refused_too() -> None:
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.session_state["more:lab"] = True
    app.switch_page("pages/lab.py").run()
    (steps,) = [w for w in app.number_input if w.key == "lab:form:steps"]
    steps.set_value(10**12).run()
    assert not app.exception and app.session_state["state:lab"].config.steps <= limits.STEPS


def test_values_that_are_fine_alone_and_too_much_together_are_refused_before_any_work(tmp_path: Path) -> None:
    service = RunService(Store(tmp_path), workers=1)
    heavy = TrainConfig(steps=limits.STEPS, batch=256, width=256)
    with pytest.raises(ValueError, match="operations, at most") as caught:
        service.ask(heavy, "ann")
    assert "choose fewer steps" in sentence(caught.value) and not service._jobs and not list(tmp_path.glob("*.part"))
    service.close()


@pytest.mark.parametrize(
    "values",
    [
        {"lr_d": 0.0}, {"lr_g": 10.0, "lr_d": 10.0}, {"lr_g": 1e9}, {"lr_d": float("nan")}, {"lr_d": -1.0},
        {"beta1": 1.0}, {"beta2": 1.5}, {"d_steps": 0, "g_steps": 0}, {"d_steps": 0}, {"gp": 1e30}, {"gp": 1e4},
        {"r1": 1e4, "lr_d": 1.0}, {"loss": "wasserstein", "lr_d": 10.0, "optimiser": "sgd"},
    ],
)  # fmt: skip
def test_an_absurd_setting_is_refused_or_its_run_ends_with_finite_pictures(
    values: dict[str, Any], tmp_path: Path
) -> None:
    try:
        config = TrainConfig.build(SHORT.model_dump() | values)
    except ValueError as error:
        assert any(name in sentence(error) for name in values)
        return
    assert record(config, tmp_path / "a.film") in ("done", "diverged")
    film = Film.load(tmp_path / "a.film")
    assert len(film) and all(np.isfinite(getattr(film, n)).all() for n in ("samples", "logits", "loss_d", "js"))
    assert film.status == "done" or "step" in film.message


def test_a_run_that_diverged_is_json_without_nan(tmp_path: Path) -> None:
    config = SHORT.changed(lr_d=10.0, lr_g=10.0, optimiser="sgd", loss="wasserstein", steps=400)
    assert record(config, tmp_path / "a.film") == "diverged"
    film = Film.load(tmp_path / "a.film")

    def never(name: str) -> None:
        pytest.fail(f"{name} in JSON")

    told = json.dumps(plain(summary(film, tmp_path / "a.film")), allow_nan=False)
    json.loads(told, parse_constant=never)
    assert "nan" not in exports.figures_csv(film).lower()
    assert json.loads(json.dumps(plain({"js": float("nan"), "v": [float("-inf")]}))) == {"js": None, "v": ["-inf"]}


# --- crowds and workers ---------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RunService]]:
    """Makes run services on one store with workers that begin at once."""
    warm = nursery()
    assert warm is not None and warm.wait_until_ready(60)
    made: list[RunService] = []

    def build(**options: Any) -> RunService:
        made.append(RunService(Store(tmp_path / "films"), **{"workers": 2, "nursery": nursery} | options))
        return made[-1]

    yield build
    for service in made:
        service.close()


def test_one_who_presses_twenty_times_has_one_run_and_the_older_ones_end(make: Callable[..., RunService]) -> None:
    service = make()
    first = service.ask(LONG, "ann")
    worker = pid(first)
    runs = [service.ask(LONG.changed(seed=k), "ann") for k in range(1, 20)]
    assert [run.status().ended for run in runs] == [True] * 18 + [False] and len(service._jobs) == 1
    assert sum(len(job.workers) for job in service._jobs.values()) <= 1
    until(lambda: not alive(worker), "the first worker ends", 3)


def test_a_hundred_who_ask_for_different_runs_are_answered_at_once_and_those_beyond_the_queue_refused(
    make: Callable[..., RunService],
) -> None:
    service, refused, places = make(), 0, []
    begin = time.perf_counter()
    for k in range(100):
        try:
            run = service.ask(LONG.changed(seed=k), f"visitor {k}")
            places.append(run.status().position)
        except Busy as busy:
            refused += 1
            assert f"{limits.QUEUE} are waiting" in sentence(busy)
    assert time.perf_counter() - begin < 5
    assert refused == 100 - limits.QUEUE - service.workers and max(places) == limits.QUEUE - 1
    for k in range(100):
        service.leave(f"visitor {k}")


def test_three_hundred_who_ask_for_the_same_run_share_it(make: Callable[..., RunService]) -> None:
    service = make()
    begin = time.perf_counter()
    runs = [service.ask(LONG, f"visitor {k}") for k in range(300)]
    assert time.perf_counter() - begin < 2 and len({id(run._job) for run in runs}) == 1
    assert len(service._jobs) == 1 and len(runs[0]._job.workers) <= 1
    for run in runs:
        run.leave()
    assert not service._jobs


def test_pages_look_less_often_where_many_look(
    make: Callable[..., RunService], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_service, "_service", None)
    assert run_service.look_seconds(0.3) == 0.3
    service = make()
    monkeypatch.setattr(run_service, "_service", service)
    runs = [service.ask(SHORT.changed(steps=50_000), f"visitor {k}") for k in range(20)]
    assert service.watched() == 20 and run_service.look_seconds(0.3) == 2.4, "8 looks a second, of all together"
    own = {run_service.look_seconds(0.3, f"visitor {k}") for k in range(20)}
    assert len(own) > 10 and 1.8 <= min(own) < max(own) <= 3.0, "and not all in the same moment"
    for run in runs[2:]:
        run.leave()
    assert run_service.look_seconds(0.3) == run_service.look_seconds(0.3, "visitor 1") == 0.3


@pytest.mark.long
def test_runs_of_closed_tabs_do_not_delay_the_next_visitor(make: Callable[..., RunService]) -> None:
    service = make(watch_seconds=0.5)
    for k in range(8):
        service.ask(LONG.changed(seed=k), f"gone {k}")
    until(lambda: not service._jobs, "all are paused")
    next_one = service.ask(SHORT, "ann")
    assert next_one.status().position == 0 and not [job for job in service._jobs.values() if job is not next_one._job]
    assert finish(next_one) == "done"


@pytest.mark.long
def test_a_worker_that_hangs_is_killed_and_another_one_finishes_its_run(make: Callable[..., RunService]) -> None:
    service = make(workers=1)
    service.crew.stall_seconds = 1.0
    config = LONG.changed(steps=6_000, frames=100)
    run = service.ask(config, "ann")
    until(lambda: has_frames(run), "frames")
    worker = pid(run)
    os.kill(worker, signal.SIGSTOP)  # deaf to everything but force, as in a deadlock
    service.crew.pace.factor = 0.01
    assert finish(run) == "done" and not alive(worker)
    film = run.film()
    assert film is not None and np.array_equal(film.step, config.recorded_steps())


@pytest.mark.long
def test_a_deaf_worker_cannot_keep_its_place_from_others(
    make: Callable[..., RunService], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gantoys.service import crew

    monkeypatch.setattr(crew, "STOP_SECONDS", 0.5)
    service = make(workers=1, turn_seconds=0.2)
    ann = service.ask(LONG, "ann")
    until(lambda: has_frames(ann), "frames")
    worker = pid(ann)
    os.kill(worker, signal.SIGSTOP)
    bob = service.ask(SHORT, "bob")
    until(lambda: ann.status() and bob.status().ended, "bob's run")
    assert bob.status().state == "done" and not alive(worker)


def test_no_page_process_makes_processes_that_run_the_page_again() -> None:
    for path in [*ROOT.glob("gantoys/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"]:
        assert not re.search(r"\bmultiprocessing\b|ProcessPoolExecutor|\bloky\b", text(path)), path
        assert not re.search(r"torch\.(manual_)?seed\(", text(path)), "random numbers have generators of their own"


def test_what_visitors_share_cannot_be_changed_by_one_of_them() -> None:
    film = recorded()
    for name in ("samples", "logits", "step", "js", "real"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(film, name)[...] = 0
    with pytest.raises(Exception, match=r"frozen|cannot assign"):
        film.config.steps = 1  # type: ignore[misc]


# --- a film between two workers -------------------------------------------------------------------------------------


def test_a_run_asked_for_again_shows_what_was_shown_while_its_first_worker_still_stops(
    make: Callable[..., RunService],
) -> None:
    service = make(workers=2)
    run = service.ask(LONG, "ann")
    until(lambda: (film := run.film()) is not None and len(film) > 5, "frames")
    run.leave()  # some frames are put away
    until(lambda: service._ending(LONG.digest()) is None, "the end of the worker")
    run = service.ask(LONG, "ann")
    kept = len(run.film() or ())
    until(lambda: len(run.film() or ()) > kept + 20, "more frames than were put away")
    worker = pid(run)
    os.kill(worker, signal.SIGSTOP)  # it takes long to stop, as on a busy machine
    shown = len(run.film() or ())
    run.leave()
    again = service.ask(LONG, "bob")
    assert len(again.film() or ()) >= shown > kept
    os.kill(worker, signal.SIGCONT)
    until(lambda: len(again.film() or ()) > shown, "it goes on")


def grown(folder: Path, count: int) -> Callable[[Path], None]:
    """Writes the first `count` frames of a film of many."""
    whole = (folder / "whole").read_bytes()
    film = Film.load(folder / "whole")
    frame = whole.find(b"FRAM", whole.find(b"FRAM") + 4) - whole.find(b"FRAM")
    size = whole.find(b"FRAM") + (len(film) if count is None else count) * frame
    return lambda path: path.write_bytes(whole[:size])


def test_no_look_at_a_film_misses_frames_while_it_is_handed_on(tmp_path: Path) -> None:
    """Part, kept, part again, whole: thousands of looks meet the moments between them."""
    films = Store(tmp_path / "films")
    made = plane_film(tmp_path / "whole")
    config, total = made.config, len(made)
    kept, whole = shelf(films, config), films.path(config)
    newest, least, film, stop, wrong = [films.part(config)], [0], [0], threading.Event(), []

    def hand_on() -> None:
        for _ in range(100):
            for count in range(2, total + 1, 2):
                part = films.part(config)
                grown(tmp_path, count)(part.with_suffix(".new"))
                os.replace(part.with_suffix(".new"), part)
                newest[0] = part
                least[0] = count
                if count < total:
                    put_away(Task(config, whole, part, range(1)), films, [0])
            os.replace(part, whole)
            put_away(Task(config, whole, part, range(1)), films, [0])
            film[0], least[0] = film[0] + 1, 0
            whole.unlink()
        stop.set()

    writer = threading.Thread(target=hand_on)
    writer.start()
    looks = 0
    while not stop.is_set():
        which, part, before = film[0], newest[0], least[0]
        file = open_longest([part], kept, whole, config)
        held = 0
        if file is not None:
            with file:
                data = file.read()
            held = data.count(b"FRAM")
        looks += 1
        if held < before and which == film[0]:  # in between nobody has begun anew
            wrong.append((before, held))
    writer.join()
    assert looks > 100 and not wrong


def test_a_damaged_paused_film_does_not_stand_in_the_way(make: Callable[..., RunService]) -> None:
    service, config = make(), SHORT.changed(steps=3000, frames=100)
    record(config, service.store.folder / "x")
    data = bytearray((service.store.folder / "x").read_bytes())
    data[len(data) // 2] ^= 1
    shelf(service.store, config).write_bytes(data)
    run = service.ask(config, "ann")
    assert finish(run) == "done" and len(run.film() or ()) == len(config.recorded_steps())


def test_a_new_page_shows_the_frames_of_a_run_that_is_paused_says_so_and_starts_nothing(
    make: Callable[..., RunService], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    monkeypatch.setattr(run_service, "_service", service)
    config = entrants(CompareState(seed=77))[1].config
    first = service.ask(config, "ann")
    until(lambda: (film := first.film()) is not None and len(film) > 3, "frames")
    first.leave()
    until(lambda: service._ending(config.digest()) is None, "the end of its worker")
    kept = service.kept(config)
    assert kept is not None and kept.step[-1] < config.steps
    monkeypatch.setattr(RunService, "ask", lambda *_, **__: pytest.fail("a link has started a training"))
    at = f"{kept.step[-1]:,} of {config.steps:,}"
    app = opened("lab", run=write_run(config))
    (line,) = [m.value for m in app.markdown if "Paused at step" in m.value]
    assert f"Paused at step {at}" in line and "*Train this* goes on" in line
    assert app.session_state["screen:lab"].films[0].step[-1] == kept.step[-1]
    (line,) = [c.value for c in opened("compare", seed="77").caption if "paused at step" in c.value]
    assert f"paused at step {at}" in line and "*Train them now* goes on" in line


# --- files ----------------------------------------------------------------------------------------------------------


class Trap:
    """What would make a folder if anybody unpickled it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_everywhere_and_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    data = pickle.dumps(Trap(trap))
    numpy_file = io.BytesIO()
    np.save(numpy_file, np.array([Trap(trap)], object), allow_pickle=True)
    for number, payload in enumerate((data, numpy_file.getvalue(), b"PK\x03\x04" + data)):
        path = tmp_path / f"{number}.npy"
        path.write_bytes(payload)
        for attempt in (
            exports.open_film,
            table_of,
            lambda _, p=path: state_file.load(p),
            lambda _, p=path: load_points(p),
        ):
            with pytest.raises(ValueError) as caught:
                attempt(payload)
            sentence(caught.value)
    assert not trap.exists()


def test_the_words_that_would_run_code_from_a_file_stand_nowhere() -> None:
    banned = re.compile(r"\bpickle\b(?! )|torch\.load|joblib\.load|allow_pickle=True|weights_only=False")
    for path in [*ROOT.glob("gantoys/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py", *ROOT.glob("scripts/*.py")]:
        code = [
            ast.unparse(n)
            for n in ast.walk(ast.parse(text(path)))
            if isinstance(n, ast.Call | ast.Import | ast.ImportFrom)
        ]
        assert not [line for line in code if banned.search(line)], path


def test_a_state_that_claims_a_billion_numbers_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    import hashlib

    header = b'{"w":{"dtype":"F64","shape":[1000000000],"data_offsets":[0,8000000000]}}'
    for tensors in (struct.pack("<Q", len(header)) + header, struct.pack("<Q", 2**40) + header, header[:20]):
        payload = struct.pack("<I", 2) + b"{}" + tensors
        path = tmp_path / "a.state"
        path.write_bytes(state_file.MAGIC + hashlib.sha256(payload).digest() + payload)
        with pytest.raises(ValueError, match="cannot be read") as caught:
            state_file.load(path)
        sentence(caught.value)


def test_a_bomb_of_numbers_is_refused_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a.npy", bytes(100_000_000))
    assert path.stat().st_size < 200_000
    for attempt in (
        lambda: load_points(path),
        lambda: table_of(path.read_bytes()),
        lambda: exports.open_film(path.read_bytes()),
    ):
        begin = time.perf_counter()
        with pytest.raises(ValueError) as caught:
            attempt()
        assert sentence(caught.value) and time.perf_counter() - begin < 0.2


def test_a_hundred_megabytes_and_a_million_rows_are_refused_without_reading_them() -> None:
    for data in (bytes(100 * 2**20), b"1,2\n" * 25_000_000, b"0.5\n" * 400_000):
        begin = time.perf_counter()
        with pytest.raises(ValueError, match=r"bytes|rows") as caught:
            read_table(data)
        assert sentence(caught.value) and time.perf_counter() - begin < 0.2


@pytest.mark.parametrize(
    "data",
    [b"x\nred\ngreen\n", b"1\nnan\n", b"1\ninf\n", b"1\n", b"1,2,3\n4,5,6\n", b"2,2\n2,2\n", b"=cmd()\n=1+1\n", b"",
     b"\xff\xd8\xff\xe0 a photograph", b"GIF89a", b"%PDF-1.7", b"<svg onload=alert(1)>"],
)  # fmt: skip
def test_a_table_without_points_and_a_file_of_another_kind_are_one_sentence(data: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        from_points(read_table(data).points().points)
    assert "<" not in sentence(caught.value) or "“<" in str(caught.value)


def test_a_table_with_a_mark_of_its_encoding_is_read() -> None:
    assert read_table("\ufeffx,y\n1,2\n3,4\n".encode()).points().points.tolist() == [[1, 2], [3, 4]]


def test_no_cell_of_an_exported_table_begins_as_a_formula() -> None:
    table = exports.csv_text(["=name", "x"], [("@sum", -1.5), ("+1", 2), ("-x", 3), ("\t=1", 4), ("plain", 5)])
    cells = [row.split(",")[0].strip('"') for row in table.splitlines()]
    assert all(cell[:1] not in "=+-@\t\r" for cell in cells) and "-1.5" in table


def test_the_server_is_not_older_than_its_last_fault_in_uploads() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["dependencies"]
    (line,) = [row for row in project if row.startswith("streamlit")]
    low = re.search(r">=\s*(\d+)\.(\d+)", line)
    assert low is not None and (int(low[1]), int(low[2])) >= (1, 61)


def test_a_downloaded_file_has_a_name_that_no_visitor_has_chosen() -> None:
    for path in ROOT.glob("gantoys/ui/*.py"):
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.keyword) and node.arg == "file_name":
                words = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
                assert words <= {"name", "form", "at", "weights", "self"}, (path, words)


@pytest.mark.parametrize(
    "message",
    [None, {}, [], "points", {"x": [], "y": [1.0]}, {"x": [float("nan")], "y": [0.0]}, {"x": ["1"], "y": ["2"]},
     {"x": [1e9], "y": [0.0]}, {"x": [0.0] * 10**6, "y": [0.0] * 10**6}, {"x": [True], "y": [False]}],
)  # fmt: skip
def test_a_forged_drawing_is_one_sentence(message: Any) -> None:
    begin = time.perf_counter()
    with pytest.raises(ValueError) as caught:
        drawing.check(message)
    assert sentence(caught.value) and time.perf_counter() - begin < 0.5


def test_an_empty_drawing_asks_for_more() -> None:
    assert len(drawing.check({"x": [], "y": []})) == 0 < drawing.LEAST


# --- disks and networks ---------------------------------------------------------------------------------------------


def test_where_no_disk_can_be_written_films_are_kept_in_memory_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk, memory = tmp_path / "full", tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(store, "_writable", lambda folder: memory in folder.parents)
    monkeypatch.setattr(store, "_MEMORY", memory)
    monkeypatch.setattr(store.tempfile, "tempdir", str(tmp_path))
    films = Store(disk)
    assert memory in films.folder.parents and films.size <= limits.MEMORY_BYTES
    assert len(caplog.records) == 1 and "kept in" in caplog.text
    assert record(SHORT, films.path(SHORT)) == "done" and films.find(SHORT) is not None
    assert not list(tmp_path.glob("gantoys-films-*")), "what was tried in vain is removed"


def test_where_nothing_at_all_can_be_written_pages_open_and_a_run_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(store.tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(store, "_writable", lambda _: False)
    (tmp_path / "file").write_text("in the way")
    films = Store(tmp_path / "file" / "films")
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert films.find(SHORT) is None and not films.has(SHORT) and films.state_before(SHORT, range(1), 9) is None
    monkeypatch.undo()  # the worker finds out by itself
    service = RunService(films, workers=1, nursery=nursery)
    run: Run = service.ask(SHORT, "ann")
    assert finish(run) == "failed" and "cannot be" in sentence(run.status().message)
    service.close()


def test_a_full_disk_is_noticed_when_the_store_is_opened() -> None:
    full = Path("/dev/full")
    assert full.exists(), "this test needs Linux"
    with full.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(store._PROBE_BYTES))


def test_a_film_that_cannot_be_written_on_keeps_its_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    append = FilmWriter.append

    def full(self: FilmWriter, *given: Any) -> None:
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        written.append(1)
        append(self, *given)

    monkeypatch.setattr(FilmWriter, "append", full)
    with pytest.raises(OSError, match="No space left"):
        record(SHORT, tmp_path / "a.film")
    file = open_longest([tmp_path / "a.film.part"], tmp_path / "none", tmp_path / "a.film", SHORT)
    assert file is not None
    with file:
        assert file.read().count(b"FRAM") == 5


def test_the_app_opens_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        pytest.fail(f"somebody calls {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_: pytest.fail(f"somebody asks for {a}"))
    for key in (KEYS[0], "lab"):
        opened(key)
