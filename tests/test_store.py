"""The store: what is found there is whole and what was asked for, and all of it stays within its size."""

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from gantoys.runs import limits, state_file
from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import FilmWriter, frame_fields, static_fields
from gantoys.runs.groups import groups
from gantoys.runs.store import Store, held_once, numbered, store_bytes

ROOT = Path(__file__).resolve().parents[1]
CONFIG = TrainConfig(steps=1000, frames=3, grid=4, shown=16)
ONE = range(1)
TYPES = ["<f4", "<f8", "<f2", "<i8", "<i4", "|u1", "|b1", "<u8"]


def write(path: Path, config: TrainConfig = CONFIG, member: int = 0, status: str = "done") -> Path:
    statics = {f.name: np.zeros(f.shape) for f in static_fields(config)}
    film = FilmWriter(path, config, statics, member=member, part=path.with_suffix(".writing"))
    for step in config.recorded_steps():
        film.append({f.name: np.zeros(f.shape) for f in frame_fields(config)} | {"step": step}, 0.0)
    return film.finish(status)


def keep(store: Store, config: TrainConfig, *steps: int, members: range = ONE) -> None:
    for step in steps:
        store.keep(config, members, step, {"w": np.full(8, step, np.float32), "step": np.array(step)}, step / 100)


def found(store: Store, config: TrainConfig, step: int, members: range = ONE) -> int | None:
    state = store.state_before(config, members, step)
    assert state is None or (np.all(state.arrays["w"] == state.step) and state.seconds == state.step / 100)
    return None if state is None else state.step


