"""Which distance should a GAN minimise?"""

from gantoys.ui.first import importing

with importing:
    from contextlib import nullcontext

    import streamlit as st

    from gantoys.maths import divergence_slopes, divergences, w1
    from gantoys.maths.fisher import fisher_divergence
    from gantoys.maths.fit import fit_normal
    from gantoys.pictures import divergences as picture
    from gantoys.stage.pack import Packed, packed
    from gantoys.ui import controls, frame

VIEWS = {"sweep": "all divergences", "fit": "the best Gaussian", "paradigms": "four bargains"}


def choose() -> None:
    """Which view and which divergence, and the places worth going to."""
    if page.lecture:
        return
    view, one = st.columns([1.6, 1], vertical_alignment="bottom")
    with view:
        controls.choice(page, "show", "Show", names=VIEWS)
    if page.state.show == "paradigms":
        st.markdown(picture.TABLE)
        return
    with one:
        controls.menu(page, "divergence", "divergence", names=picture.LABELS)
    if page.state.show == "sweep":
        controls.presets(page, picture.PRESETS, "p_data and p_G")
        return
    if places := picture.places(page.state):
        controls.presets(page, places, "go to a minimum of this divergence")
    st.caption(
        "Nowozin et al. 2016, table 2, beside the same fits computed here. Their “JS” is 2 JS, their Pearson "
        "∫(p−q)²/q; their mixture is not printed, it was recovered from the numbers."
    )
    st.markdown(picture.paper_table())


def more(page: frame.Page[picture.DivergenceState]) -> None:
    """The data, and what p_G is made of."""
    controls.presets(page, picture.DATA, "data with a name")
    one, two = st.columns([2, 1])
    with one:
        controls.notation(page, "data", "p_data, in the notation of this site")
    with two:
        controls.choice(page, "halves", "halves of p_G")


def clicked(_: str, x: float, y: float) -> None:
    """The map of the fit was clicked."""
    page.change(**picture.clicked(page.state, x, y))


def build(state: picture.DivergenceState) -> Packed:
    """The picture; fits to new data can take a second, which is then said."""
    with st.spinner("Fitting …") if state.show == "fit" else nullcontext():
        return packed(picture.scene, state)


page = frame.open_lesson("divergences", picture.DivergenceState)
page.picture(build, more=more, beside=choose, on_click=clicked)
page.rest(
    code=("maths/divergences.py:DIVERGENCES", divergences, divergence_slopes, w1, fit_normal, fisher_divergence),
    build=picture.scene,
)
