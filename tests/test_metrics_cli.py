"""The commands `metrics` and `modes`: what they print, and what they say to files that are no points."""

import json
import os
import re
import warnings

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gantoys.commands.metrics import metrics, modes
from gantoys.maths import parse
from gantoys.metrics import METRICS, MODE_RULES, mode_report, neighbours
from gantoys.metrics.files import load_points
from gantoys.metrics.transport import sliced_w2_squared
from tests.oracles import CASES

RING = "ring(8,radius=1,std=0.01)"


@pytest.fixture
def save(tmp_path):
    def write(name, array):
        path = tmp_path / name
        np.save(path, np.asarray(array))
        return str(path)

    return write


def run(command, *args):
    done = CliRunner().invoke(command, [str(a) for a in args])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def as_json(command, *args):
    done = run(command, *args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_metrics_prints_every_metric_of_two_sets(save):
    inputs, want = CASES["prdc_k2"]["inputs"], CASES["prdc_k2"]["expected"]
    real, fake = save("a.npy", inputs["real"]), save("b.npy", inputs["fake"])
    got = as_json(metrics, "--real", real, "--fake", fake, "--k", 2, "--balls", "open", "--draws", 0)
    for key in ("precision", "recall", "density", "coverage"):
        assert got[key] == pytest.approx(want[key], abs=1e-12)
    assert (got["n_real"], got["n_fake"], got["k"], got["dim"], got["balls"]) == (6, 5, 2, 2, "open")
    assert {key for key, row in METRICS.items() if row.needs == "samples"} <= set(got)
    # between six and five points there is a plan, and a sentence about the bounds
    assert got["w1"] > 0 and "by a critic" in got["notes"]["w1"] and got["perfect"] == {}
    table = run(metrics, "--real", real, "--fake", fake, "--k", 2, "--draws", 0).stdout
    assert "precision" in table and "higher is better" in table and "by a critic" in table
    assert "6 real and 5 generated points, 2 coordinates each" in table and "perfect" not in table


def test_metrics_agree_with_the_library_and_repeat_by_seed(save):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 3)), rng.standard_normal((300, 3)) + 0.5
    files = ("--real", save("a.npy", x), "--fake", save("b.npy", y.astype(np.float32)), "--draws", 0)
    got, again, other = (as_json(metrics, *files, "--seed", seed) for seed in (1, 1, 2))
    assert got == again and got["sliced_w2_squared"] != other["sliced_w2_squared"]
    y = y.astype(np.float32).astype(float)
    assert got["k"] == 5 and got["coverage"] == neighbours(x, y, 5).coverage
    assert got["w1"] == METRICS["w1"].function(x, y) and set(got["notes"]) == {"parzen"}
    assert got["frechet"] == pytest.approx(METRICS["frechet"].function(x, y))
    assert got["sliced_w2_squared"] == pytest.approx(sliced_w2_squared(x, y, rng=np.random.default_rng(1)))
    assert 0 < got["errors"]["sliced_w2_squared"] < 0.1 * got["sliced_w2_squared"]
    assert got["mmd2"] == METRICS["mmd2"].function(x, y, bandwidth=got["mmd2_bandwidth"])
    assert got["parzen"] == METRICS["parzen"].function(x, y, sigma=None) and got["errors"]["parzen"] > 0
    assert got["kl"] == METRICS["kl"].function(x, y)


def test_metrics_take_the_line_and_columns_alike(save):
    x, y = np.arange(20.0), np.arange(20.0) ** 1.1
    files = (("--real", save(f"{k}a.npy", a), "--fake", save(f"{k}b.npy", b), "--draws", 0)
             for k, (a, b) in enumerate(((x, y), (x[:, None], y[:, None]))))  # fmt: skip
    flat, wide = (as_json(metrics, *names) for names in files)
    flat.pop("read"), wide.pop("read")
    assert flat == wide and flat["w1"] == pytest.approx(np.mean(y - x))
    assert (
        "1 coordinate each" in run(metrics, "--real", save("a.npy", x), "--fake", save("b.npy", y), "--draws", 0).stdout
    )


def test_metrics_of_many_points_compare_some_of_them(save, monkeypatch):
    monkeypatch.setattr("gantoys.commands.metrics.MOST_COMPARED", 50)
    x = np.random.default_rng(0).standard_normal((200, 1))
    got = as_json(metrics, "--real", save("a.npy", x), "--fake", save("b.npy", x[:40]), "--draws", 0)
    assert got["n_real"] == 200 and got["n_compared"] == [50, 40]


def test_too_few_points_for_one_metric_leave_the_others(save):
    x = np.random.default_rng(0).standard_normal((4, 2))
    table = run(metrics, "--real", save("a.npy", x), "--fake", save("b.npy", x + 1), "--draws", 0).stdout
    lines = {line.split("  ")[0]: line for line in table.splitlines()}
    assert lines["precision"].split()[1] == "-" and "k must be a whole number from 1 to 3" in table
    assert lines["Wasserstein-1"].split()[1] == "1.41421"
    with pytest.raises(ValueError, match="equally many coordinates, got 2 and 1"):
        run(metrics, "--real", save("a.npy", x), "--fake", save("b.npy", x[:, :1]))


