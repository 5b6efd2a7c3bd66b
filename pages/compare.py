"""What does one changed thing do?"""

from gantoys.ui.first import importing

with importing:
    from gantoys.metrics import mode_report
    from gantoys.pictures.compare_clock import common_clock
    from gantoys.pictures.compare_state import CompareState, differences
    from gantoys.pictures.compare_verdict import against
    from gantoys.ui import compare, frame

page = frame.open_lesson("compare", CompareState)
runs = compare.Comparison(page)
page.picture(runs.build, more=runs.more, beside=runs.beside, every=runs.every, on_resync=runs.resync)
if not page.lecture:
    runs.show_verdict()
page.rest(code=(differences, common_clock, against, mode_report, "training/batches.py:Batches"), build=runs.plain)
