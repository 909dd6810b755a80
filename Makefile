# Two commands do everything: `make demo` and `make test`. Both build .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INPUTS := pyproject.toml constraints.txt Makefile

.PHONY: demo test lint bench clean

demo: $(VENV)/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo/run.sh

test: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# fasttext ships no wheel and compiles for a minute: on a second core, while everything else is downloaded.
$(VENV)/.installed: $(INPUTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) wheel -q --no-deps -w $(VENV)/wheels -c constraints.txt fasttext & compiling=$$!; \
	$(PIP) install -q -c constraints.txt -e . && wait $$compiling
	$(PIP) install -q -c constraints.txt --find-links $(VENV)/wheels -e '.[fasttext]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install -q -c constraints.txt -e '.[test]'
	touch $@

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) demo-output bench-output build dist *.egg-info
