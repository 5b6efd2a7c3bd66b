"""What is a generative adversarial network?"""

from gantoys.ui.first import importing

with importing:
    from gantoys.pictures import film as picture
    from gantoys.ui import frame, live, path

page = frame.open_lesson("start", picture.StartState)
film = live.film(page)
page.picture(film.build, beside=film.controls, every=film.every, on_resync=film.resync)
if not page.lecture:
    path.show()
page.rest(
    code=("training/game.py:Game.step", "training/closed_form.py:ClosedForm.gradient_g"), build=picture.recorded_scene
)
