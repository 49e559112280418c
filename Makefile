# `make demo` and `make test` set up .venv themselves; PYTHON=... chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
REPORT := out/bench
HTML := docs/_build/html
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Large priors want a GPU, and are run by hand.
BENCHMARKS := $(filter-out __% diffusion_large,$(notdir $(basename $(wildcard benchmarks/*.py))))
TORCH := $(shell grep '^torch==' constraints.txt)

.PHONY: help venv demo test test-slow lint types contract docs docs-benchmark bench records clean

help:
	@echo "make demo       solve the Burgers equation and write VTK, HDF5 and a picture to out/demo"
	@echo "make test       lint, types, import contract and the default tests"
	@echo "make test-slow  the long studies"
	@echo "make docs       the documentation, with its gallery executed and the report of make bench"
	@echo "make bench      every backend, DeepXDE and the classical line: a report in out/bench, in 10 minutes"
	@echo "make records    the benchmarks whose numbers the README quotes, in hours"
	@echo "make clean      remove what make made, except the virtual environment"

# The stamps let set-up run once, and again when a dependency changes.
venv: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pdesolve needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt "$(TORCH)"
	$(PIP) install -c constraints.txt -e ".[test]"
	touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp
	$(PIP) install -c constraints.txt -e ".[test,docs]"
	touch $@

demo: venv
	$(BIN)/pdesolve solve burgers --backend pinn --budget 60 --seed 0 --out out/demo --overwrite
	@find out/demo -maxdepth 2 -not -name '*.vt[iur]' | sort

test: lint types contract
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-slow: venv
	$(BIN)/python -m pytest -m slow --timeout 7200

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

contract: venv
	$(BIN)/lint-imports

docs: $(VENV)/.stamp-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs $(HTML)
	$(MAKE) bench docs-benchmark  # jobs that have a result are not run again
	@echo "open $(HTML)/index.html"

# The report of `make bench`, where there is one, beside the documents.
docs-benchmark:
	if [ -f $(REPORT)/index.html ]; then \
		mkdir -p $(HTML)/benchmark && cp -R $(REPORT)/index.html $(REPORT)/figures $(HTML)/benchmark/; \
	fi

# Killed half-way, it goes on from the results that are there.
bench: venv
	$(BIN)/pdesolve bench --suite quick --out $(REPORT)
	@echo "open $(REPORT)/index.html"

records: venv
	set -e; for name in $(BENCHMARKS); do $(BIN)/python -m pdesolve.benchmarks.$$name; done

clean:
	rm -rf build dist out/demo out/bench docs/_build docs/gallery docs/sg_execution_times.rst .pytest_cache .mypy_cache .ruff_cache
	rm -rf .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
