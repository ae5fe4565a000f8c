# One line a target; everything goes through ./wdh or the environment it makes.
.DEFAULT_GOAL := help
.PHONY: help check test ui chaos bench docs dev demo
BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
.venv/.wdh-stamp: uv.lock pyproject.toml
	@./wdh --version >/dev/null
check: .venv/.wdh-stamp ## lint, format, types, import contracts, secrets
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline
test: ## unit, integration and acceptance tests
	./wdh test
ui: ## Dagster's page in a real browser
	./wdh test -m ui tests/ui
chaos: ## loads killed at random moments
	./wdh test -m chaos
bench: .venv/.wdh-stamp ## measurements beside the floor script
	$(BIN)/python -m tests.benchmarks.compare
docs: ## the generated pages: data dictionary, rules, command line, .env.example
	./wdh schema docs
dev: ## Dagster's UI on port 3000
	./wdh dagster dev
demo: ## the main job on sample data
	./wdh demo
