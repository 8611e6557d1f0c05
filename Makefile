# Every verb of the project. Logic lives in build/*.ts; each target here says what, not how.
# Needs git, make, npm, Python 3 and a shell; each target names the packages of the system that it needs
# besides. Bun comes pinned from package-lock.json.

# What a run that was killed has left in Bun's cache of transpiled files could break all later ones.
export BUN_RUNTIME_TRANSPILER_CACHE_PATH := 0

SHELL := /bin/sh
# Root by `sudo env PATH="$PATH"` or su has a user's PATH, which on Debian leads to no mke2fs and no chroot.
export PATH := $(PATH):/usr/sbin:/sbin
# Root by su works in another user's clone, which git then does not trust; by sudo it does.
ifndef GIT_CONFIG_COUNT
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)
endif
BUN := node_modules/.bin/bun
# Above the included files: make reads a prerequisite's variables once, where it stands.
PYTHON_READY := cache/python/.ready
BOOTSTRAP_SOURCES := $(wildcard src/bootstrap.ts src/runtime/* src/handler/* src/runtime-api/*) \
  build/compile.ts build/bun-executable.ts build/architectures.ts package-lock.json \
  build/optimizer.ts build/platform-names.ts build/private-names.ts build/shrink.ts \
  $(filter-out %.test.ts %.slow.ts,$(wildcard build/prefetch/*.ts build/shrink/*.ts)) \
  $(wildcard build/prefetch/profiles/*.json)

# Each target that people call has a comment "## GROUP: what it does"; the groups in this order.
HELP_GROUPS := daily build test release bench

.PHONY: help
help: ## daily: Show this list
	@for group in $(HELP_GROUPS); do \
	  printf '%s\n' "$$group"; \
	  sed -nE "s/^([a-z][a-z0-9-]*):.*## $$group: /  \1\t/p" $(MAKEFILE_LIST) | expand -t 20; \
	done

# npm writes its own record of what is installed; when the lock file is newer, install again.
node_modules/.package-lock.json: package-lock.json
	build/npm-ci.sh .
	@touch $@

.PHONY: bootstrap
bootstrap: dist/bootstrap-amd64 dist/bootstrap-arm64 ## build: Compile the runtime for both architectures

dist/bootstrap-%: $(BOOTSTRAP_SOURCES) node_modules/.package-lock.json
	@build/own-files.sh . dist
	$(BUN) build/compile.ts bootstrap $*

# What make quick runs: the shells of the tests, the sources of the locales in which they run.
QUICK_PROGRAMS := bash=bash busybox=busybox dash=dash ksh93=ksh93u+m mksh=mksh python3=python3 \
  /usr/share/i18n/charmaps/SHIFT_JIS.gz=locales shellcheck=shellcheck unzip=unzip

# What all tests run; the emulator, and a C library for it, are for the other architecture's
# executable. gencat stands for the C library's headers, which have no program.
TEST_PROGRAMS := $(QUICK_PROGRAMS) apt-ftparchive=apt-utils cc=gcc curl=curl file=file \
  fish=fish gdb=gdb gencat=libc6-dev gpg=gpg gpg-agent=gpg-agent jq=jq \
  prove=perl python3:ensurepip=python3-venv readelf=binutils strace=strace \
  setpriv=util-linux unshare=util-linux zip=zip zsh=zsh \
  aarch64-linux-gnu-as=binutils-aarch64-linux-gnu qemu-aarch64-static=qemu-user-static \
  /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1=libc6-arm64-cross

# What the tests, the layers, the deployments and a release run, in one list: each target looks for its
# own part before it starts, and installs that as root. A run that is not root's (a runner of GitHub's)
# calls this with sudo first.
.PHONY: system-packages
system-packages: ## daily: Install the system packages of tests, layers and deployments (root, apt)
	@build/system-packages.sh $(TEST_PROGRAMS) $(LAYER_PROGRAMS) $(LAYER_TEST_PROGRAMS) \
	  $(DEPLOYMENT_PROGRAMS) $(RELEASE_PROGRAMS)

.PHONY: test-packages
test-packages:
	@build/system-packages.sh $(TEST_PROGRAMS)

# Said before anything is built: after ten minutes it would be one error among thousands of tests.
.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { { echo 'error: make $(firstword $(MAKECMDGOALS)) needs root. Run:' && \
	  build/as-root.sh 'make $(MAKECMDGOALS)' && echo 'What needs no root: make quick'; } >&2; exit 1; }

.PHONY: test
test: root test-packages bootstrap dist/lambda-shell ## daily: Run every test (root) except those of the finished layer
	LAMBDA_SHELL=dist/lambda-shell $(BUN) test --parallel=2 ./src ./build

# Minutes of each fuzz; SEED=N in the environment repeats a run.
MINUTES := 2

.PHONY: fuzz
fuzz: test-packages bootstrap ## test: Try random input (MINUTES each; SEED repeats a run), and an event after 7 idle minutes
	FUZZ_MINUTES=$(MINUTES) $(BUN) test --timeout 7200000 $(patsubst %,./%,$(wildcard src/*/*.fuzz.ts))

