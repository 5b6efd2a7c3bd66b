"""A widget whose value also changes elsewhere: what counts as a touch of it, and what does not."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from gantoys.ui import held

    def adopt(value: float) -> None:
        if value < 50:  # more is not allowed
            st.session_state["value"] = value

    def elsewhere(value: float) -> None:
        st.session_state["value"] = value

    st.session_state.setdefault("value", 1.0)
    key = held.key_of("number", st.session_state["value"])
    st.number_input("value", 0.0, 100.0, key=key, on_change=held.by_hand, args=("number", key, adopt))
    st.button("seven", on_click=elsewhere, args=(7.0,))
    st.button("eight", on_click=elsewhere, args=(8.0,))


def both(app: AppTest) -> tuple[float, float]:
    assert not app.exception
    return app.session_state["value"], app.number_input[0].value


def test_a_request_that_was_on_its_way_takes_nothing_back_and_a_touch_counts_whenever_it_comes():
    app = AppTest.from_function(page).run()
    assert both(app) == (1, 1)
    app.number_input[0].set_value(2.0).run()
    assert both(app) == (2, 2)
    old = app._tree.get_widget_states()
    for press in range(2):
        app.button[press].click().run()
        assert both(app) == (7 + press, 7 + press)
        del old.widgets[1:]
        app._run(old)
        assert both(app) == (7 + press, 7 + press)
    app.number_input[0].set_value(3.0).run()
    assert both(app) == (3, 3)

    old = app._tree.get_widget_states()
    del old.widgets[1:]
    app.button[0].click().run()
    old.widgets[0].double_value = 4.0  # a hand on the widget that the browser still has
    for _ in range(2):
        app._run(old)
        assert both(app) == (4, 4)
    app.button[0].click().run()
    app._run(old)
    assert both(app) == (7, 7)


def test_what_is_not_adopted_is_not_shown():
    app = AppTest.from_function(page).run()
    app.number_input[0].set_value(60.0).run()
    assert both(app) == (1, 1)
    app.number_input[0].set_value(60.0).run()
    assert both(app) == (1, 1)
    app.number_input[0].set_value(5.0).run()
    assert both(app) == (5, 5)
