"""Can you beat the best discriminator?"""

from gantoys.ui.first import importing

with importing:
    import streamlit as st

    from gantoys.maths import best_generator, ledger_finite, optimal_discriminator
    from gantoys.pictures import game as picture
    from gantoys.pictures.game_state import FEWEST, MOST, PRESETS, GameState, outcomes
    from gantoys.ui import controls, frame


def play() -> None:
    """Who the student is, and the answer."""
    if page.lecture:
        return
    who, answer = st.columns([1, 2], vertical_alignment="bottom")
    with who:
        controls.choice(page, "role", "You play")
    with answer:
        controls.switch(page, "reveal", "Reveal the best answer and what it is worth")


def more(page: frame.Page[GameState]) -> None:
    """The two distributions and D as numbers."""
    controls.presets(page, PRESETS, "pairs of p_data and p_G")
    counts = range(FEWEST, MOST + 1)
    controls.presets(page, {str(k): outcomes(k) for k in counts}, "number of outcomes")
    one, two, three = st.columns(3)
    with one:
        controls.notation(page, "data", "p_data")
    with two:
        controls.notation(page, "fake", "p_G")
    with three:
        controls.notation(page, "d", "D's answers (empty: ½ to each)")
    st.markdown(picture.table(page.state))


page = frame.open_lesson("game", GameState)
page.picture(frame.same(picture.scene), more=more, beside=play)
page.rest(code=(ledger_finite, optimal_discriminator, best_generator), build=picture.scene)
