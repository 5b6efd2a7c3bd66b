"""Moving pictures: scenes made by Python, drawn by one small component at the speed of the hand.

`scene`      what is drawn: axes, layers, controls, readouts; pure data, checked when it is made
`layers`     the kinds of layer that a panel can hold
`pack`       a scene as bytes: a JSON header and aligned binary arrays
`stage.js`   draws them; holds no mathematics; `stage.css` lays out the controls around the picture
`component`  shows a scene in Streamlit and reports what the hand did (the one file here that imports streamlit)
`page`       the same scene as one self-contained web page

Python computes the whole sweep of every control in one vectorised call; the component only chooses rows:

>>> import numpy as np
>>> from gantoys.stage.layers import Curve
>>> from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept
>>> means, x = np.linspace(-3, 3, 121), np.linspace(-6, 6, 200)
>>> density = np.exp(-0.5 * (x - means[:, None]) ** 2) / np.sqrt(2 * np.pi)
>>> scene = Scene(
...     key="one-normal",
...     alt="A normal density with mean {mean}.",
...     panels=(Panel(Axis(-6, 6, "x"), Axis(0, 0.5), (Curve(x, Swept({"mean": density}), role="fake"),)),),
...     controls=(Control("mean", "mean of p_{G}", means, start=60),),
...     readouts=(Readout("top", "height of the peak", Swept({"mean": density.max(axis=1)})),),
...     formula="max [*p*_{G}|fake] = {top}",
... )
>>> scene.controls[0].value
0.0
"""
