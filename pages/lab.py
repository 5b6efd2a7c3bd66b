"""How does a GAN learn, step by step?"""

from gantoys.ui import lab

page, player = lab.open_lab()
page.picture(
    player.build,
    beside=lambda: lab.beneath(page, player),
    more=lambda _: lab.more(page, player),
    every=player.every,
    on_resync=player.resync,
)
page.rest(
    code=(
        "training/loop.py:_Run.advance",
        "training/game.py:Game.step",
        "training/closed_form.py:ClosedForm.gradient_g",
    ),
    build=player.saved,
)
