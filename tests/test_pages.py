"""Every page in Streamlit's own test driver: it opens, its chips ask first and then move, a bad link is named."""

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from gantoys.lessons import KEYS, load
from gantoys.pictures import opening
from gantoys.pictures.state import write
from gantoys.stage import component, pack
from gantoys.stage.pack import seal
from gantoys.ui.frame import _in_roles

APP = str(Path(__file__).parents[1] / "app.py")


def opened(key: str, **params: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    _open_drawers(app, key)
    app.run()
    if key != KEYS[0]:
        _open_drawers(app, key)
        app.switch_page(f"pages/{key}.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
    assert not app.exception
    return app


def _open_drawers(app: AppTest, key: str) -> None:
    """What is closed is not sent."""
    for drawer in ("code", "more"):
        app.session_state[f"{drawer}:{key}"] = True


def link(app: AppTest) -> dict[str, str]:
    return {k: v[0] if isinstance(v, list) else v for k, v in dict(app.query_params).items()}


def sent(app: AppTest) -> WidgetStates:
    """What a browser sends of this page until it has heard of newer values: of a button only that it was pressed."""
    states = app._tree.get_widget_states().widgets
    return WidgetStates(widgets=[state for state in states if state.WhichOneof("value") != "trigger_value"])


def test_every_lesson_has_a_first_picture():
    assert set(opening.PICTURES) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_page_opens_with_its_question_and_all_its_parts_and_a_picture_that_was_made_ahead(key, monkeypatch):
    opening.PICTURES[key](), opening.PICTURES["start"]()
    made = []
    for home in (pack, component):
        monkeypatch.setattr(home, "seal", lambda scene, **_: made.append(scene.key) or seal(scene))
    app, words = opened(key), load(key)
    assert made == []  # neither of this page nor of the one it was reached from
    assert words.question in app.title[0].value if app.title else any(words.question in m.value for m in app.markdown)
    text = "\n".join([*(s.value for s in app.subheader), *(m.value for m in app.markdown)])
    assert all(part in text for part in ("What you see", words.explanation, "Check yourself", *words.reading))
    assert words.mistake in app.warning[0].value
    assert len(app.radio) >= len(words.checks) and app.code


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("chip", [0, 1, 2])
def test_a_chip_asks_for_a_prediction_and_then_shows_its_state(key, chip):
    app, words = opened(key), load(key)
    row = words.tries[chip]
    shown = sent(app)
    app.button(key=f"try-{chip}:{key}").click().run()
    assert not app.exception and any(_in_roles(row.ask) in m.value for m in app.markdown)
    before = link(app)
    wrong = (row.right + 1) % len(row.options)
    app.button(key=f"guess-{chip}-{wrong}:{key}").click().run()
    assert not app.exception
    said = app.info[0].value
    assert row.options[row.right] in said and _in_roles(row.explain) in said
    model = type(app.session_state[f"state:{key}"])
    wanted = model(**row.state)
    assert app.session_state[f"state:{key}"] == wanted
    for _ in range(2):
        app._run(shown)  # was on its way when the chip was answered
        assert not app.exception and app.session_state[f"state:{key}"] == wanted
    assert link(app) == write(wanted) or before == link(app) == write(wanted)


@pytest.mark.parametrize("key", KEYS)
def test_every_answer_of_every_question_is_explained(key):
    app, words = opened(key), load(key)
    for i, question in enumerate(words.checks):
        for at, option in enumerate(question.options):
            app.radio(key=f"check-{i}:{key}").set_value(option).run()
            assert not app.exception
            boxes = [b.value for b in (app.success if at == question.right else app.error)]
            assert _in_roles(question.explain[at]) in boxes


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_link_names_the_parameter_and_opens_the_default(key):
    app = opened(key, nope="1")
    assert any("nope" in w.value and "known are" in w.value for w in app.warning)
    state = app.session_state[f"state:{key}"]
    assert state == type(state)()


@pytest.mark.parametrize("key", KEYS)
def test_lecture_view_shows_question_stage_and_chips_only(key):
    app = opened(key, view="lecture")
    assert not app.subheader and not app.code and not app.expander
    assert [b for b in app.button if b.key and b.key.startswith("try-")]


def test_the_path_leads_to_every_lesson():
    app = opened("start")
    text = " ".join([m.value for m in app.markdown] + [c.value for c in app.caption])
    for key in KEYS[1:]:
        assert load(key).summary in text


def test_no_page_brings_torch_into_the_process():
    """In a process of its own: this one has met torch in other tests."""
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({APP!r}, default_timeout=60).run()\n"
        f"for key in {KEYS[1:]!r}:\n"
        "    app.switch_page(f'pages/{key}.py').run()\n"
        "    assert not app.exception, app.exception\n"
        "assert 'torch' not in sys.modules and 'gantoys.training' not in sys.modules\n"
        "print('clean')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=Path(APP).parent
    )
    assert done.stdout.strip().endswith("clean"), done.stderr[-2000:]
