# One line a target; everything goes through ./wdh or the environment it makes.
.DEFAULT_GOAL := help
.PHONY: help check test ui chaos bench docs dev demo validate \
  build up down down-v restart ps logs logs-runner alembic-up api-health api-list api-get api-get-brief api-runs \
  api-run api-pause api-run-and-pause api-watch-status api-run-parallel2 api-runs-delta2 api-create-sql-film-dim \
  api-create-sql-film-dim-slow api-create-sql-film-dim-inc api-create-sql-film-dim-inc-slow \
  api-create-sql-film-rating-agg api-create-sql-film-rating-agg-slow api-create-es-film-dim \
  api-create-es-film-rating-agg api-create-es-film-rating-agg-slow api-create-python-film-dim \
  api-create-tasks-film-dim-full api-create-tasks-film-dim-inc db-tasks-clear db-tasks-film-dim-full \
  db-tasks-film-dim-inc db-set-inc-id-key db-counts db-reset-demo db-pipe db-last-run db-inc-state db-hide-film-dim \
  db-unhide-film-dim db-touch-filmwork-one test-retry-flip-film-dim es-demo
BIN := .venv/bin
V := .venv/.wdh-stamp
ASK = @$(BIN)/python -m tests.validation
# What may be given to the pipeline targets; what the shell calls so has no say. ID is a pipeline's id or its name.
export NAME := film_dim_sql
export BATCH := 100
export MODE := full
export KEY := updated_at
export SLEEP := 0.2
export DELAY := 1
export DT := 0.2
export N := 50
export ID :=
export INC_ID_KEY := film_id
export SCALE := 0
TIMES := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-36s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
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

build: $(V); $(ASK) $@ ## the environment as uv.lock says
up: $(V); $(ASK) $@ ## start database, search, API and runner in the background; SCALE=<more films>
down: $(V); $(ASK) $@ ## stop all that up started
down-v: $(V); $(ASK) $@ ## the same, and forget rows, pipelines and documents
restart: $(V); $(ASK) $@ ## stop API and runner, and start them again
ps: $(V); $(ASK) $@ ## how each part stands
logs: $(V); $(ASK) $@ ## the ends of the logs
logs-runner: $(V); $(ASK) $@ ## the last 200 lines of the runner's log
alembic-up: $(V); $(ASK) $@ ## migrate the database to head

api-health: $(V); $(ASK) $@ ## the API answers
api-list: $(V); $(ASK) $@ ## all pipelines
api-get: $(V); $(ASK) $@ ## one pipeline: ID=
api-get-brief: $(V); $(ASK) $@ ## the same, in brief: ID=
api-runs: $(V); $(ASK) $@ ## its newest 50 runs: ID=
api-run: $(V); $(ASK) $@ ## request a run: ID=
api-pause: $(V); $(ASK) $@ ## request a pause: ID=
api-run-and-pause: $(V); $(ASK) $@ ## request a run, and a pause after DELAY seconds: ID=
api-watch-status: $(V); $(ASK) $@ ## its status N times, every DT seconds: ID=
api-run-parallel2: $(V); $(ASK) $@ ## two requests at once with one key: ID=
api-runs-delta2: $(V); $(ASK) $@ ## the same, and how many runs there are before and after: ID=
api-create-sql-film-dim: $(V); $(ASK) $@ ## films, in batches of BATCH
api-create-sql-film-dim-slow: $(V); $(ASK) $@ ## films, SLEEP seconds each
api-create-sql-film-dim-inc: $(V); $(ASK) $@ ## films changed since the run before, by KEY; NAME gets _inc
api-create-sql-film-dim-inc-slow: $(V); $(ASK) $@ ## the same, SLEEP seconds each; NAME gets _inc_slow
api-create-sql-film-rating-agg: $(V); $(ASK) $@ ## average ratings
api-create-sql-film-rating-agg-slow: $(V); $(ASK) $@ ## average ratings, SLEEP seconds each
api-create-es-film-dim: $(V); $(ASK) $@ ## films into Elasticsearch, called film_dim_es
api-create-es-film-rating-agg: $(V); $(ASK) $@ ## average ratings into Elasticsearch
api-create-es-film-rating-agg-slow: $(V); $(ASK) $@ ## the same, SLEEP seconds each
api-create-python-film-dim: $(V); $(ASK) $@ ## films, titles tidied by a Python transform
api-create-tasks-film-dim-full: $(V); $(ASK) $@ ## films, for tasks to be given to
api-create-tasks-film-dim-inc: $(V); $(ASK) $@ ## films changed since the run before, for tasks to be given to

db-tasks-clear: $(V); $(ASK) $@ ## delete its tasks: ID=
db-tasks-film-dim-full: $(V); $(ASK) $@ ## give it two tasks, SQL and normalize_title: ID=
db-tasks-film-dim-inc: $(V); $(ASK) $@ ## the same, with KEY in the query: ID=
db-set-inc-id-key: $(V); $(ASK) $@ ## write INC_ID_KEY into its row: ID=
db-counts: $(V); $(ASK) $@ ## rows of the marts, the runs and the checkpoints
db-reset-demo: $(V); $(ASK) $@ ## empty those four; pipelines stay
db-pipe: $(V); $(ASK) $@ ## its status, as the table says: ID=
db-last-run: $(V); $(ASK) $@ ## its newest run, once that has ended: ID=
db-inc-state: $(V); $(ASK) $@ ## its checkpoint: ID=
db-hide-film-dim: $(V); $(ASK) $@ ## rename analytics.film_dim away
db-unhide-film-dim: $(V); $(ASK) $@ ## rename it back
db-touch-filmwork-one: $(V); $(ASK) $@ ## stamp the film that was changed longest ago
test-retry-flip-film-dim: $(V); $(ASK) $@ ## a run while film_dim is away for two seconds: ID=
es-demo: $(V); $(ASK) $@ ## what Elasticsearch has in film_dim

validate: $(V); $(ASK) $@ --times $(TIMES) ## scenarios 0 to 9 on a stack of their own, expected against seen; TIMES=

# Where film_dim_sql would say the wrong thing.
api-create-sql-film-rating-agg: NAME := film_rating_agg_sql
api-create-sql-film-rating-agg-slow: NAME := film_rating_agg_slow
api-create-es-film-rating-agg: NAME := film_rating_agg_es
api-create-es-film-rating-agg-slow: NAME := film_rating_agg_es_slow
api-create-sql-film-dim-slow: NAME := film_dim_slow
api-create-python-film-dim: NAME := film_dim_python
api-create-tasks-film-dim-full: NAME := film_dim_tasks
api-create-tasks-film-dim-inc: NAME := film_dim_tasks_inc
