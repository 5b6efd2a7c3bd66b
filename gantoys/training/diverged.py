"""When a run leaves the numbers that mean anything: at which step, what first, and why that may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gantoys.runs.causes import cause
from gantoys.training.closed_form import ClosedForm
from gantoys.training.game import Game
from gantoys.training.player import Player
from gantoys.training.reference import Reference

EXPLODED = 1e5  # a weight beyond it: useful ones are below 100


class Diverged(Exception):
    """The run left the numbers that mean anything. step: the step in which; the text is a sentence or two about it.

    beside: of seeds that trained together, each one's own, by its place among them; filled where all have diverged.
    """

    def __init__(self, step: int, what: str, cause: str) -> None:
        super().__init__(f"Diverged at step {step}: {what}. Likely cause: {cause}.")
        self.step = step
        self.beside: dict[int, Diverged] = {}


def healthy(game: Game, seeds: Sequence[int] | None = None) -> bool:
    """Whether all numbers of both players are finite and not absurd, in every seed or in those at some places."""
    # the largest of numbers one of which is nan is nan, and nan is not below anything
    if all(float(p.theta.abs().max()) < EXPLODED for p in (game.d, game.g)):
        return True
    if seeds is None or len(seeds) == len(game.members):
        return False
    return all(_largest(p, p.theta, seed) < EXPLODED for p in (game.d, game.g) for seed in seeds)


def _largest(player: Player, flat: Tensor, seed: int) -> float:
    """The largest absolute number of one seed; nan if one is nan."""
    return float(torch.stack([view[seed].abs().max() for view in player.network.views(flat).values()]).max())


def located(
    game: Game, safe: Mapping[str, np.ndarray], until: int, seeds: Iterable[int], *, pictures: Iterable[int] = ()
) -> dict[int, Diverged]:
    """The step and the first quantity at fault for each of the `seeds` (places in the game) that has left the numbers
    between the healthy state `safe` and step `until`, by taking the steps again; the game is where it was after that.

    pictures: seeds whose picture at `until` is not finite, whatever their numbers are.
    """
    game.restore(safe)
    found: dict[int, Diverged] = {}
    while game.taken < until:
        now, passes = game.now, game.passes
        game.step()
        for i in set(seeds) - set(found):
            fault = _fault(game, passes, i)
            if fault:
                found[i] = Diverged(game.taken, fault, cause(now).words)
    for i in set(pictures) - set(found):
        found[i] = Diverged(game.taken, "a picture holds what is no finite number", cause(game.now).words)
    return found


def _fault(game: Game, passes: ClosedForm | Reference, seed: int) -> str:
    """What is wrong with one seed after a step, or nothing; in the order in which a step makes it."""
    said = [x if x.ndim == 2 else x[seed] for x in (passes.real, passes.fake)]
    if not all(bool(torch.isfinite(x).all()) for x in said):
        return "D's output is no longer a finite number"
    for who, player in (("D", game.d), ("G", game.g)):
        for name, flat in ((f"{who}'s gradient", player.grad), (f"a weight of {who}", player.theta)):
            largest = _largest(player, flat, seed)
            if not np.isfinite(largest):
                return f"{name} is no longer a finite number"
            if flat is player.theta and largest >= EXPLODED:
                return f"{name} passed {EXPLODED:g}"
    return ""
