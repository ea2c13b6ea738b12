# Two commands do everything on a fresh Debian 12 machine, as root: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON := .venv/bin/python

.PHONY: help demo test test-unit test-e2e lint bench setup engine clean

help: ## Say what the targets do
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

setup: ## Install what is missing: Debian packages, .venv, Python packages
	@scripts/setup.sh

engine: setup ## Start a Docker engine if none answers
	@scripts/engine.sh start

demo: engine ## Start a cluster, apply manifests/, reach the apps in every way
	@scripts/demo.sh

test: engine ## Run every test, the ones on real containers included
	@scripts/test.sh

test-unit: setup ## Run the tests that need no container engine
	@$(PYTHON) -m pytest -q -m "not e2e"

test-e2e: engine ## Run the tests on real containers
	@$(PYTHON) -m pytest -q -m e2e

lint: setup ## Check style, types and import rules
	@echo "== ruff";         .venv/bin/ruff check .
	@echo "== ruff format";  .venv/bin/ruff format --check .
	@echo "== mypy";         .venv/bin/mypy
	@echo "== import rules"; .venv/bin/lint-imports

bench: engine ## Measure minikctl beside the bare things; the table goes to benchmarks/results.md
	@$(PYTHON) -m benchmarks

clean: ## Remove every cluster, container, network, image and state of minikctl from this machine
	@scripts/clean.sh