def test_metrics_stand_beside_a_perfect_generator(save):
    """Draws from the law: the values of the definition, drawn here anew, and a bad generator is outside."""
    toy, rng = "ring(4,radius=2,std=0.2)", np.random.default_rng(8)
    law = parse(toy)
    fake = save("b.npy", law.sample(60, rng) + 1)
    got = as_json(metrics, "--toy", toy, "--fake", fake, "--draws", 120)
    assert got["n_real"] == 60 and got["perfect_points"] == [60, 60]
    fresh = [METRICS["frechet"].function(law.sample(60, rng), law.sample(60, rng)) for _ in range(400)]
    fresh = np.array(fresh)
    band = got["perfect"]["frechet"]
    assert band["draws"] == 120 and band["mean"] == pytest.approx(np.mean(fresh), rel=0.25)
    assert 0.9 < np.mean((fresh >= band["low"]) & (fresh <= band["high"])) < 0.99 and got["frechet"] > band["high"]
    few = run(metrics, "--toy", toy, "--fake", fake, "--draws", 5).stdout
    assert "A perfect generator: draws from the target, 60 real and 60 generated points" in few
    assert "The mean of 5 draws; a band takes at least 39" in few


def test_where_the_law_is_not_known_parts_of_the_real_points_stand_for_it(save):
    x = np.random.default_rng(1).standard_normal((90, 2))
    files = ("--real", save("a.npy", x), "--fake", save("b.npy", x[:30] * 3))
    got = as_json(metrics, *files, "--draws", 39)
    assert got["perfect_points"] == [60, 30] and got["perfect"]["sliced_w2_squared"]["draws"] == 39
    assert got["sliced_w2_squared"] > got["perfect"]["sliced_w2_squared"]["high"]
    table = run(metrics, *files, "--draws", 2).stdout
    assert "a random part of the real points against the others, 60 real and 30 generated points" in table
    assert "have larger distances by chance alone" in table


def test_tables_are_taken_like_arrays_with_columns_and_centring(save, tmp_path):
    rng = np.random.default_rng(2)
    x, y = rng.normal(5, 3, (40, 2)), rng.normal(size=(30, 2))
    rows = [f"{k},{a},word,{b}" for k, (a, b) in enumerate(x)]
    (tmp_path / "a.csv").write_text("\n".join([",length,kind,width", *rows, "40,1.5,word,NA"]))
    (tmp_path / "b.csv").write_text("x;y\n" + "\n".join(f"{a};{b}".replace(".", ",") for a, b in y))
    files = ("--real", tmp_path / "a.csv", "--fake", tmp_path / "b.csv", "--draws", 0)
    got = as_json(metrics, *files)
    assert got["frechet"] == METRICS["frechet"].function(x, y)
    assert "a.csv: 40 points of length, width. Row 42 is left out: no number in length or width." in got["read"]
    one = as_json(metrics, *files, "--columns", "width", "--fake-columns", "2")
    assert one["dim"] == 1 and one["w1"] == METRICS["w1"].function(x[:, 1], y[:, 1])
    level = (x - x.mean(0)) / np.sqrt(np.mean((x - x.mean(0)) ** 2))
    assert as_json(metrics, *files, "--centre")["frechet"] == pytest.approx(METRICS["frechet"].function(level, y))
    got = as_json(modes, "--toy", "ring", "--samples", tmp_path / "b.csv")
    assert got["n"] == 30 and got["counts"] == mode_report(y, parse("ring")).counts.tolist()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "by --real FILE, or their law by --toy"),
        (("--real", "x.npy", "--toy", "ring"), "one of them"),
        (("--toy", "ring", "--centre"), "belong to --real"),
        (("--real", "{}", "--columns", "z"), "there is no column “z”"),
    ],
)
def test_metrics_say_what_real_points_are(save, options, says):
    fake = save("b.npy", np.random.default_rng(0).standard_normal((9, 2)))
    with pytest.raises(ValueError, match=re.escape(says)):
        run(metrics, *(fake if option == "{}" else option for option in options), "--fake", fake)


def test_modes_print_counts_beside_a_perfect_generator_and_noise(save):
    case = CASES["mode_metrics_small_set"]
    path = save("b.npy", case["inputs"]["points"])
    for rule, name in (("pacgan", "ball_hq_only"), ("self-conditioned", "box_all_points")):
        got, want = as_json(modes, "--toy", RING, "--samples", path, "--rule", rule), case["expected"][name]
        assert got["counts"] == want["counts"] and got["modes"] == want["modes"] and got["of"] == 8
        assert got["covered"] == [c > 0 for c in want["counts"]]
        assert got["high_quality"] == pytest.approx(want["high_quality"], abs=1e-12)
        assert got["reverse_kl"] == pytest.approx(want["reverse_KL"], abs=1e-12)
        assert got["rule"] == rule and got["n"] == 12
    perfect = got["perfect"]["high_quality"]
    assert perfect["mean"] == pytest.approx(0.9946076967722628, abs=1e-12) and perfect["exact"] is True
    assert set(got["perfect"]) == set(got["noise"]) == {"modes", "high_quality", "reverse_kl"}
    assert got["noise"]["high_quality"]["mean"] < 0.05
    assert as_json(modes, "--toy", RING, "--samples", path, "--rule", "pacgan", "--seed", 4)["seed"] == 4


