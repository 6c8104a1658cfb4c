# Start with:  make quickstart   (install, train, evaluate, detect)   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help setup quickstart test test-slow test-oldest lint wheel bench soak
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.done  ## create .venv with an editable install and the dev tools

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

quickstart: setup  ## train on rendered scenes, evaluate, detect: 5 minutes on 2 CPU cores
	$(BIN)/python scripts/quickstart.py

test: setup  ## the default suite, two files at a time: under 3 minutes on 2 cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup  ## slow tests: trainings, whole data sets, the wheel
	$(BIN)/python -m pytest -m "slow and not gpu and not soak" --durations=15

test-oldest:  ## the default suite with the lowest versions of pyproject.toml, in .venv-oldest (6 GB)
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct --editable '.[dev]'
	.venv-oldest/bin/python -m pytest

lint: setup  ## ruff and mypy --strict
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

wheel: setup  ## build the sdist, then the wheel from it, in dist/
	$(BIN)/python -m build --outdir dist .

bench: setup  ## speed against reference programs; exit 1 below a goal: 8 minutes
	$(BIN)/python scripts/benchmarks/bench.py

soak: setup  ## long tests, and 1,000,000 mutated inputs: 2 hours
	$(BIN)/python -m pytest -m soak
	$(BIN)/python scripts/fuzz.py --inputs 1000000
