"""Does the game converge at all?"""

from gantoys.ui.first import importing

with importing:
    from gantoys.maths.dynamics import eigenvalues, step_jacobian, trajectory
    from gantoys.maths.dynamics_limits import region
    from gantoys.pictures.dynamics import DynamicsState
    from gantoys.ui import dynamics, frame, stability_lens

page = frame.open_lesson("dynamics", DynamicsState)
lens = stability_lens.Lens(page)
page.picture(
    lens.build,
    beside=lambda: dynamics.choose(page, lens.controls),
    more=dynamics.more,
    every=lens.every,
    on_click=lambda _, x, y: dynamics.drop(page, x, y),
)
page.rest(
    code=(
        trajectory,
        step_jacobian,
        eigenvalues,
        "maths/dynamics_rules.py:_simultaneous",
        "maths/dynamics_rules.py:_alternating",
        region,
        "training/stability.py:field",
    ),
    build=lens.build,
)
