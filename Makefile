# Two commands do all the set-up:  make quickstart   (train, evaluate, detect)   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help setup quickstart test test-slow lint wheel bench soak
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.done  ## make .venv with the package, editable, and what the tests need

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

quickstart: setup  ## train on rendered scenes, evaluate, detect: minutes on 2 CPU cores
	$(BIN)/python scripts/quickstart.py

test: setup  ## the default suite, under 3 minutes on 2 cores
	$(BIN)/python -m pytest

test-slow: setup  ## trainings and whole data sets: minutes
	$(BIN)/python -m pytest -m "slow and not gpu" --durations=15

lint: setup  ## ruff and mypy --strict
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

wheel: setup  ## sdist, then the wheel from it, in dist/
	$(BIN)/python -m build --outdir dist .

bench: setup  ## step, data, evaluation, detection beside references; exit 1 below a goal: 8 minutes
	$(BIN)/python scripts/benchmarks/bench.py

soak: setup  ## 1,000,000 mutated inputs, 100 kills, full disks at every write: an hour and a half
	$(BIN)/python -m pytest -m soak
	$(BIN)/python scripts/fuzz.py --inputs 1000000
