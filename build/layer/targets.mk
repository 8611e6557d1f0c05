# The layer: what users deploy.

LAYER_PROGRAMS := dpkg-deb=dpkg readelf=binutils patch=patch python3:pip=python3-pip tar=tar
LAYER_TEST_PROGRAMS := apt-ftparchive=apt-utils gpg=gpg gpg-agent=gpg-agent unzip=unzip bsdtar=libarchive-tools qemu-aarch64-static=qemu-user-static \
  unshare=util-linux diff=diffutils python3:ensurepip=python3-venv

# Looked for before anything is compiled.
.PHONY: layer-packages
layer-packages:
	@build/system-packages.sh $(LAYER_PROGRAMS)

.PHONY: layer-test-packages
layer-test-packages:
	@build/system-packages.sh $(LAYER_PROGRAMS) $(LAYER_TEST_PROGRAMS)

.PHONY: dist
dist: layer-packages bootstrap tool ## build: Build every artefact: executables, layers, checksums
	@build/copy-executables.sh '$(DIST)'
	$(BUN) build/layer.ts
	@$(MAKE) --no-print-directory remove-old-zips

# Exported to recipes where it comes from the caller, by a variable or after make.
DIST ?= dist
ifeq ($(DIST),)
override DIST := dist
endif
LAYER_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)

# The Dockerfiles and the constructs take the zip that fits: there must be one, not one a version.
.PHONY: remove-old-zips
remove-old-zips:
	@find '$(DIST)' -maxdepth 1 -type f \( -name 'bootstrap-*.zip' -o -name 'lambda-shell-runtime-*.zip' \) \
	  ! -name '*-$(LAYER_VERSION).zip' -exec rm -- {} + -exec echo 'removed, of another version:' {} +

.PHONY: reproduce
reproduce: layer-packages node_modules/.package-lock.json ## test: Build everything twice, apart, and compare
	$(BUN) build/layer/reproduce.ts

.PHONY: test-layer
test-layer: root layer-test-packages node_modules/.package-lock.json $(PYTHON_READY) ## test: Test the finished zips of `make dist` (root)
	$(BUN) test --timeout 600000 $(wildcard ./build/layer/*.slow.ts)

# The host's architecture whole, of the other one what an emulator does in seconds.
SMOKE := ^($(if $(filter aarch64 arm64,$(shell uname -m)),arm64|amd64,amd64|arm64) (the |every |unzip|bin/))

.PHONY: smoke-layer
smoke-layer: root layer-test-packages node_modules/.package-lock.json $(PYTHON_READY) ## test: Try the zips of `make dist` in two minutes (root)
	$(BUN) test --timeout 600000 -t '$(SMOKE)' ./build/layer/layer.slow.ts

.PHONY: test-aws-cli
test-aws-cli: layer-test-packages node_modules/.package-lock.json ## test: Run the tests of the AWS CLI and of jq with the layer's programs
	$(BUN) test --timeout 600000 $(wildcard ./build/layer/*.suite.ts)

.PHONY: bench-aws-cli
bench-aws-cli: root layer-test-packages node_modules/.package-lock.json $(PYTHON_READY) ## bench: Time the layer's AWS CLI beside the untouched one (root)
	$(BUN) build/bench/aws-cli.ts
	$(BUN) build/bench/aws-cli-memory.ts

.PHONY: pins-packages
pins-packages:
	@build/system-packages.sh $(LAYER_PROGRAMS) gpg=gpg

.PHONY: pins
pins: pins-packages node_modules/.package-lock.json ## build: Report which pinned sources of the layer are old
	$(BUN) build/layer/pins.ts
