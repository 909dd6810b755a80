# Two commands do everything: `make demo` and `make test`. Both build .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# uv does in seconds what pip does in a minute; where an index is set up for pip alone, pip does it.
install = { $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt $(1) || $(PIP) install -q -c constraints.txt $(1); }
INPUTS := pyproject.toml constraints.txt Makefile

.PHONY: demo test lint olmo-core datatrove bench clean

demo: $(VENV)/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo/run.sh

test: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# fasttext ships no wheel and compiles for a minute: on a second core, while everything else is installed and made ready.
$(VENV)/.installed: $(INPUTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP) wheel -q --no-deps -w $(VENV)/wheels -c constraints.txt fasttext & compiling=$$!; \
	$(PIP) install -q -c constraints.txt uv && $(call install,-e .) && $(BIN)/python -m dolmino_cli.kernels && wait $$compiling
	$(call install,--find-links $(VENV)/wheels -e '.[fasttext]')
	touch $@

# PyTorch by pip: it takes the build without CUDA (0.2 GB instead of 3) where its index or links have one; uv does not see these.
$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install -q -c constraints.txt torch
	$(call install,--find-links $(VENV)/wheels -e '.[test]')
	touch $@

# For one test each: OLMo-core reads our arrays and lists, datatrove our exports, with their own readers. These need PyTorch
# and other versions than ours, so each has an environment of its own.
olmo-core: $(VENV)/.installed-test
	$(PYTHON) -m venv $(VENV)/olmo-core
	$(VENV)/olmo-core/bin/python -m pip --disable-pip-version-check install -q torch==2.13.0 ai2-olmo-core==3.0.0

datatrove: $(VENV)/.installed-test
	$(PYTHON) -m venv $(VENV)/datatrove
	$(VENV)/datatrove/bin/python -m pip --disable-pip-version-check install -q torch==2.13.0 datatrove==0.10.1 tokenizers==0.23.3

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) demo-output bench-output build dist *.egg-info
