# Two commands on a fresh machine (Python 3.11, git, make): `make demo` and `make test`. Both set everything up.
.DEFAULT_GOAL := help
PORT ?= 8000
PYTHON ?= python3
UV := .boot/bin/uv
RUN := .venv/bin/
export UV_PYTHON_DOWNLOADS := never

.PHONY: help
help: ## What there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@echo "Setting up (once) ..."
	@$(PYTHON) -m venv .boot
	@.boot/bin/pip install --quiet --disable-pip-version-check 'uv==0.13.*'

.venv/.ready: $(UV) pyproject.toml uv.lock
	@$(UV) sync --locked --quiet --compile-bytecode --python $(PYTHON)
	@touch $@

.PHONY: setup
setup: .venv/.ready ## Install what the project needs into .venv

.PHONY: demo
demo: .venv/.ready ## Run the main job on January 2012's figures (PORT=8000)
	@exec $(RUN)savings demo --port $(PORT)

.PHONY: stack
stack: .venv/.ready ## Run it for real, without Docker: Apache Kafka, PostgreSQL, three processes (PORT=8080)
	@exec $(RUN)python -m deploy.local.stack --port $(if $(filter file,$(origin PORT)),8080,$(PORT))

.PHONY: test
test: check test-product test-faults ## Check style, types, layering, and run the tests

.PHONY: check
check: .venv/.ready
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports

.PHONY: test-product
test-product: .venv/.ready
	$(RUN)pytest --ignore=tests/faults

.PHONY: test-faults
test-faults: .venv/.ready
	$(RUN)pytest tests/faults

.PHONY: test-stack
test-stack: .venv/.ready ## Run what needs a real Apache Kafka and a real PostgreSQL
	SAVINGS_LONG_TESTS=1 $(RUN)pytest tests/contracts tests/connected tests/faults tests/integration tests/e2e/test_january_2012.py

.PHONY: bench
bench: .venv/.ready ## Print our speed beside its floor
	$(RUN)python -m benchmarks

.PHONY: docs
docs: .venv/.ready ## Write the generated documents again
	$(RUN)savings openapi --write docs/openapi.json
	$(RUN)savings events --write docs/events