.PHONY: lint-packages
lint-packages:
	@build/system-packages.sh shellcheck=shellcheck

.PHONY: lint
lint: lint-packages node_modules/.package-lock.json ## daily: Check the rooms and run the linters of TypeScript and shell
	$(BUN) build/check-rooms.ts
	node_modules/@biomejs/cli-linux-*/biome lint --error-on-warnings
	files=$$(git ls-files '*.sh' '*.bash' .ci/run) && shellcheck $$files

# AWS's runtime client for Python, with which the runtime is compared.
BENCH_PYTHON_READY := cache/bench-python/.ready

$(BENCH_PYTHON_READY): fixtures/compat/python/requirements.txt
	@build/system-packages.sh python3:ensurepip=python3-venv
	@build/own-files.sh . cache cache/bench-python
	rm -rf cache/bench-python
	python3 -m venv cache/bench-python
	cache/bench-python/bin/pip install --quiet --disable-pip-version-check \
	  "$$(grep '^awslambdaric==' $<)"
	@touch $@

.PHONY: bench
bench: bench-packages bootstrap $(BENCH_PYTHON_READY) ## bench: Compare the runtime with a curl loop, Python and C (BASELINE=another bootstrap), the host with a naive one
	$(BUN) build/bench/runtime.ts $(if $(BASELINE),--baseline $(BASELINE))
	$(MAKE) bench-host

.PHONY: bench-packages
bench-packages:
	@build/system-packages.sh strace=strace cc=gcc gencat=libc6-dev curl=curl \
	  python3:ensurepip=python3-venv

.PHONY: bench-small
bench-small: root bench-packages bootstrap ## bench: Compare at 128, 256 and 512 MB, with that share of a processor (root)
	$(BUN) build/bench/small.ts

# The rooms whose tests start neither a compiled program nor a server's worth of processes.
QUICK_TESTS := ./src/runtime ./src/handler ./src/host/invocation ./src/host/http ./src/host/front ./src/contract.test.ts \
  ./src/zip.test.ts ./build/check-rooms.test.ts ./build/private-names.test.ts ./build/optimizer.test.ts

.PHONY: quick
quick: quick-packages check fmt-check lint ## daily: Check types, format, rooms, lints and unit tests: no root, about a minute
	$(BUN) test $(QUICK_TESTS)

.PHONY: quick-packages
quick-packages:
	@build/system-packages.sh $(QUICK_PROGRAMS)

.PHONY: ok
ok: root test-packages check fmt-check lint test ## daily: Run everything that a commit needs (root): check, fmt-check, lint, test

.PHONY: check
check: node_modules/.package-lock.json ## daily: Check the types
	$(BUN) check

.PHONY: fmt
fmt: node_modules/.package-lock.json ## daily: Format the sources
	$(BUN) fmt

.PHONY: fmt-check
fmt-check: node_modules/.package-lock.json ## daily: Check the format
	$(BUN) fmt --check

# An architecture as `uname -m` names it is understood too.
ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)
override ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(ARCH)))
ifeq ($(filter amd64 arm64,$(ARCH)),)
$(error ARCH=$(ARCH) is neither amd64 nor arm64)
endif

include build/layer/targets.mk
include build/deployments/targets.mk
include build/tool-checks/targets.mk
include build/npm/targets.mk
include build/prefetch/targets.mk

.PHONY: clean
clean: ## daily: Remove what was built (the cache of downloads stays)
	rm -rf dist
