# Every target sets up what it needs by itself; the second time that costs nothing.
PYTHON ?= python3
BIN := .venv/bin
USERS ?= 500

unexport PYTHONDONTWRITEBYTECODE  # else each process compiles all modules anew, and tests start a hundred

.PHONY: help setup demo test suite test-long check style types format lock image release sbom bench clean up

help:            ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: .venv/.installed   ## Install the locked dependencies into .venv

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 setup' >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup      ## On the sandbox: bulk import as dry run, for real, once more; then real time (USERS=500, REPORTS=folder)
	$(BIN)/python -m deployments.demo --users $(USERS) $(if $(REPORTS),--reports $(REPORTS))

up: setup        ## Prefect server, worker and webhook on this machine (SANDBOX=1: with Slack and Docebo to play with)
	@$(BIN)/python -m deployments.up $(if $(SANDBOX),--sandbox --users $(USERS)) $(UP)

test: setup style ## Format, lint, types, import rules, and the whole test suite
	@scripts/install-programs
	@$(MAKE) --no-print-directory --jobs 2 types suite  # side by side: mypy keeps one core busy, and the suite waits at times

suite: setup
	$(BIN)/pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder  # a fourth process costs more than it brings

test-long: setup ## The journeys that take long; property tests and stories with examples nobody has seen yet
	@scripts/install-programs long
	$(BIN)/pytest -m "long or hypothesis" --hypothesis-profile exploring -o faulthandler_timeout=1800

check: style types ## Format, lint, types and import rules only

style: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup    ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCKED := --universal --python-version 3.11 --generate-hashes --no-header --quiet

lock: setup      ## Resolve the locks anew from pyproject.toml: of everything, and of what an installation needs
	$(BIN)/uv pip compile pyproject.toml --extra expressions --group dev --upgrade $(LOCKED) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra expressions --constraint requirements.lock $(LOCKED) --output-file requirements-runtime.lock

image:           ## Build the container image with podman, docker or buildah (BASE, TAG, ENGINE)
	@BASE='$(BASE)' TAG='$(TAG)' ENGINE='$(ENGINE)' scripts/build-image

release: setup   ## Image, source, bill of materials, notes and checksums in dist/ (BASE=NAME@sha256:...)
	@ENGINE='$(ENGINE)' $(BIN)/python -m deployments.release --base '$(BASE)'

sbom: setup      ## What an installation consists of, with licences, as CycloneDX in dist/
	@$(BIN)/python -m deployments.sbom

bench: setup     ## Measure what docs/performance.md states
	$(BIN)/python -m bench

clean:           ## Remove what make made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
