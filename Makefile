.DEFAULT_GOAL := help
.PHONY: help setup tools demo test test-slow bench check audit docs lock wheel clean

VENV := .venv
BIN := $(VENV)/bin
AZURE_CLI := .tools/azure-cli
WEB := $(patsubst %/package.json,%/node_modules/.installed,$(wildcard tests/web/package.json))
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := auditor tests $(wildcard bench/*.py docs/*.py)
COMPILE := --universal --python-version 3.11 --generate-hashes --no-header --quiet $(UPGRADE)

# Tests wait more than they compute: half as many workers again as there are processors.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))

# `make audit AUDIT="-s osv"` asks another service; what else it takes: pip-audit --help.
AUDIT ?=

# The newest Python that can make a virtual environment; `make setup PYTHON=...` takes another.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A lock file is whole, so nothing is left to resolve: pip before 23.3 takes `name[extra]` of a dependency for a
# requirement of its own, finds a version newer than the locked one, and refuses it for want of a hash.
setup: $(VENV)/.installed  ## Install everything that the project needs into .venv

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --no-compile --no-deps --require-hashes --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

tools: $(AZURE_CLI)/.installed $(WEB)  ## Install what only the slow tests need: the Azure CLI, and checkers of reports

$(AZURE_CLI)/.installed: requirements-azure-cli.lock | $(BIN)/python
	$(BIN)/python -m venv --clear $(AZURE_CLI)
	$(AZURE_CLI)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --no-deps --require-hashes --requirement $<
	@touch $@

tests/web/node_modules/.installed: tests/web/package.json tests/web/package-lock.json
	@cd tests/web && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules/.installed || \
		echo "npm is absent or could not install: tests that need its packages will be skipped" >&2

demo: setup  ## Audit a made-up tenant and write the report to demo-report/
	@rm -rf demo-report
	@$(BIN)/entra-audit run --demo --out demo-report || test $$? -eq 1  # 1: the sample has findings
	@test -f demo-report/report.html
	@printf '%s\n' demo-report/*

test: setup  ## Run the tests
	$(BIN)/pytest -n auto -m "not slow"

test-slow: setup tools  ## Run the tests that take long
	$(BIN)/pytest -n 2 -m slow

bench: setup  ## Run the benchmarks
	$(BIN)/python -m bench

check: setup  ## Run every gate: format, lint, types, imports, generated docs, tests with branch coverage
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check
	$(BIN)/pytest -n auto -m "not slow" --cov

audit: setup  ## Look up the known vulnerabilities of all dependencies
	$(BIN)/python -m docs.vulnerabilities $(AUDIT)

docs: setup  ## Write the generated pages of docs/ anew
	$(BIN)/python -m docs.generate

lock: | $(BIN)/python  ## Resolve the lock files anew (newest versions: make lock UPGRADE=--upgrade)
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra all --group dev $(COMPILE) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml $(COMPILE) --constraints requirements.lock --output-file requirements-runtime.lock
	$(BIN)/uv pip compile --group azure-cli $(COMPILE) --output-file requirements-azure-cli.lock

wheel: setup  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## Remove what builds and checks leave behind (.venv and .tools stay)
	rm -rf build dist demo-report htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './.tools/*' -exec rm -rf {} +
