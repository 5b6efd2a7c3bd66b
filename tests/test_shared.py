"""One computation however many ask, kept within a bound; and turns, in the order in which threads came."""

import ast
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from tree import app_sources, name, syntax

from gantoys import shared as module
from gantoys.pictures import divergences, dynamics, game, generator_gradients, optimal_discriminator, wasserstein
from gantoys.pictures.film import StartState, recorded_scene
from gantoys.shared import ENTRY, Shelf, Turns, settle, shared
from gantoys.stage.pack import pack, packed

CLASS = 30
SCENES = {
    "optimal-discriminator": (optimal_discriminator.scene, optimal_discriminator.OptimalState()),
    "divergences": (divergences.scene, divergences.DivergenceState()),
    "dynamics": (dynamics.scene, dynamics.DynamicsState()),
    "game": (game.scene, game.GameState()),
    "generator-gradients": (generator_gradients.scene, generator_gradients.GradientState()),
    "wasserstein": (wasserstein.scene, wasserstein.WassersteinState()),
    "start": (recorded_scene, StartState()),
}


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf in place of the process's own."""
    new = Shelf(2**20)
    monkeypatch.setattr(module, "SHELF", new)
    return new


def at_once(function: Callable[[], object], count: int = CLASS) -> list[object]:
    """What as many threads get that ask in the same moment; an exception counts as an answer."""
    start = threading.Barrier(count)

    def ask(_: int) -> object:
        start.wait()
        try:
            return function()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def test_a_class_that_asks_at_once_has_one_computation(shelf: Shelf) -> None:
    calls = []

    @shared
    def sweep(k: int, *, scale: float = 1.0) -> np.ndarray:
        calls.append(k)
        time.sleep(0.05)
        return scale * np.arange(k)

    found = at_once(lambda: sweep(5, scale=2.0))
    assert calls == [5] and all(one is found[0] for one in found)
    assert sweep(5, scale=2.0) is found[0] and calls == [5]
    assert np.array_equal(sweep(5), np.arange(5)) and calls == [5, 5]  # other arguments are another question
    with pytest.raises(ValueError, match="read-only"):
        found[0][0] = 1  # type: ignore[index]


def test_an_error_reaches_all_who_wait_and_is_not_kept(shelf: Shelf) -> None:
    calls = []

    @shared
    def broken() -> None:
        calls.append(1)
        time.sleep(0.05)
        raise ValueError("no such law")

    assert {str(error) for error in at_once(broken)} == {"no such law"} and len(calls) == 1
    with pytest.raises(ValueError, match="no such law"):
        broken()
    assert len(calls) == 2 and len(shelf) == 0


def test_when_the_one_who_computes_is_ended_another_one_does(shelf: Shelf) -> None:
    class Stop(BaseException):
        pass

    ended, begun = [], threading.Event()

    @shared
    def slow() -> int:
        begun.set()
        time.sleep(0.05)
        if not ended:
            ended.append(1)
            raise Stop
        return 7

    def first() -> None:
        with pytest.raises(Stop):
            slow()

    leader = threading.Thread(target=first)
    leader.start()
    begun.wait()
    assert at_once(slow, 4) == [7] * 4
    leader.join()
    assert ended == [1]


def test_a_function_may_ask_for_what_it_is_computing(shelf: Shelf) -> None:
    depth = []

    @shared
    def itself() -> int:
        depth.append(1)
        return 1 if len(depth) > 1 else itself() + 1

    assert itself() == 2 and itself() in (1, 2)


