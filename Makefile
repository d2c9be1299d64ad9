# `make` alone says what there is. Everything sets up what it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where Go's own installer puts it, for shells that do not know yet.
export PATH := $(PATH):/usr/local/go/bin

# hraban/opus would link libopusfile too, for a reader of files that we do not use.
# Where git does not trust the folder (somebody else's, as under sudo) or there is
# none, Go cannot write the commit into the program.
export GOFLAGS := $(strip $(filter-out -tags=nolibopusfile,$(shell go env GOFLAGS 2>/dev/null)) \
	-tags=nolibopusfile $(if $(shell git rev-parse HEAD 2>/dev/null),,-buildvcs=false))

# Built first: `go run` would put an "exit status 1" behind the last line.
CHECK = go build -o bin/check ./infra/check && bin/check

# The browsers that tests and benchmarks drive.
export CHROMIUM ?= $(firstword $(wildcard /usr/bin/chromium /usr/bin/google-chrome-stable /usr/bin/google-chrome))
export FIREFOX ?= $(firstword $(wildcard /usr/bin/firefox-esr /usr/bin/firefox))

.PHONY: help
help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

.PHONY: setup-run setup-test setup-firefox
setup-run:
	@infra/setup/setup.sh run
setup-test:
	@infra/setup/setup.sh test
setup-firefox:
	@infra/setup/setup.sh firefox

.PHONY: run
run: build ## put a conversation on the air: http://localhost:8080/talk/ (PORT=8080 PROFILE=low)
	@infra/demo/run.sh

.PHONY: build
build: setup-run ## build bin/longwave
	@echo "build: bin/longwave (the first time takes a minute)" >&2
	@go build -o bin/longwave ./cmd/longwave

.PHONY: web
web: setup-test ## bundle the pages anew (their dist folders are committed)
	@npm --prefix origin/web run --silent build
	@npm --prefix ingest/studio/page run --silent build

.PHONY: firefox
firefox: setup-firefox ## an evening with the host in Firefox, by hand (not part of test)
	@GOFLAGS='-tags=nolibopusfile,firefox' go test ./cmd/longwave -run TestEveningFirefox -count=1 -v

.PHONY: aws
aws: setup-test ## write the templates of infra/aws anew (they are committed)
	@npm --prefix infra/aws run --silent template

.PHONY: test
test: setup-test ## all that a change has to pass (every gate of infra/check)
	@$(CHECK)

.PHONY: lint
lint: setup-test ## the gates that only read the code
	@$(CHECK) shell build vet format lint

.PHONY: bench
bench: setup-test build ## measure, and say what else the machine was doing
	@infra/bench/run.sh

.PHONY: soak
soak: setup-test build ## run an hour, and say what grew or broke (FOR=1h PORT=8090 PROFILE=low)
	@infra/soak/run.sh

.PHONY: broadcasters
broadcasters: build ## send with OBS, BUTT, Mixxx and others (45 minutes; infra/broadcasters/README.md)
	@infra/broadcasters/all.sh

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin bench
