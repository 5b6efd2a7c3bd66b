"""What changes when the divergence changes?"""

from gantoys.ui.first import importing

with importing:
    import streamlit as st

    from gantoys.maths import w1
    from gantoys.maths.assignment import matching
    from gantoys.maths.kantorovich import ascent, cell_gaps, dual_value
    from gantoys.maths.transport import critic
    from gantoys.pictures.wasserstein import WassersteinState
    from gantoys.ui import controls, frame
    from gantoys.ui.critic import Critic

VIEWS = {"plan": "the plan", "dual": "the dual climbs", "trained": "trained critics"}
EXAMPLES = {"lines": "parallel lines", "uniforms": "shifted uniforms", "mixtures": "two mixtures"}


def choose() -> None:
    """Which view, and the pair of laws or the critic in it."""
    if page.lecture:
        return
    view, pair, own = st.columns([1.3, 1.7, 0.8], vertical_alignment="bottom")
    with view:
        controls.choice(page, "show", "Show", names=VIEWS)
    with pair:
        if page.state.show == "trained":
            trained.rules()
        else:
            controls.choice(page, "example", "Laws", names=EXAMPLES)
    if page.state.show == "dual":
        with own:
            controls.switch(page, "draw", "draw the critic yourself")
    if page.state.show == "trained":
        trained.controls()


def more(page: frame.Page[WassersteinState]) -> None:
    """The two mixtures."""
    one, two = st.columns(2)
    with one:
        controls.notation(page, "data", "p_data of the two mixtures")
    with two:
        controls.notation(page, "fake", "p_G of the two mixtures, at θ = 0")


page = frame.open_lesson("wasserstein", WassersteinState)
trained = Critic(page)
page.picture(trained.build, more=more, beside=choose, every=trained.every)
page.rest(code=(w1, critic, matching, cell_gaps, dual_value, ascent), build=trained.build)