def test_what_is_kept_stays_within_its_bound_and_what_was_used_last_stays(shelf: Shelf) -> None:
    size = shelf.size // 4

    @shared
    def block(k: int) -> np.ndarray:
        made.append(k)
        return np.full(size // 8, float(k))

    made: list[int] = []
    for k in (0, 1, 2, 0, 3, 0, 4):  # three fit, with what keeping them costs
        block(k)
        assert shelf.held <= shelf.size
    assert made == [0, 1, 2, 3, 4] and len(shelf) == 3
    block(0)
    assert made == [0, 1, 2, 3, 4]
    shelf.clear()
    assert shelf.held == 0 and len(shelf) == 0


def test_what_is_larger_than_the_bound_is_answered_and_not_kept(shelf: Shelf) -> None:
    @shared
    def huge() -> np.ndarray:
        return np.zeros(shelf.size)

    assert len(huge()) == shelf.size and len(shelf) == 0 and shelf.held == 0


def test_an_array_that_several_results_hold_is_counted_once(shelf: Shelf) -> None:
    common = np.zeros(30_000)

    @shared
    def view(k: int) -> dict[str, object]:
        return {"all": common, "part": common[k:], "deep": [SimpleNamespace(rows=(common[::2],))]}

    for k in range(5):
        view(k)
    assert common.nbytes < shelf.held < common.nbytes + 5 * (ENTRY + 4000)
    assert not common.flags.writeable


@pytest.mark.parametrize("lesson", SCENES)
def test_the_packed_picture_of_a_state_is_one_for_all_and_what_packing_anew_gives(lesson: str) -> None:
    make, state = SCENES[lesson]
    view = {"height": 480, "echo": "mine"}
    one, other = packed(make, state), packed(make, type(state)())
    assert one is other
    assert one.message(view) == pack(make(state), view=view)
    assert one.message({"height": 1}) != one.message(view)
    held = settle(one)
    # the bytes that travel and little else: not the arrays that the scene was made of
    assert held[0] + sum(held[1].values()) < len(one.message()) + len(one.text) + 100_000


def test_no_cache_of_pictures_lets_several_threads_compute_the_same() -> None:
    found = []
    for path in app_sources():
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.FunctionDef):
                marks = {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in node.decorator_list}
                if "lru_cache" in marks or ("cache" in marks and node.args.args):
                    found.append(f"{name(path)}:{node.name}")
    # one is told once a process and costs nothing, the other is asked by the one thread of a worker
    assert set(found) <= {"gantoys/runs/store.py:_megabytes", "gantoys/training/native.py:library"}


def test_turns_come_in_order_and_those_who_answer_a_hand_come_first() -> None:
    turns, order, most = Turns(1), [], []
    release = threading.Event()

    def work(label: str, hand: bool) -> None:
        with turns.work(hand=hand):
            most.append(turns.busy)
            order.append(label)
            if label == "first":
                release.wait(10)

    threads = []
    for label, hand in (("first", False), ("page 1", False), ("page 2", False), ("hand", True)):
        before = sum(map(len, turns._lines))
        threads.append(threading.Thread(target=work, args=(label, hand)))
        threads[-1].start()
        while label not in order and sum(map(len, turns._lines)) == before:
            time.sleep(0.001)
    release.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "hand", "page 1", "page 2"] and max(most) == 1 and turns.busy == 0


def test_while_one_is_away_another_has_its_turn_and_it_comes_back_without_waiting() -> None:
    turns, seen = Turns(1), []
    there, back = threading.Event(), threading.Event()

    def other() -> None:
        with turns.work():
            there.set()
            back.wait(10)
            seen.append(turns.busy)

    with turns.work(), turns.work():  # within a turn nothing is waited for
        thread = threading.Thread(target=other)
        thread.start()
        with turns.away():
            assert not turns.mine and there.wait(10)
        assert turns.mine and turns.busy == 2  # it may hold what the other one waits for
        back.set()
        thread.join(10)
    assert seen == [2] and turns.busy == 0
    with turns.away():  # without a turn there is nothing to give back
        turns.later(60.0, lambda: None)
    assert turns.busy == 0


def test_one_who_comes_back_later_waits_for_his_time_and_then_for_his_turn() -> None:
    turns, order = Turns(1), []

    def visit() -> None:
        with turns.work():
            order.append("other")

    with turns.work():
        other = threading.Thread(target=visit)
        other.start()
        while not turns._lines[1]:
            time.sleep(0.001)
        begin, looks = time.monotonic(), []
        turns.later(0.2, lambda: looks.append(1))
        order.append("later")
        assert turns.mine and turns.busy == 1 and looks and time.monotonic() - begin >= 0.2
    other.join(10)
    assert order == ["other", "later"] and turns.busy == 0


def test_one_who_is_called_away_while_he_waits_gives_up_his_place() -> None:
    class Stop(BaseException):
        pass

    def stop() -> None:
        raise Stop

    turns = Turns(1)
    with pytest.raises(Stop), turns.work():
        turns.later(60.0, stop)
    assert turns.busy == 0 and not turns._lines[1] and not turns.mine
    with turns.work():  # and the next one is not kept out
        assert turns.busy == 1


def test_one_who_has_a_turn_gives_it_back_while_another_one_computes_for_him(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(1)
    monkeypatch.setattr(module, "TURNS", turns)
    asked = []

    @shared
    def slow() -> int:
        asked.append(turns.busy)
        time.sleep(0.05)
        return 3

    def visit() -> object:
        with turns.work():
            return slow()

    # with one place, none of them could compute or wait inside it without keeping the others out
    assert at_once(visit, 8) == [3] * 8
    assert len(asked) == 1 and turns.busy == 0
