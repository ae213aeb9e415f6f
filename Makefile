# Two commands matter: `make demo` and `make test`. Each makes its own virtual environment when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 3

.PHONY: demo test test-slow replay library torture lint format types imports bench docs clean help

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Firebreak needs Python 3.11 or newer; found `$(PYTHON) --version`. Say make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed  ## contain a compromised subscription on the embedded Azure, with the real Prefect UI
	@$(BIN)/firebreak demo $(ARGS)

test: $(VENV)/.installed lint types imports  ## lint, types, import rules and all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/.installed  ## the tests that need minutes or a large installation
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(VENV)/.installed  ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: $(VENV)/.installed  ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.installed  ## the import rules of ARCHITECTURE.md
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed  ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

torture: $(VENV)/.installed  ## the crash test at full size: kills at every journal transition and at random instants, seeded faults
	$(BIN)/python -m tests.torture $(ARGS)

replay: $(VENV)/.installed  ## replay the library of incidents with the shipped playbooks; fails when a plan or a conclusion changed
	@$(BIN)/firebreak replay incidents --playbook playbooks $(ARGS)

library: $(VENV)/.installed  ## record the library of incidents anew on the embedded Azure; takes some minutes
	@$(BIN)/python -m tests.library incidents $(ARGS)

bench: $(VENV)/.installed  ## what is claimed about speed, measured
	$(BIN)/python -m benchmarks.contain --resources 200 --json

docs: $(VENV)/.installed  ## write the generated reference pages anew
	$(BIN)/python -m tasks.coverage
	$(BIN)/python -m firebreak.cli.reference

clean:  ## remove what was installed and built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