# --- the file of a state


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9).filter(lambda name: name != "__metadata__"),
        st.sampled_from(TYPES).flatmap(lambda t: arrays_of.arrays(t, arrays_of.array_shapes(min_dims=0, min_side=0))),
        max_size=4,
    )
)
@settings(max_examples=40)
def test_a_state_comes_back_bit_for_bit_with_its_types_and_shapes(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.state"
    size = state_file.save(path, arrays, {"step": 3})
    assert size == path.stat().st_size
    back, meta = state_file.load(path, {name: a.shape for name, a in arrays.items()})
    assert meta == {"step": 3} and set(back) == set(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable


def test_an_array_that_lies_otherwise_in_memory_is_kept_by_its_values(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)
    state_file.save(tmp_path / "a.state", {"t": array.T, "part": array[:, ::2], "back": array[::-1]})
    back, _ = state_file.load(tmp_path / "a.state")
    for name, want in (("t", array.T), ("part", array[:, ::2]), ("back", array[::-1])):
        np.testing.assert_array_equal(back[name], want)


def test_one_wrong_byte_anywhere_or_a_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    state_file.save(path, {"w": np.arange(5.0)}, {"step": 1})
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"a\.state"):
            state_file.load(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.state"):
            state_file.load(path)


def test_a_file_with_a_right_checksum_and_wrong_inside_is_a_sentence(tmp_path: Path) -> None:
    import hashlib
    import struct

    from safetensors.numpy import save

    path, good = tmp_path / "a.state", save({"w": np.zeros(3)})
    for text, payload in ((b"[]", good), (b"{", good), (b"{}", b"\xff" * 9), (b"{}", b""), (b"[" * 20_000, good)):
        inside = struct.pack("<I", len(text)) + text + payload
        path.write_bytes(state_file.MAGIC + hashlib.sha256(inside).digest() + inside)
        with pytest.raises(ValueError, match="cannot be read"):
            state_file.load(path)


def test_a_state_of_other_shapes_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.state"
    state_file.save(path, {"w": np.zeros(3)})
    for shapes in ({"w": (4,)}, {"v": (3,)}, {"w": (3,), "v": (1,)}, {}):
        with pytest.raises(ValueError, match="does not fit"):
            state_file.load(path, shapes)
    monkeypatch.setattr(limits, "STATE_BYTES", 100)
    monkeypatch.setattr(state_file, "HEADER_BYTES", 0)
    with pytest.raises(ValueError, match="bytes, at most 100 are read"):
        state_file.load(path)
    with pytest.raises(ValueError, match="is not kept"):
        state_file.save(path, {"w": np.zeros(100)})
    assert os.listdir(tmp_path) == ["a.state"]


# --- films


def test_each_seed_of_a_config_has_its_own_film(tmp_path: Path) -> None:
    store, three = Store(tmp_path), CONFIG.changed(seeds=3)
    assert not store.has(three)
    for member in range(3):
        write(store.path(three, member), three, member)
    assert store.has(three) and not store.has(CONFIG)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{three.digest()}-{k}.film" for k in range(3)]
    assert [getattr(store.find(three, k), "seed", None) for k in range(3)] == [0, 1, 2]
    assert store.path(CONFIG) == store.path(CONFIG, 0) == tmp_path / f"{CONFIG.digest()}.film"


def test_a_class_that_looks_at_one_film_holds_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store.path(CONFIG))
    first, again = store.find(CONFIG), Store(tmp_path).find(CONFIG)
    assert first is not None and again is first
    write(store.path(CONFIG), status="diverged")
    other = store.find(CONFIG)
    assert other is not None and other is not first and other.status == "diverged"
    film = replace(first, loss_d=first.loss_d + 1)
    assert held_once(film) is film and held_once(replace(film, loss_d=film.loss_d)) is film


@pytest.mark.parametrize("fault", ["cut", "byte", "config", "member", "stopped", "empty", "more"])
def test_a_film_that_is_not_whole_or_another_is_removed_and_not_served(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    store, two = Store(tmp_path), CONFIG.changed(seeds=2)
    path = store.path(two, 1)
    if fault == "stopped":
        os.replace(write(path, two, 1, "stopped"), path)
    else:
        write(path, two.changed(seed=5) if fault == "config" else two, 0 if fault == "member" else 1)
    data = path.read_bytes()
    flipped = data[:-300] + bytes([data[-300] ^ 1]) + data[-299:]
    path.write_bytes({"cut": data[:-1], "byte": flipped, "empty": b"", "more": data + b"x"}.get(fault, data))
    assert store.find(two, 1) is None and not path.exists()
    assert "removed" in caplog.text


# --- states


def test_the_newest_state_up_to_a_step_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert found(store, CONFIG, 1000) is None
    keep(store, CONFIG, 256, 512, 768)
    assert [found(store, CONFIG, k) for k in (0, 255, 256, 511, 512, 1000)] == [None, None, 256, 256, 512, 768]
    assert found(store, CONFIG.changed(seed=1), 1000) is None
    keep(store, CONFIG.changed(seeds=16), 256, members=range(8, 16))
    assert found(store, CONFIG.changed(seeds=16), 300) is None
    assert found(store, CONFIG.changed(seeds=16), 300, range(8, 16)) == 256


def test_longer_runs_and_branches_share_the_states_of_what_they_have_in_common(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keep(store, CONFIG, 256, 512, 768)
    branch = CONFIG.branched(512, lr_d=0.1)
    assert found(store, CONFIG.changed(steps=5000, frames=9), 5000) == 768
    assert found(store, branch, 1000) == 512, "the change comes after step 512"
    keep(store, branch, 768)
    assert found(store, branch, 1000) == 768 and found(store, branch.branched(700, lr_d=0.2), 1000) == 512
    assert found(store, CONFIG, 1000) == 768


def test_a_damaged_state_is_removed_and_the_one_before_serves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    keep(store, CONFIG, 256, 512)
    newest = next(store.states.glob("*-512.state"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert found(store, CONFIG, 1000) == 256 and not newest.exists() and "removed" in caplog.text
    # one under a wrong name
    oldest = next(store.states.glob("*-256.state"))
    oldest.rename(newest.with_name(newest.name.replace(newest.name[:64], CONFIG.training_digest(512))))
    assert found(store, CONFIG, 1000) is None and not os.listdir(store.states)


def test_a_full_disk_leaves_nothing_half_and_says_so(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write fails in the same place."""
    code = (
        "import sys, numpy as np; from pathlib import Path; from gantoys.runs.config import TrainConfig\n"
        "from gantoys.runs.store import Store\n"
        "try: Store(Path(sys.argv[1])).keep(TrainConfig(), range(1), 64, {'w': np.zeros(100_000)}, 1.0)\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$0" -c "$1" "$2"', sys.executable, code, tmp_path],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "large" in done.stdout and os.listdir(tmp_path / "states") == []


# --- the size


def aged(path: Path, seconds: int) -> Path:
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))
    return path


def test_what_has_not_been_used_for_longest_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    configs = [CONFIG.changed(seed=k) for k in range(4)]
    films = [aged(write(store.path(c), c), 100 - 10 * k) for k, c in enumerate(configs)]
    keep(store, CONFIG, 256)
    state = aged(next(store.states.iterdir()), 95)  # between the first film and the second
    size = films[0].stat().st_size
    assert store.find(configs[0]) is not None, "used just now"
    store.size = 3 * size + size // 2
    store.trim()
    assert [film.exists() for film in films] == [True, False, True, True] and not state.exists()
    store.size = 2 * size + size // 2
    store.trim()
    assert [film.exists() for film in films] == [True, False, False, True]


def test_a_store_that_is_written_to_stays_within_its_size(tmp_path: Path) -> None:
    store = Store(tmp_path, size=100_000)
    for step in range(1, 60):
        store.keep(CONFIG, ONE, step, {"w": np.zeros(1000), "step": np.array(step)}, 0)
        assert sum(p.stat().st_size for p in store.states.iterdir()) <= 100_000
    kept = sorted(int(p.stem.split("-")[-1]) for p in store.states.iterdir())
    assert len(kept) >= 5 and kept == list(range(60 - len(kept), 60)), "the newest ones"


def test_growing_films_and_strangers_files_stay(tmp_path: Path) -> None:
    store = Store(tmp_path, size=1)
    growing, old = store.part(CONFIG), aged_part(store)
    growing.write_bytes(b"x" * 100)
    strangers = [tmp_path / "out.film", tmp_path / "notes.txt", tmp_path / "0123.state"]
    for path in strangers:
        path.write_bytes(b"mine")
    film = write(store.path(CONFIG))
    store.trim()
    assert not film.exists() and not old.exists()
    assert growing.exists() and all(path.exists() for path in strangers)


def aged_part(store: Store) -> Path:
    path = store.part(CONFIG)
    path.write_bytes(b"x")
    return aged(path, 90_000)


def test_several_processes_may_write_and_remove_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from gantoys.runs.config import TrainConfig\n"
        "from gantoys.runs.store import Store\n"
        "store = Store(Path(sys.argv[1]), size=60_000); me = int(sys.argv[2])\n"
        "config = TrainConfig(steps=1000, seed=me)\n"
        "for step in range(1, 120):\n"
        "    store.keep(config, range(1), step, {'w': np.full(500, step), 'step': np.array(step)}, 0)\n"
        "    other = store.state_before(TrainConfig(steps=1000, seed=1 - me), range(1), 1000)\n"
        "    assert other is None or (other.arrays['w'] == other.step).all()\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(k)], cwd=ROOT) for k in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    names = os.listdir(tmp_path / "states")
    assert names and all(name.endswith(".state") for name in names)
    assert sum((tmp_path / "states" / name).stat().st_size for name in names) <= 60_000


@pytest.mark.parametrize(("given", "size"), [("5", 5 * 2**20), (" 7 ", 7 * 2**20), ("", limits.STORE_BYTES)])
def test_the_environment_sets_the_size(monkeypatch: pytest.MonkeyPatch, given: str, size: int) -> None:
    monkeypatch.setenv("GANTOYS_STORE_MB", given)
    assert store_bytes() == size


@pytest.mark.parametrize("given", ["0", "-1", "many", "1e3", "1.5", "9" * 30])
def test_a_size_that_is_none_is_one_line_in_the_log_and_the_default(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, given: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("GANTOYS_STORE_MB", given)
    with caplog.at_level(logging.WARNING):
        assert Store(tmp_path).size == limits.STORE_BYTES
    assert len(caplog.records) == 1 and "GANTOYS_STORE_MB" in caplog.text


# --- groups


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ({"seeds": 16, "width": 64}, [8, 8]),
        ({"seeds": 9, "width": 32}, [8, 1]),
        ({"seeds": 3, "width": 65}, [1, 1, 1]),
        ({"seeds": 3, "width": 32, "width_d": 128}, [1, 1, 1]),
        ({"seeds": 3, "width": 128, "width_d": 32}, [1, 1, 1]),
        ({"seeds": 1, "width": 8}, [1]),
    ],
)
def test_narrow_networks_go_by_eight_and_wide_ones_alone(fields: dict[str, int], sizes: list[int]) -> None:
    made = groups(TrainConfig.build({"steps": 10} | fields))
    assert [len(group) for group in made] == sizes
    assert [m for group in made for m in group] == list(range(fields["seeds"]))


def test_numbers_stand_before_the_suffix() -> None:
    assert numbered(Path("a/out.film"), 3) == Path("a/out-3.film")
    assert numbered(Path("a.b.part"), 0) == Path("a.b-0.part")
