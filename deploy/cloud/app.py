"""The entry point for Streamlit Community Cloud: it runs the app of the root folder.

The Cloud takes the requirements.txt beside the entry point before the one in the root. So this folder exists, to bring
torch's CPU build.
"""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Streamlit puts the entry point's folder on the path; the library lies two folders up.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