@pytest.mark.parametrize("rule", MODE_RULES)
def test_modes_know_every_rule_and_print_a_table(save, rule):
    path = save("b.npy", parse(RING).sample(200, np.random.default_rng(0)))
    out = run(modes, "--toy", RING, "--samples", path, "--rule", rule).stdout
    assert MODE_RULES[rule].label in out and "perfect generator" in out and "nan" not in out


def test_modes_without_a_point_near_them_have_no_reverse_kl(save):
    got = as_json(modes, "--toy", "0.5*N(-2,0.5)+0.5*N(2,0.5)", "--samples", save("b.npy", [50.0, 60.0]))
    assert got["reverse_kl"] is None and got["modes"] == 0 and got["of"] == 2


@pytest.mark.parametrize(
    ("toy", "says"),
    [
        ("moons", "mixtures of normals"),
        ("N(0,1)", "points of 2 coordinates do not fit N(0,1), which has 1"),
        ("ring(", "expected"),
        ("P(0.5,0.5)", "mixtures"),
    ],
)
def test_modes_refuse_targets_without_modes(save, toy, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        run(modes, "--toy", toy, "--samples", save("b.npy", np.zeros((5, 2))))


def test_an_unknown_rule_is_named_with_those_known(save):
    done = run(modes, "--toy", RING, "--samples", save("b.npy", np.zeros((5, 2))), "--rule", "best")
    assert done.exit_code == 2 and "pacgan" in done.output
    assert isinstance(metrics, click.Command) and run(metrics).exit_code == 2


def header(shape, descr="<f8", *, order="False"):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an array"),
        (b"hello, this is text\n" * 20, "not an array"),
        (b"PK\x03\x04" + bytes(100), "not an array"),
        (header("(3,)") + bytes(23), "truncated"),
        (header("(3,)") + bytes(25), "behind its array"),
        (header("(10**9, 2)") + bytes(16), "not an array"),
        (header("(1000000000000, 1000)") + bytes(16), "numbers"),
        (header("(3000000,)") + bytes(16), "at most 2000000"),
        (header("(-1,)"), "not an array"),
        (header("()") + bytes(8), "shape"),
        (header("(0, 2)"), "n >= 1"),
        (header("(1, 2, 1)") + bytes(16), "shape"),
        (header("(2, 5000)") + bytes(80_000), "4096"),
        (header("(2,)", "|O") + bytes(16), "objects"),
        (header("(2,)", "<U4") + bytes(32), "real numbers"),
        (header("(2,)", "<c16") + bytes(32), "real numbers"),
        (header("(2,)", "<M8[s]") + bytes(16), "real numbers"),
        (header("(2,)") + np.array([1.0, np.nan]).tobytes(), "finite"),
        (header("(2,)") + np.array([1.0, -np.inf]).tobytes(), "finite"),
        (b"\x93NUMPY\x03\x00" + bytes(90), "not an array"),
    ],
)
def test_a_file_that_is_no_array_of_points_is_refused_in_a_sentence(tmp_path, content, says):
    path = tmp_path / "b.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as error:
        load_points(path)
    assert "b.npy" in str(error.value) and "\n" not in str(error.value)


def test_object_arrays_are_refused_before_they_are_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "b.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="objects"):
        load_points(tmp_path / "b.npy")
    assert not (tmp_path / "sprung").exists()


def test_a_path_that_is_no_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.npy does not exist"):
        load_points(tmp_path / "missing.npy")
    with pytest.raises(ValueError, match="not a regular file"):
        load_points(tmp_path)
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match="not a regular file"):
        load_points(tmp_path / "pipe.npy")


def test_every_layout_of_an_array_is_read(tmp_path):
    x = np.arange(12).reshape(4, 3)
    for kind in (np.int16, np.uint8, np.float16, np.float32, ">f8"):
        np.save(tmp_path / "b.npy", np.asfortranarray(x.astype(kind)))
        got = load_points(tmp_path / "b.npy")
        assert got.dtype == np.float64 and np.array_equal(got, x)
    with open(tmp_path / "c.npy", "wb") as file:
        np.lib.format.write_array(file, x, version=(2, 0))
    assert np.array_equal(load_points(tmp_path / "c.npy"), x)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 175), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 176))
def test_a_damaged_file_is_points_or_a_sentence(tmp_path, changes, kept):
    good = header("(3, 2)") + np.arange(6.0).tobytes()
    assert len(good) == 176
    damaged = bytearray(good)
    for place, byte in changes:
        damaged[place] = byte
    path = tmp_path / "b.npy"
    path.write_bytes(bytes(damaged[:kept] if kept > 100 else damaged))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            got = load_points(path)
        except ValueError as error:
            assert "b.npy" in str(error)
        else:
            assert got.ndim == 2 and np.all(np.isfinite(got))
