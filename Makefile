# `make demo` and `make test` need Python 3.11+, git and make; everything else they set up in .venv by themselves.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all soak lint format setup clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt $(PIP_ARGS) "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(BIN)/python -m pip install -q -c constraints.txt $(PIP_ARGS) -e ".[train,dev]"
	$(BIN)/python -m compileall -q spec advisor compiler runtime ftc  # halves the time in which commands start
	touch $@

demo: $(READY)
	cd examples/support-routing && $(abspath $(BIN))/ftc compile && $(abspath $(BIN))/ftc run

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not soak"

test-all: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not soak"

soak: $(READY)
	$(BIN)/python -m pytest -m soak -s

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
