"""What the README shows is what the code does: its example, its command lines, its tables, its picture, its links."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from tree import ROOT, text

from gantoys.__main__ import main
from gantoys.lessons import KEYS, load
from gantoys.maths import DIVERGENCES, LOSSES, TOYS

README = text(ROOT / "README.md")
ARCHITECTURE = text(ROOT / "docs/architecture.md")
DOCUMENTS = ("README.md", "CHANGELOG.md", "docs/architecture.md", "docs/deploy.md")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def section(title: str) -> str:
    """The README's text under a heading of the second level."""
    return re.split(r"^## ", README.split(f"## {title}\n")[1], flags=re.M)[0]


def table(title: str) -> list[str]:
    """The rows of the first table under a heading, without its head."""
    return [line for line in section(title).splitlines() if line.startswith("|")][2:]


# The first screen


def test_the_first_screen_holds_a_sentence_the_picture_both_commands_and_the_example() -> None:
    order = ["# gantoys", "docs/start-dark.gif", "docs/start-light.gif", "make app", "make test", "```python"]
    places = [README.index(word) for word in order]
    assert places == sorted(places)
    assert README[: places[-1]].count("\n") < 40
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 10


def test_the_example_prints_what_the_readme_says() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert printed.getvalue() == blocks("text")[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_moving_picture_repeats_and_stays_small(scheme: str) -> None:
    path = ROOT / "docs" / f"start-{scheme}.gif"
    assert path.stat().st_size <= 1_500_000
    with Image.open(path) as picture:
        assert picture.n_frames >= 30  # type: ignore[attr-defined]
        assert picture.info["loop"] == 0
        assert 480 <= picture.width <= 720
        ground = picture.convert("RGB").getpixel((0, 0))
    assert isinstance(ground, tuple)
    assert (sum(ground) > 3 * 250) if scheme == "light" else (sum(ground) < 3 * 40)


# The command line


def shown() -> list[tuple[list[str], str]]:
    """The README's command lines, each with what stands under it."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return [(shlex.split(line), answer) for line, _, answer in (part.partition("\n") for part in parts)]


def of(command: str) -> list[tuple[list[str], str]]:
    return [(words[1:], answer) for words, answer in shown() if words[:2] == ["gantoys", command]]


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "answer"), of("compare") + of("gradients"), ids=" ".join)
def test_a_command_prints_what_the_readme_says(
    arguments: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(arguments, capsys) == answer


def test_the_losses_are_those_that_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    ((arguments, answer),) = of("losses")
    lines = printed(arguments, capsys).splitlines()
    assert answer.splitlines()[-1] == "..."
    assert lines[: answer.count("\n") - 1] == answer.splitlines()[:-1]


def test_a_short_training_ends_with_a_line_like_the_one_in_the_readme(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ((arguments, answer),) = of("train")
    short = {"--steps": "40", "--film": str(tmp_path / "ring.film")}
    for option, value in short.items():
        arguments[arguments.index(option) + 1] = value
    line = printed(arguments, capsys).replace(str(tmp_path / "ring.film"), "ring.film")
    numbers = re.compile(r"\d+(\.\d+)?(?= steps/s| steps|  ?of 8)")
    assert numbers.sub("N", line) == numbers.sub("N", answer)


def test_every_command_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    listed = re.findall(r"^  (\w+)  ", printed(["--help"], capsys).split("Commands:")[1], re.M)
    assert listed == [command for command in listed if of(command)] != []


# The tables


def test_the_table_of_losses_is_the_one_of_the_code() -> None:
    want = []
    for row in LOSSES.values():
        d, g = row.formula.split(r",\qquad G:\ ")
        want.append(f"| `{row.key}` | $`{d}`$ | $`{g}`$ | {row.descends} | {row.reference} |")
    assert table("Losses") == want


def test_the_table_of_divergences_is_the_one_of_the_code() -> None:
    rows = [row for row in DIVERGENCES.values() if row.key != "value"]
    most = {float("inf"): "∞", 1.0: "1"}
    want = [f"| `{r.key}` | {r.label} | $`{r.formula}`$ | {most.get(r.bound, 'log 2')} |" for r in rows]
    assert table("Divergences") == want


def test_the_readme_names_every_target() -> None:
    assert set(re.findall(r"`([a-z]+)`", section("Distributions").split("Named targets:")[1])) >= set(TOYS)


def test_the_readme_lists_the_lessons_in_their_order_with_their_questions() -> None:
    want = [f"| `{key}` | {load(key).question} | {load(key).minutes} min |" for key in KEYS]
    assert table("Lessons") == want


# All documents


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_of_a_document_leads_to_a_file(document: str) -> None:
    path = ROOT / document
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text(path)) + re.findall(r'src(?:set)?="([^"]+)"', text(path))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_no_place_of_one_machine(document: str) -> None:
    assert re.findall(r"/(?:work|home|root|tmp|Users)/\S*|localhost:\d+|shared/\S+", text(ROOT / document)) == []


# The map of the house


def packages() -> set[str]:
    return {path.parent.name for path in (ROOT / "gantoys").glob("*/__init__.py")}


def test_every_package_of_the_map_exists_and_every_package_is_on_it() -> None:
    floors = ARCHITECTURE.split("```")[1]
    assert set(re.findall(r"gantoys/(\w+)/", floors)) == packages()
    assert {"app.py", "pages/*.py", "gantoys/__main__.py"} <= set(floors.split())


def test_the_map_numbers_the_floors_as_the_code_keeps_them() -> None:
    import test_floors

    numbers = {
        name.rstrip("/").replace("/", "."): int(number)
        for number, names in re.findall(r"^ *(\d)  +(.+?)(?:   .*)?$", ARCHITECTURE.split("```")[1], re.M)
        for name in re.findall(r"gantoys/\w+/|pages|app", names)
    }
    assert {key: test_floors.FLOORS[key] for key in numbers} == numbers


def test_every_path_of_the_map_exists() -> None:
    paths = re.findall(r"`((?:gantoys|pages|tests|scripts|benchmarks|docs|deploy)/[\w./-]+)`", ARCHITECTURE)
    assert paths and [path for path in paths if not (ROOT / path).exists()] == []


def test_every_module_stands_on_the_map() -> None:
    listed = ARCHITECTURE.split("## Modules\n")[1].split("\n## ")[0]
    named = {
        (package, module)
        for package, modules in re.findall(r"\*\*`gantoys/(\w+)/`\*\*: (.*?)(?:\n\n|\Z)", listed, re.S)
        for module in re.findall(r"(?:^|; |;\n)`(\w+)`", modules)
    }
    files = [*(ROOT / "gantoys").glob("*/*.py"), *(path.parent for path in (ROOT / "gantoys").glob("*/*/__init__.py"))]
    assert named == {(path.parent.name, path.stem) for path in files if path.stem != "__init__"}
