.DEFAULT_GOAL := help
.PHONY: help run test unit lint build images bench chaos mutants example deps clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## Run api, worker and reaper on a private PostgreSQL (API_PORT=8000, DATABASE_URL=)
	@Scripts/run.sh

test: ## Build and run all tests (FILTER=regex, SEED=n|random, SANITIZE=address)
	@Scripts/test.sh

unit: ## Build and run the tests that need no PostgreSQL (FILTER=regex)
	@Scripts/unit.sh

lint: ## Check the format of the code and the scripts
	@Scripts/lint.sh

build: ## Build the three binaries into .build/release
	@Scripts/build.sh

images: ## Build the container images (ENGINE=docker|podman|buildah, REGISTRY=host/team)
	@Scripts/images.sh

bench: ## Measure, beside the raw limits of this machine (ONLY="enqueue drain")
	@Scripts/bench.sh

chaos: ## Kill everything at random instants, many times (RUNS=20, SEED=n)
	@Scripts/chaos.sh

mutants: ## Break one guard after the other: each time a test must fail (ONLY=text)
	@Scripts/mutants.sh

example: ## Run thousands of real jobs, and check every result
	@Scripts/example.sh

deps: ## Install what is missing (Debian and Ubuntu, by apt)
	@Scripts/deps.sh

clean: ## Remove what was built, and the private PostgreSQL with its jobs
	@Scripts/clean.sh
