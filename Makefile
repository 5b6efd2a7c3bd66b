# Thin on purpose: scripts/dev.py does the work, so that Windows runs the same lines (py -3 scripts\dev.py app).
# Options go through ARGS:  make app ARGS="--server.port 8600"   make test ARGS="-k losses"
PYTHON ?= python3
ARGS ?=

.PHONY: app test bench load film

app test bench load film:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "gantoys needs Python 3.11 or newer, and there is no $(PYTHON) here: install Python, then try again." >&2; exit 1; }
	@exec "$(PYTHON)" scripts/dev.py $@ $(ARGS)
