.DEFAULT_GOAL := help
.PHONY: help run test unit lint build images bench soak chaos mutants example deps clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## Run api, worker and reaper on a private PostgreSQL (API_PORT=8000, DATABASE_URL=)
	@Scripts/run.sh

test: ## Build and run all tests (FILTER=regex, SEED=n|random, SANITIZE=address)
	@Scripts/test.sh

unit: ## Build and run the tests that need no PostgreSQL (FILTER=regex)
	@Scripts/unit.sh

lint: ## Check code format, scripts, Prometheus rules, manifests and Dockerfiles
	@Scripts/lint.sh

build: ## Build the three programs into .build/release
	@Scripts/build.sh

images: ## Build the container images (ENGINE=docker|podman|buildah, REGISTRY=host/team)
	@Scripts/images.sh

bench: ## Measure beside the raw limits of this machine (ONLY="enqueue drain")
	@Scripts/bench.sh

soak: ## Run a steady load and check that memory and tables stay bounded (MINUTES=30)
	@BENCH_SOAK_MINUTES=$(MINUTES) Scripts/bench.sh soak

chaos: ## Run the chaos tests, which kill processes at random (RUNS=20, SEED=n)
	@Scripts/chaos.sh

mutants: ## Remove one guard at a time and check that a test fails (ONLY=text)
	@Scripts/mutants.sh

example: ## Run thousands of jobs and check every result
	@Scripts/example.sh

deps: ## Install missing packages (Debian and Ubuntu, with apt)
	@Scripts/deps.sh

clean: ## Remove the build, and the private PostgreSQL with its jobs
	@Scripts/clean.sh
