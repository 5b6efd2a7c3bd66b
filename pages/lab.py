"""How does a GAN learn, step by step?"""

from gantoys.ui.first import importing

with importing:
    from gantoys.ui import lab, lab_more

page, player = lab.open_lab()
page.picture(
    player.build,
    beside=lambda: lab.beneath(page, player),
    more=lambda _: lab_more.more(page, player),
    every=player.every,
    on_resync=player.resync,
    on_click=lambda name, x, y: lab.clicked(page, player, name),
)
page.rest(
    code=(
        "training/loop.py:_Run.advance",
        "training/game.py:Game.step",
        "training/closed_form.py:ClosedForm.gradient_g",
    ),
    build=player.saved,
)
