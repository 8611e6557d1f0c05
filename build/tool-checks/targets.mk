# The developer tool: run it, compile it, and let official clients loose on it.

EVENT ?= fixtures/functions/hello/events/lambda.json
TOOL_SOURCES := $(shell find src fixtures/events -type f ! -name '*.test.ts' ! -path 'src/runtime/*' \
  ! -path 'src/testing/*' ! -path 'src/conformance/*') build/compile.ts build/bun-executable.ts \
  $(filter-out %.test.ts %.slow.ts,$(wildcard build/prefetch/*.ts)) build/licenses.macro.ts NOTICE package.json package-lock.json

# As FUNCTION_FOLDER of make package.
run: export EVENT_FILE = $(EVENT)

.PHONY: run
run: dist/bootstrap-$(ARCH) ## daily: Run the example function with an event (EVENT=file)
	@$(BUN) src/lambda-shell.ts run fixtures/functions/hello < "$$EVENT_FILE"

.PHONY: tool
tool: bootstrap dist/lambda-shell-linux-amd64 dist/lambda-shell-linux-arm64 dist/lambda-shell ## build: Compile the developer tool: dist/lambda-shell, for both architectures

dist/lambda-shell-linux-%: $(TOOL_SOURCES) node_modules/.package-lock.json
	@build/own-files.sh . dist
	$(BUN) build/compile.ts lambda-shell $*

# Go and Rust must be newer than Debian's packages: compat-clients.ts says where to get them.
.PHONY: compat-packages
compat-packages:
	@build/system-packages.sh python3:ensurepip=python3-venv cmake=cmake g++=g++ \
	  javac=default-jdk-headless mvn=maven curl=curl jq=jq

# What is built stays in cache/compat.
.PHONY: compat
compat: compat-packages dist/bootstrap-$(ARCH) ## test: Run AWS's own clients and callers, unmodified, against the host
	$(BUN) build/tool-checks/compat-clients.ts
	$(BUN) test ./src/conformance/clients/clients.compat.ts ./src/conformance/clients/callers.compat.ts

.PHONY: bench-host-packages
bench-host-packages:
	@build/system-packages.sh python3:ensurepip=python3-venv

.PHONY: bench-host
bench-host: bench-host-packages dist/bootstrap-$(ARCH) $(PYTHON_READY) ## bench: Compare the host with the runtime alone, a naive host, AWS's emulator
	nice $(BUN) build/bench/host.ts

.PHONY: load
load: node_modules/.package-lock.json ## test: Run 200,000 events with injected faults through the host
	$(BUN) build/tool-checks/load.ts
