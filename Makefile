# Everything a newcomer types. Each target does its own set-up.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test check bench bench-full soak clean

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Freshframe needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 $(MAKECMDGOALS)") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/freshframe demo

# The slow ones are `make soak`'s. Two runs side by side: half of the time is waiting.
test: setup
	$(BIN)/python -m tests.side_by_side -m 'not slow'

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	@$(BIN)/freshframe models pull yolo26n
	$(BIN)/python -m benchmarks

bench-full: setup
	@$(BIN)/freshframe models pull yolo26n
	$(BIN)/python -m benchmarks --full

# The slow tests, then ten minutes; `make soak HOURS=8` for what only a night can show.
soak: setup
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m benchmarks.soak --minutes $(if $(HOURS),$$(($(HOURS) * 60)),10) --json .bench/results/soak.json

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench demo-out
