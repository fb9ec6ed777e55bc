# The front door. Every target says what it does, and how long it took.
# A fresh machine first needs git and make: see README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test up down lint fmt bench bench-engine test-cuda bench-cuda learn golden-llamacpp soak fuzz clean compose-secrets

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup:  ## Install what is missing: Debian packages, libtorch, the base model, the page's packages
	@scripts/setup

build:  ## Build the programs (build/release/bin) and the page (web/dist)
	@scripts/build

demo:  ## From nothing to a specialised, published model, with a page to open at the end
	@scripts/setup
	@scripts/build
	@scripts/demo

test:  ## Everything: unit, integration, golden and fault tests, the page's tests, a real browser
	@scripts/setup --tests
	@scripts/test

up:  ## Start PostgreSQL, Redis, the server and a worker, all private to this checkout
	@scripts/setup
	@scripts/build
	@scripts/up

down:  ## Stop them again; data stays in .hone/
	@scripts/down

lint:  ## Check format, shell scripts, the compose file and the page's types
	@scripts/setup --lint
	@scripts/lint

fmt:  ## Format C++
	@scripts/setup --lint
	@scripts/fmt

bench:  ## Training speed, memory and cold start beside TRL's, on this machine (HONE_BENCH_DATA: your pairs)
	@scripts/setup --tests
	@scripts/build
	@scripts/bench

learn:  ## Whether training teaches, three seeds each: some two hours (HONE_LEARN_PAIRS, HONE_LEARN_MATHS: your data)
	@scripts/setup
	@scripts/build
	@scripts/learn

bench-engine:  ## Tokenizers, forward and backward, generation beside their peers (HONE_BENCH_DATA: your pairs)
	@scripts/setup --tests
	@scripts/build
	@scripts/bench-engine

test-cuda:  ## On a machine with a CUDA device: build for it, and the tests of what computes there
	@scripts/setup --cuda --tests
	@scripts/cuda test

bench-cuda:  ## On a machine with a CUDA device: training and sampling of a Llama of 1B beside transformers
	@scripts/setup --cuda --tests
	@scripts/cuda bench

golden-llamacpp:  ## GGUF files of ours under llama.cpp, which is built first (ten minutes)
	@scripts/setup --tests
	@scripts/build
	@scripts/golden-llamacpp

soak:  ## Kills and lost servers, again and again (HONE_SOAK_MINUTES, 10), with an independent checker; then make learn
	@scripts/setup --tests
	@scripts/build
	@scripts/soak
	@scripts/learn

fuzz:  ## What reads files and uploads against libFuzzer (HONE_FUZZ_SECONDS for each of 12 targets, 600)
	@scripts/setup --fuzz --no-web --no-base --no-local
	@cmake --preset fuzz && cmake --build --preset fuzz
	@scripts/fuzz $${HONE_FUZZ_SECONDS:-600}

compose-secrets:  ## Write .env with random passwords for docker-compose.yml
	@scripts/compose-secrets

clean:  ## Remove what was built; .deps/ (downloads) and .hone/ (data) stay
	@rm -rf build web/dist && echo "removed build/ and web/dist/"
