# Two commands do everything on a fresh Debian 12 machine, as root: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON := .venv/bin/python

.PHONY: help demo test test-unit test-e2e coverage lint format bench setup engine clean

help: ## Say what the targets do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: ## Start a cluster, apply manifests/, reach the apps in every way
	@scripts/setup.sh
	@scripts/engine.sh start
	@scripts/demo.sh

test: engine ## Run every test, the ones on real containers included
	@scripts/test.sh

test-unit: setup ## Run the tests that need no container engine
	@$(PYTHON) -m pytest -q -n auto -m "not e2e"

test-e2e: engine ## Run the tests on real containers
	@scripts/test-e2e.sh

coverage: setup ## Show what the tests of planners and model leave out
	@$(PYTHON) -m pytest -q -m "not e2e" --cov=minikctl.plan --cov=minikctl.model --cov-branch --cov-report=term-missing:skip-covered

lint: setup ## Check style, types and import rules
	@echo "== ruff";         .venv/bin/ruff check .
	@echo "== ruff format";  .venv/bin/ruff format --check .
	@echo "== mypy";         .venv/bin/mypy
	@echo "== import rules"; .venv/bin/lint-imports

format: setup ## Bring the code into its form
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: engine ## Measure minikctl beside the bare things; the table goes to benchmarks/results.md
	@$(PYTHON) -m benchmarks

setup: ## Install what is missing: Debian packages, .venv, Python packages
	@scripts/setup.sh dev

engine: setup ## Start a Docker engine if none answers, and make the images
	@scripts/engine.sh start

clean: ## Remove every cluster, container, network, image and state of minikctl from this machine
	@scripts/clean.sh
