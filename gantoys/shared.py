"""One computation however many ask, kept within a bound of bytes: what a whole class looks at is worked out once."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

Given = ParamSpec("Given")
Found = TypeVar("Found")
BYTES = 96 * 2**20
"""What all results together may hold. What has not been asked for longest goes first."""
LARGE = 4096  # what several results may hold in common is counted once if it has so many bytes
ENTRY = 1024  # what keeping a result costs besides
LOOK_SECONDS, CROWD = 0.1, 8  # how often one who waits looks, and how many do so at that pace


class Kept(NamedTuple):
    """A result, the bytes that it holds alone, and the large things in it, which others may hold too, by id."""

    found: Any
    small: int
    large: dict[int, int]


class Shelf:
    """Results by function and arguments, `size` bytes of them at most. All methods may be called from any thread."""

    def __init__(self, size: int) -> None:
        self.size, self.held = size, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._holders: dict[int, int] = {}
        self._flights: dict[Hashable, tuple[Future[Any], int]] = {}

    def get(self, key: Hashable, compute: Callable[[], Found]) -> Found:
        """The result under `key`, computed if it is not here; whoever asks meanwhile waits for that one.

        An exception goes to all who wait, and is not kept. What only ends a thread (a BaseException) stays with it, and
        one of those who wait computes in its place.
        """
        me = threading.get_ident()
        while True:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key].found
                flight, leader = self._flights.setdefault(key, (Future(), me))
            if leader == me:  # also one that asks for what it is computing: it would wait for itself
                return self._fly(key, flight, compute)
            try:
                with TURNS.away():
                    return flight.result()
            except Abandoned:
                continue

    def _fly(self, key: Hashable, flight: Future[Any], compute: Callable[[], Found]) -> Found:
        try:
            with TURNS.away():
                found = compute()
            kept = Kept(found, *settle((key, found)))
        except BaseException as error:
            with self._lock:
                self._flights.pop(key, None)
            if not flight.done():
                flight.set_exception(error if isinstance(error, Exception) else Abandoned())
            raise
        with self._lock:
            self._flights.pop(key, None)
            if key not in self._kept:
                self._keep(key, kept)
            while self.held > self.size:
                self._drop()
        if not flight.done():
            flight.set_result(found)
        return found

    def _keep(self, key: Hashable, kept: Kept) -> None:
        self._kept[key] = kept
        self.held += kept.small + ENTRY
        for one, size in kept.large.items():
            self.held += 0 if one in self._holders else size
            self._holders[one] = self._holders.get(one, 0) + 1

    def _drop(self) -> None:
        _, kept = self._kept.popitem(last=False)
        self.held -= kept.small + ENTRY
        for one, size in kept.large.items():
            self._holders[one] -= 1
            if not self._holders[one]:
                del self._holders[one]
                self.held -= size

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            while self._kept:
                self._drop()

    def __len__(self) -> int:
        return len(self._kept)


class Abandoned(Exception):
    """Whoever computed this was ended before it was done."""


SHELF = Shelf(BYTES)


def shared(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """A function whose results are kept for all threads, and computed once where several ask at the same time.

    Its arguments must be hashable, and its results must follow from them alone. Arrays in a result become read-only.
    """

    @wraps(function)
    def ask(*args: Given.args, **options: Given.kwargs) -> Found:
        key = (function, args, tuple(sorted(options.items())))
        return SHELF.get(key, lambda: function(*args, **options))

    return ask


def settle(thing: Any) -> tuple[int, dict[int, int]]:
    """The bytes of the small things that a value is made of, and of its large ones by id; its arrays become read-only.

    What stands in a module (a function, a class) belongs to it and does not count.
    """
    seen: set[int] = set()
    small, large, rest = 0, {}, [thing]
    while rest:
        one = rest.pop()
        if id(one) in seen or one is None or callable(one):
            continue
        seen.add(id(one))
        size = sys.getsizeof(one)
        if isinstance(one, np.ndarray):
            one.setflags(write=False)
            rest.append(one.base)
        elif isinstance(one, Mapping):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            rest += one
        elif hasattr(one, "__dict__"):
            rest += vars(one).values()
        if size < LARGE:
            small += size
        else:
            large[id(one)] = size
    return small, large


@dataclass(eq=False)
class Ticket:
    """A place in the line: it counts from `due` on (of the monotonic clock)."""

    due: float = 0.0
    called: threading.Event = field(default_factory=threading.Event)


class Turns:
    """At most `places` threads at work at once, in the order in which they came; those who answer a hand come first.

    One interpreter serves everybody: three hundred threads that work at once all end late, one after the other most
    of them end early. A turn is a courtesy and no lock: only its beginning is waited for, where a thread holds nothing
    that another one needs.
    """

    def __init__(self, places: int) -> None:
        self.places, self.busy = places, 0
        self._lock = threading.Lock()
        self._lines: tuple[deque[Ticket], ...] = deque(), deque()
        self._mine = threading.local()

    @property
    def mine(self) -> bool:
        """Whether this thread has a turn."""
        return getattr(self._mine, "held", False)

    @contextmanager
    def work(self, *, hand: bool = False) -> Iterator[None]:
        """A turn for this thread, once it comes; within a turn nothing is waited for. hand: it answers one."""
        if self.mine:
            yield
            return
        ticket = self._draw(0 if hand else 1)
        ticket.called.wait()
        self._mine.held = True
        try:
            yield
        finally:
            self._end()

    @contextmanager
    def away(self) -> Iterator[None]:
        """While this thread waits for another one, or computes for long, another one has its turn.

        Then it goes on at once: it may hold what somebody waits for.
        """
        if not self.mine:
            yield
            return
        self._end()
        try:
            yield
        finally:
            with self._lock:
                self.busy += 1
            self._mine.held = True

    def later(self, seconds: float, look: Callable[[], object]) -> None:
        """Give the turn away, and come back with a new one, no sooner than in so many seconds.

        `look` is called now and then meanwhile. An exception of it ends the waiting, and there is no new turn.
        """
        if not self.mine:
            return
        ticket = self._draw(1, time.monotonic() + seconds)
        self._end()
        try:
            while not ticket.called.wait(LOOK_SECONDS * max(1.0, len(self._lines[1]) / CROWD)):
                look()
                with self._lock:
                    self._admit()
        except BaseException:
            with self._lock:
                if ticket.called.is_set():
                    self.busy -= 1
                else:
                    self._lines[1].remove(ticket)
                self._admit()
            raise
        self._mine.held = True

    def _draw(self, line: int, due: float = 0.0) -> Ticket:
        ticket = Ticket(due)
        with self._lock:
            self._lines[line].append(ticket)
            self._admit()
        return ticket

    def _end(self) -> None:
        if self.mine:
            self._mine.held = False
            with self._lock:
                self.busy -= 1
                self._admit()

    def _admit(self) -> None:
        for line in self._lines:
            while self.busy < self.places:
                ticket = next((one for one in line if one.due <= time.monotonic()), None)
                if ticket is None:
                    break
                line.remove(ticket)
                ticket.called.set()
                self.busy += 1


TURNS = Turns(2)
