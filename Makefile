# `make run` and `make test` do all the set-up they need; the second time they skip it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock
SOURCES = pyproject.toml hatch_build.py requirements.lock

.PHONY: run test lint bench screenshots lock wheel clean

run: $(VENV)/server.stamp
	$(BIN)/compass-server serve

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Takes about five minutes. For some of it: make bench ARGS='--quick' or ARGS='--only start'.
bench: $(VENV)/bench.stamp
	$(BIN)/python -m bench $(ARGS)

wheel: $(VENV)/dev.stamp
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# Every state of every page, to be looked at: screenshots/*.png.
screenshots: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser.screenshots

# The versions that the tests run with.
lock: $(VENV)/dev.stamp
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --upgrade --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/server.stamp: $(SOURCES) | $(VENV)/bin/python
	@echo "Installing into $(VENV)."
	@$(PIP) --editable '.[server]'
	@touch $@

$(VENV)/dev.stamp: $(SOURCES) | $(VENV)/bin/python
	@echo "Installing into $(VENV)."
	@$(PIP) --editable '.[server,dev]'
	@touch $@ $(VENV)/server.stamp

$(VENV)/bench.stamp: $(SOURCES) | $(VENV)/bin/python
	@echo "Installing into $(VENV)."
	@$(PIP) --editable '.[server,bench]'
	@touch $@ $(VENV)/server.stamp

clean:
	rm -rf $(VENV) dist static/vendor
