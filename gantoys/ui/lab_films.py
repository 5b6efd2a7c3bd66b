"""What the lab knows of films: those of a config that are on screen, and how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from gantoys.pictures.film import recorded
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.run_service import service

Films = tuple[Film | None, ...]


@dataclass(frozen=True)
class Screen:
    """What is on screen: a config, and the films of its seeds as far as they are known.

    take: a new number for each training, so that the browser begins anew and follows the newest frame. film_of_file:
    whether the visitor opened the film from a file. stepped: whether the films hold steps that were added one by one.
    """

    config: TrainConfig
    films: Films = ()
    take: int = 0
    film_of_file: bool = False
    stepped: bool = False

    @property
    def begun(self) -> bool:
        return any(film is not None and len(film) for film in self.films)

    @property
    def whole(self) -> bool:
        """Whether no frame is missing."""
        return bool(self.films) and all(map(is_whole, self.films))


def stored(config: TrainConfig) -> Films:
    """The films of a config that are there already: the recorded one, or what the store has, also of a paused run."""
    if config == recorded().config:
        return (recorded(),)
    films = [service().store.find(config, k) or service().kept(config, k) for k in range(config.seeds)]
    return tuple(films) if any(film is not None for film in films) else ()


def is_whole(film: Film | None) -> bool:
    """Whether a film has come to its end."""
    return film is not None and len(film) > 0 and (film.status == "diverged" or film.step[-1] >= film.config.steps)


def progress(films: Sequence[Film | None]) -> int:
    """The newest step of any film."""
    return max((int(f.step[-1]) for f in films if f is not None and len(f)), default=0)
