"""The picture of the optimal-discriminator lesson done with st.slider and st.plotly_chart, for comparison.

The same curves from the same library, in a fragment, which is the fastest that plain widgets allow. Only the state on
screen is computed, not a sweep.
"""

import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gantoys.maths import DIVERGENCES, Mixture1D, divergences, optimal_discriminator, parse
from gantoys.pictures import optimal_discriminator as picture

REAL, FAKE, DISC, THEORY = "#0072B2", "#D55E00", "#009E73", "#5B6470"


def figure(state: picture.OptimalState) -> tuple[go.Figure, float]:
    """The three panels at a state, and JS."""
    x = np.linspace(picture.LOW, picture.HIGH, picture.POINTS)
    p, q = parse(state.data), picture.generator(state)
    assert isinstance(p, Mixture1D)
    log_p, log_q = p.log_density(x), q.log_density(x)
    best = optimal_discriminator(p, q, x)
    panels = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.44, 0.34, 0.22], vertical_spacing=0.05)
    curves = (
        (1, np.exp(log_p), REAL, "tozeroy"),
        (1, np.exp(log_q), FAKE, "tozeroy"),
        (2, best.value, DISC, None),
        (3, DIVERGENCES["js"].integrand(log_p, log_q), THEORY, "tozeroy"),
    )
    for row, y, colour, fill in curves:
        panels.add_trace(go.Scatter(x=x, y=y, line={"color": colour}, fill=fill, showlegend=False), row=row, col=1)
    panels.update_yaxes(range=[0, picture.TALLEST], row=1, col=1)
    panels.update_yaxes(range=[0, 1], row=2, col=1)
    panels.update_yaxes(range=[0, 0.12], row=3, col=1)
    panels.update_layout(height=440, margin={"l": 40, "r": 10, "t": 10, "b": 30})
    return panels, float(divergences(p, q, ("js",), tolerance=1e-7)["js"].value)


@st.fragment
def lesson() -> None:
    """Sliders beside the chart."""
    chart, side = st.columns([2, 1])
    start = picture.OptimalState()
    with side:
        state = picture.OptimalState(
            left=st.slider("mean of the left half", -7.0, 7.0, start.left, 0.05, key="left"),
            right=st.slider("mean of the right half", -7.0, 7.0, start.right, 0.05, key="right"),
            spread=st.slider("spread of both", 0.4, 3.0, start.spread, 0.05, key="spread"),
            weight=st.slider("weight of the right half", 0.0, 1.0, start.weight, 0.01, key="weight"),
        )
        panels, js = figure(state)
        st.metric("JS", f"{js:.4f}")
    with chart:
        st.plotly_chart(panels, key="chart")


st.set_page_config(layout="wide")
lesson()
