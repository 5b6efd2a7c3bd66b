"""What does the best discriminator look like?"""

from gantoys.ui.first import importing

with importing:
    import streamlit as st

    from gantoys.maths import divergences, optimal_discriminator
    from gantoys.pictures import optimal_discriminator as picture
    from gantoys.ui import controls, frame


def more(page: frame.Page[picture.OptimalState]) -> None:
    """Presets, the data, what the lowest panel shows, and playing D."""
    one, two, three = st.columns([2, 1, 1])
    with one:
        controls.notation(page, "data", "p_data, in the notation of this site")
    with two:
        controls.choice(page, "below", "lowest panel")
    with three:
        controls.switch(page, "play", "play D: draw your own")
    controls.presets(page, picture.PRESETS, "presets of p_G")


page = frame.open_lesson("optimal-discriminator", picture.OptimalState)
page.picture(frame.same(picture.scene), more=more)
page.rest(code=(optimal_discriminator, divergences), build=picture.scene)
