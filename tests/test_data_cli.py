"""The commands with people's own data: from a table to a film, its points and their scores; nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gantoys.__main__ import main
from gantoys.metrics import METRICS
from gantoys.metrics.files import load_points
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.places import film_paths
from gantoys.training.filming import record

FEW = [word for field in ("frames=21", "width=16", "batch=16", "grid=6", "shown=16") for word in ("--set", field)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTOYS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains in this process: what is looked at here comes before the training."""

    def here(config: TrainConfig, path: Path, *_: Any, device: str = "cpu", **__: Any) -> list[Film]:
        record(config, path, device=device)
        return [Film.load(place) for place in film_paths(path, config)]

    monkeypatch.setattr("gantoys.commands.train.train_to_file", here)


@pytest.mark.usefixtures("at_once")
def test_a_training_its_points_and_their_scores_are_a_chain(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Points of a table are learned in units of their own; what G makes is scored in the same."""
    x = np.random.default_rng(0).normal(5000, [40, 20], (300, 2))
    table = tmp_path / "data.csv"
    table.write_text(";length;width\n" + "".join(f"{k};{a};{b}\n".replace(".", ",") for k, (a, b) in enumerate(x)))
    few = ("--steps", "30", *FEW)
    status = main(["train", "--points", str(table), *few])
    out, err = capsys.readouterr()
    assert status == 2 and "data.csv: with some room around them the points reach" in err and "--centre" in err
    film, points = tmp_path / "a.film", tmp_path / "g.npy"
    status = main(["train", "--points", str(table), "--centre", *few, "--film", str(film)])
    out, err = capsys.readouterr()
    assert status == 0 and err == "data.csv: 300 points of length, width.\n" and "done" in out
    assert main(["film", "points", str(film), "--out", str(points)]) == 0
    capsys.readouterr()
    assert main(["metrics", "--real", str(table), "--centre", "--fake", str(points), "--draws", "0", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    fake = Film.load(film).samples[-1].astype(float)
    level = (x - x.mean(0)) / np.sqrt(np.mean((x - x.mean(0)) ** 2))
    assert got["frechet"] == pytest.approx(METRICS["frechet"].function(level, fake)) and got["n_fake"] == 16
    # the film's own real points are the table's, in the units of the run
    assert main(["film", "points", str(film), "--real", "--out", str(tmp_path / "r.csv")]) == 0
    shown = load_points(tmp_path / "r.csv")
    assert max(np.min(np.linalg.norm(level - row, axis=1)) for row in shown) < 0.01


@pytest.mark.usefixtures("at_once")
def test_a_file_that_is_there_is_replaced_only_when_told_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    few = ["train", "--steps", "20", *FEW]
    notes = tmp_path / "notes.txt"
    notes.write_text("notes of three weeks")
    assert main([*few, "--film", "notes.txt"]) == 2 and notes.read_text() == "notes of three weeks"
    err = capsys.readouterr().err
    assert err == "gantoys: notes.txt exists: name another place with --film, or replace it with --force\n"
    assert main(few) == 0 and main(few) == 2  # the film of the first call is not lost by the second
    capsys.readouterr()
    film = Path("out.film").read_bytes()
    assert main([*few, "--seeds", "0:2", "--film", "out.film"]) == 0  # out-0.film and out-1.film
    assert main([*few, "--seeds", "1:3"]) == 2
    assert "out-1.film exists" in capsys.readouterr().err and not Path("out-2.film").exists()
    assert main(["train", "--branch", "out.film", "--at", "5", "--film", "notes.txt"]) == 2
    capsys.readouterr()
    assert Path("out.film").read_bytes() == film and notes.read_text() == "notes of three weeks"
    assert main([*few, "--film", "notes.txt", "--force"]) == 0 and Film.load(notes).status == "done"


@pytest.mark.usefixtures("at_once")
def test_the_command_says_how_many_points_and_which_seeds_it_takes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = ["--steps", "5", *FEW]
    np.save(tmp_path / "many.npy", np.random.default_rng(0).normal(size=(5001, 2)))
    assert main(["train", "--points", str(tmp_path / "many.npy"), *few, "--film", str(tmp_path / "a.film")]) == 0
    err = capsys.readouterr().err
    assert "5,001 points of column 1, column 2. 5,000 of them, chosen at random, are learned." in err
    assert main(["train", "--seeds", "3", *few, "--film", str(tmp_path / "b.film")]) == 0
    assert "--seeds 3 is one seed, number 3; 3 seeds are --seeds 0:3." in capsys.readouterr().err
    assert Film.load(tmp_path / "b.film").seed == 3
    (tmp_path / "wide.csv").write_text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    for words, says in (
        (["--points", "wide.csv"], "has 3 columns of numbers, a, b, c: choose one or two, as by --columns a,b"),
        (["--points", "wide.csv", "--columns", "a,d"], "wide.csv: there is no column “d”: the columns are a, b, c"),
        (["--columns", "a"], "--columns and --centre belong to --points"),
        (["--device", "mps"], "the device 'mps' cannot be used: there is none on this machine"),
        (["--device", "meta"], "the device 'meta' cannot be used"),
        (["--toy", "8gaussians"], "'8gaussians' is no distribution: is ring(8) meant?"),
        (["--toy", "moon"], "is moons meant?"),
    ):
        assert main(["train", *words, *few, "--film", str(tmp_path / "c.film")]) == 2
        err = capsys.readouterr().err
        assert says in err and err.count("\n") == 1, err
    assert main(["train", "--points", "wide.csv", "--columns", "c,1", *few, "--film", str(tmp_path / "c.film")]) == 0
    assert Film.load(tmp_path / "c.film").config.toy.startswith("points(2,3.0,9.0,1.0,7.0")
