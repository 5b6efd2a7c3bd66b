"""Why does the generator stop learning when D is good?"""

from gantoys.ui.first import importing

with importing:
    import streamlit as st

    from gantoys.maths import LOSSES, generator_gradients, gradient_flow, sample_gradients
    from gantoys.maths.noisy import noisy_gradients
    from gantoys.pictures import generator_gradients as picture
    from gantoys.pictures.generator_gradients.vanishing import felt
    from gantoys.ui import controls, frame
    from gantoys.ui.frozen import Frozen

VIEWS = {
    "separation": "gradients",
    "losses": "the losses",
    "race": "let go of G",
    "frozen": "freeze G, train D",
    "noisy": "a noisy D",
}
LABELS = {key: row.label for key, row in LOSSES.items()}


def views() -> None:
    """The choice of a view."""
    controls.choice(page, "show", "Show", names=VIEWS)


def choose() -> None:
    """Which view, and the two losses in it."""
    if page.lecture:
        return
    if page.state.show == "frozen":
        frozen.controls(views)
        return
    if page.state.show == "noisy":
        views()
        return
    view, one, two = st.columns([2.4, 1, 1], vertical_alignment="bottom")
    with view:
        views()
    with one:
        controls.menu(page, "loss", "first loss of G", names=LABELS)
    with two:
        controls.menu(page, "other", "second loss of G", names=LABELS)


def more(page: frame.Page[picture.GradientState]) -> None:
    """The data, the spread of p_G, and what the losses are drawn against."""
    controls.presets(page, picture.PRESETS, "data with a name")
    one, two, three = st.columns([2, 1, 1])
    with one:
        controls.notation(page, "data", "p_data, in the notation of this site")
    with two:
        controls.number(page, "scale", "standard deviation of p_G", step=0.1)
    with three:
        controls.choice(page, "against", "the losses against")


page = frame.open_lesson("generator-gradients", picture.GradientState)
frozen = Frozen(page)
page.picture(frozen.build, more=more, beside=choose, every=frozen.every)
page.rest(
    code=(
        generator_gradients,
        sample_gradients,
        "maths/losses.py:LOSSES",
        gradient_flow,
        felt,
        noisy_gradients,
        "training/autograd.py:gradient",
    ),
    build=frozen.build,
)
