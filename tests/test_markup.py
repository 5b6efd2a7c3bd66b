"""Every text that the stage writes is read by its markup without a sign left over; a lesson's formulas are set as such.

The stage's markup is told in `gantoys.stage.scene`; its reader is JavaScript (`parseRuns` in stage.js). Here it is read
a second time, and all texts of the pictures are found in their source.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT, text

from gantoys.lessons import KEYS

PICTURES = sorted((ROOT / "gantoys" / "pictures").rglob("*.py"))
ROLES = ("real", "fake", "disc", "theory", "muted", "accent", "warn", "text")


def closing(s: str, start: int, pair: str) -> int:
    """Where the bracket that opens at `start` is closed again; -1 if nowhere."""
    depth = 0
    for i in range(start, len(s)):
        if i and s[i - 1] == "\\":
            continue
        depth += {pair[0]: 1, pair[1]: -1}.get(s[i], 0)
        if depth == 0:
            return i
    return -1


def left_over(s: str) -> str:
    """What the stage writes as it stands: # for a live number, ~ for what is set in italics or as a script."""
    out, i = "", 0
    while i < len(s):
        c, inner, mark, end = s[i], None, "", -1
        if c == "\\" and i + 1 < len(s):
            i += 2
            continue
        if c in "_^" and s[i + 1 : i + 2] == "{" and (end := closing(s, i + 1, "{}")) > 0:
            inner, mark = s[i + 2 : end], "~"
            inner = "" if inner == "*" else inner
        elif c == "{" and (end := s.find("}", i)) > 0:
            inner, mark = "", "#"
        elif c == "[" and (end := closing(s, i, "[]")) > 0 and s[i:end].rpartition("|")[2] in ROLES:
            inner = s[i + 1 : s.rindex("|", i, end)]
        elif c == "*" and not (i and re.match(r"[\w)\]}]", s[i - 1])) and re.match(r"[^\s*]", s[i + 1 : i + 2]):
            end = s.find("*", i + 1)
            if end > 0 and s[end - 1] != " ":
                inner, mark = "" if s[i + 1 : end].isalpha() else s[i + 1 : end], "~"
        if inner is None:
            out, i = out + c, i + 1
        else:
            out, i = out + mark + left_over(inner), end + 1
    return out


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ("*t*/(1 − 2 *t*)", "~/(1 − 2 ~)"),
        ("*t*/(1 − 2*t*)", "~/(1 − 2*t*)"),
        ("[*D*^{*}(*x*)|disc] = {value:.3f}", "~~(~) = #"),
        ("½(√*u* − 1)^{2}", "½(√~ − 1)~2"),
        ("−½ log(2 − e^{2 *t*})", "−½ log(2 − e~2 ~)"),
        ("*h v*(*w*)", "~h v(~)"),
        ("[no role|here]", "[no role|here]"),
    ],
)
def test_the_reader_takes_away_what_the_stage_sets(markup: str, left: str) -> None:
    assert left_over(markup) == left


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module's source, with a sign where a value is put in; docstrings are none."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said | inside:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: str(path.relative_to(ROOT / "gantoys/pictures")))
def test_no_text_of_a_picture_shows_a_sign_of_the_markup(path: Path) -> None:
    # 0.5*N(-2,0.7) and D* in plain words are shown as they are; what has ** or | is Markdown
    kept = re.compile(r"[\d.]+\*(?=[A-Z]+\(|ring)|\b[Df]\*(?!\w)|\\?\*(?=$)")
    bad = [
        (line, markup)
        for line, markup in strings(path)
        if "| " not in markup and "**" not in markup and re.search(r"[*^]|_\{", kept.sub("", left_over(markup)))
    ]
    assert bad == []


@pytest.mark.parametrize("key", KEYS)
def test_no_text_of_a_lesson_shows_a_formula_s_source(key: str) -> None:
    """Outside dollars there is no script and no backslash, but for one before a bar in a table."""
    source = text(ROOT / "gantoys" / "lessons" / f"{key}.toml").replace("\\\\", "\\")
    plain = re.sub(r"\$\$.*?\$\$|\$.*?\$", "", source, flags=re.S).replace("\\|", "|")
    assert re.findall(r".*(?:[\^_]\{|\\[a-z]).*", plain) == []
