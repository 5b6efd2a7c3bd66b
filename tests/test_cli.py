"""The command line: what it prints, in JSON and for people, and what it says to bad input."""

import json
import re

import numpy as np
import pytest

from gantoys.__main__ import main
from gantoys.maths import LOSSES
from gantoys.runs.film import Film
from tests.oracles import CASES


def run(capsys, *args):
    status = main(list(args))
    out, err = capsys.readouterr()
    return status, out, err


def as_json(capsys, *args):
    status, out, err = run(capsys, *args, "--json")
    assert status == 0 and err == ""
    return json.loads(out)


def test_compare_gives_every_quantity_with_method_and_error(capsys):
    got = as_json(capsys, "compare", "P(0.5,0.5)", "P(0.7,0.3)")
    want = CASES["two_point_worked_example"]["expected"]
    names = {
        "kl": "KL_p_q",
        "reverse_kl": "KL_q_p",
        "js": "JS",
        "tv": "TV",
        "hellinger2": "Hellinger2",
        "chi2": "chi2_p_q",
        "w1": "W1",
        "w2_squared": "W2_squared",
        "value": "V_Dstar",
    }
    for key in (*names, "jeffreys", "chi2_neyman"):
        assert set(got[key]) == {"value", "method", "error"}
    for key, name in names.items():
        assert got[key]["value"] == pytest.approx(want[name], abs=1e-12)
    assert got["d_star"]["x"] == [0.0, 1.0] and got["d_star"]["value"] == pytest.approx(want["Dstar"])


def test_compare_takes_several_points_and_writes_infinities_as_words(capsys):
    got = as_json(capsys, "compare", "N(0,1)", "N(1,1)", "--at", "-2", "-1", "0", "0.5", "--at", "2")
    want = CASES["gauss_0_1_vs_1_1"]["expected"]["Dstar_at"]
    assert got["d_star"]["x"] == [-2, -1, 0, 0.5, 2]
    assert got["d_star"]["value"] == pytest.approx(list(want.values()), abs=1e-9)
    far = as_json(capsys, "compare", "U(0,1)", "U(2,3)", "--at", "0.5", "2.5")
    assert far["kl"]["value"] == "inf" and far["d_star"]["logit"] == ["inf", "-inf"]
    assert far["js"]["value"] == pytest.approx(np.log(2))


def test_compare_in_the_plane(capsys):
    got = as_json(capsys, "compare", "N([0,0],1)", "N([1,-1],1)", "--at", "0,0", "0.5,-0.5")
    assert got["kl"]["value"] == pytest.approx(1) and got["w2_squared"]["value"] == pytest.approx(2)
    assert got["d_star"]["value"][1] == pytest.approx(0.5)
    ring = as_json(capsys, "compare", "ring(8,radius=2,std=0.2)", "N([0,0],1.4)")
    assert ring["w1"]["value"] is None and "no exact route" in ring["w1"]["method"]


def test_gradients_name_every_loss_both_ways(capsys):
    got = as_json(capsys, "gradients", "N(0,1)", "N(3,1)", "--parameter", "shift")
    want = CASES["gengrad_gauss_offset3"]["expected"]
    assert got["saturating"] == pytest.approx(want["saturating_dtheta"], abs=1e-8)
    assert got["non_saturating"] == got["non-saturating"] == pytest.approx(want["non_saturating_dtheta"], abs=1e-8)
    assert all(key in got for key in LOSSES)
    assert as_json(capsys, "gradients", "N(0,1.5)", "N(0,1)")["f-pearson"] is None


def test_losses_give_value_and_slope_of_every_part(capsys):
    got = as_json(capsys, "losses", "--logit", "-4", "0", "2")
    assert got["logit"] == [-4, 0, 2]
    for key, row in LOSSES.items():
        for part in ("real", "fake", "generator"):
            assert got[key][part]["value"] == pytest.approx(getattr(row, part)(np.array([-4.0, 0.0, 2.0])))
            assert got[key][part]["slope"] == pytest.approx(getattr(row, f"{part}_slope")(np.array([-4.0, 0.0, 2.0])))


def test_people_get_tables(capsys):
    assert "hellinger2" in run(capsys, "compare", "N(0,1)", "N(1,1)")[1]
    assert "non-saturating" in run(capsys, "gradients", "N(0,1)", "N(1,1)")[1]
    assert "generator" in run(capsys, "losses", "--logit", "0")[1]
    assert "compare" in run(capsys, "--help")[1]


@pytest.mark.parametrize(
    "args",
    [
        ("gradients", "N(0,1)", "N(0,1)"),
        ("compare", "N(0,1)", "N(0,1)", "--at", "0"),
        ("losses", "--logit", "0", "-0"),
        ("dirac", "--loss", "wasserstein", "--steps", "3", "--start", "0", "0"),
        ("fit", "N(0,1)"),
    ],
)
def test_no_zero_has_a_sign(capsys, args):
    for form in ((), ("--json",)):
        status, out, _ = run(capsys, *args, *form)
        assert status == 0 and not re.search(r"(?<![\w.])-0(\.0*)?(?![\w.])", out), out


def test_train_writes_a_film_and_says_what_came_of_it(capsys, tmp_path):
    path = tmp_path / "out.film"
    got = as_json(
        capsys, "train", "--toy", "ring", "--seeds", "3:4", "--steps", "40", "--set", "frames=5", "--film", str(path)
    )
    film = Film.load(path)
    assert got["status"] == film.status == "done" and got["steps"] == 40 and got["frames"] == len(film) == 5
    assert got["config"]["seed"] == 3 and got["path"] == str(path) and got["runs"][0]["digest"] == film.config.digest()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("compare", "foo", "N(0,1)"), "unknown distribution 'foo'"),
        (("compare", "N(0,-1)", "N(0,1)"), "must be positive"),
        (("compare", "N(0,1)"), "Missing argument"),
        (("compare", "N(0,1)", "N([0,0],1)"), "different spaces"),
        (("compare", "moons", "ring"), "no exact density"),
        (("compare", "N(0,1)", "N(1,1)", "--at", "nan"), "finite"),
        (("compare", "N(0,1)", "N(1,1)", "--at", "1,2"), "numbers"),
        (("compare", "P(0.5,0.5)", "P(0.7,0.3)", "--at", "1"), "continuous"),
        (("gradients", "N(0,1)", "N(1,1)", "--parameter", "tilt"), "tilt"),
        (("losses",), "Missing option"),
        (("losses", "--logit", "abc"), "needs numbers"),
        (("losses", "--logit", "inf"), "finite"),
        (("nope",), "No such command"),
        (("train", "--toy", "nope"), "unknown distribution"),
        (("train", "--loss", "nope"), "nope"),
        (("train", "--steps", "0"), "steps"),
        (("train", "--set", "width=0"), "width"),
        (("train", "--set", "nope=1"), "no field"),
        (("train", "--set", "lr_d=NaN"), "lr_d"),
        (("train", "--seeds", "5:5"), "seeds"),
        (("train", "--film", "/no/such/folder/x.film"), "does not exist"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_sentence(capsys, args, says):
    status, out, err = run(capsys, *args)
    assert status == 2 and out == "" and says in err and err.count("\n") == 1
