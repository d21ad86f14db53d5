# What one types in a clone. Each target sets up what it needs; `make` alone lists them.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-tests demo test fast engine bench lint wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## find or install PyTorch, so that plain cargo commands work
	@echo "==> setup"
	@scripts/setup.sh

setup-tests: ## the same, with what the tests compare with
	@echo "==> setup, with what the tests compare with"
	@scripts/setup.sh --with-tests

# Exit code 1 says that a fault was found, which is what a demo is for.
demo: setup ## diagnose a small data set with a planted fault
	@echo "==> release build (the binding to PyTorch takes a few minutes the first time)"
	@$(CARGO) build --release
	@echo "==> nanprobe demo"
	@$(TARGET_DIR)/release/nanprobe demo || [ $$? -eq 1 ]

test: setup-tests fast engine ## run all tests

fast: ## run the tests that need neither PyTorch nor Python
	@echo "==> tests without the engine"
	@$(CARGO) test --no-fail-fast --no-default-features

engine: setup-tests
	@echo "==> tests with the engine (in the release build that the demo uses)"
	@$(CARGO) test --no-fail-fast --release -p nanprobe

bench: setup-tests ## compare step time and image decoding with PyTorch and Pillow
	@echo "==> benchmarks"
	@$(CARGO) bench --bench against_pytorch

# With the engine in release, so that the binding to PyTorch is compiled once for everything.
lint: setup ## check format and lints
	@echo "==> format"
	@$(CARGO) fmt --all --check
	@echo "==> lints without the engine"
	@$(CARGO) clippy --workspace --no-default-features --all-targets -- -D warnings
	@echo "==> lints with the engine"
	@$(CARGO) clippy --workspace --release --all-targets -- -D warnings

wheel: setup ## build the engine as a Python wheel, into target/wheels
	@echo "==> wheel"
	@python3 -m venv $(TARGET_DIR)/maturin && $(TARGET_DIR)/maturin/bin/pip install -q 'maturin>=1.9,<2'
	@cd python/engine && $(abspath $(TARGET_DIR))/maturin/bin/maturin build --release --out $(abspath $(TARGET_DIR))/wheels

clean: ## remove what was built; .venv and .libtorch stay
	@echo "==> clean"
	@$(CARGO) clean
