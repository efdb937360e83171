# Two commands set everything up and do the work: `make tour` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUDGET ?= 10min

.PHONY: tour test fast lint docs bench clean
.DEFAULT_GOAL := tour

$(VENV)/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Python %d.%d found, 3.11 or newer needed: make PYTHON=python3.12 tour" % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

tour: $(VENV)/core
	$(BIN)/pennyweight tour --budget $(BUDGET)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fast: $(VENV)/dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow and not gpu"

test: lint fast

docs: $(VENV)/dev
	$(BIN)/python docs/build.py
	$(BIN)/zensical build --strict

bench: $(VENV)/dev
	$(BIN)/python benchmarks/step_speed.py
	$(BIN)/python benchmarks/wavelet_speed.py
	$(BIN)/python benchmarks/trace_overhead.py
	$(BIN)/python benchmarks/weigh_repeatability.py repeat
	$(BIN)/python benchmarks/lottery_repeatability.py

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache
