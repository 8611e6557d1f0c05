# Targets of deployments and releases; the Makefile includes this file.

PYTHON_READY := cache/python/.ready

DEPLOYMENT_PROGRAMS := python3:ensurepip=python3-venv unshare=util-linux unzip=unzip zip=zip
# The layers of a release are made from Debian's packages, also where this is another system.
RELEASE_PROGRAMS := unzip=unzip \
  /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring

.PHONY: python
python: $(PYTHON_READY) ## Install the locked Python tools (aws, sam, cfn-lint, moto) into cache/

# --no-deps: the lock names every package; a stamp from an older lock starts a clean folder.
$(PYTHON_READY): build/deployments/requirements.txt
	@build/system-packages.sh python3:ensurepip=python3-venv
	rm -rf cache/python
	python3 -m venv cache/python
	cache/python/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The examples call aws, and what they call answers from moto's server.
test: $(PYTHON_READY)

layer/cdk/node_modules/.package-lock.json: layer/cdk/package-lock.json
	cd layer/cdk && npm ci --no-audit --no-fund
	@touch $@

.PHONY: node-layer
node-layer: node_modules/.package-lock.json ## Pack Node.js 16 as a layer, for the CDK example
	$(BUN) build/deployments/node-runtime.ts

.PHONY: sar
sar: node_modules/.package-lock.json ## Render the templates of SAR
	$(BUN) build/deployments/release/render-sar.ts

# The checks need the zips of make dist; LAYER_DIST=FOLDER takes those of a release instead.
ifndef LAYER_DIST
deployments: dist/SHA256SUMS
endif

# What make dist writes last; it is made anew only when something that goes into a layer is newer.
dist/SHA256SUMS: dist/bootstrap-amd64 dist/bootstrap-arm64 dist/lambda-shell-linux-amd64 \
  dist/lambda-shell-linux-arm64 build/layer.ts $(wildcard build/layer/*.ts layer/*.json)
	$(MAKE) dist

.PHONY: deployments
deployments: $(PYTHON_READY) layer/cdk/node_modules/.package-lock.json node-layer ## Check every road
	@build/system-packages.sh $(DEPLOYMENT_PROGRAMS)
	timeout 1800 $(BUN) test $(wildcard ./build/deployments/*.check.ts ./build/deployments/*/*.check.ts)

# publish-arm64, -amd64, -wrapper, -all, -layers, -setup, -deploy, -delete, -check.
.PHONY: publish-all
publish-all: ## Publish to SAR (DRY_RUN=1 prints)
	build/deployments/release/publish.sh all
publish-%:
	build/deployments/release/publish.sh $*

.PHONY: check-release
check-release: ## Say whether this version is still to be released
	build/deployments/release/check-release.sh

# One after the other, so that a release that fails says where. The sources are those that the tests
# know, and the same for both architectures: what `auto` takes depends on what can be reached.
.PHONY: release
release: export AWS_CLI := debian
release: export JQ := source
release: check-release ## Build, test, check, render, sum and describe a release
	$(MAKE) check lint
	$(MAKE) dist
	$(MAKE) test
	$(MAKE) test-layer
	$(MAKE) deployments sar
	$(BUN) build/deployments/release/release-notes.ts
	DRY_RUN=1 build/deployments/release/publish.sh all

FUNCTION ?= fixtures/functions/hello

.PHONY: package
package: dist/bootstrap-$(ARCH) ## Zip a function with its runtime: FUNCTION=folder ARCH=arm64
	$(BUN) src/lambda-shell.ts package --with-bootstrap --arch $(ARCH) \
	  --output dist/$(notdir $(FUNCTION:%/=%))-$(ARCH).zip $(FUNCTION)

.PHONY: diagrams
diagrams: node_modules/.package-lock.json ## Draw layer/diagrams/*.dot
	$(BUN) build/deployments/documents/diagrams.ts

.PHONY: figures
figures: node_modules/.package-lock.json ## Quote the newest results of make bench in README.md
	$(BUN) build/deployments/documents/figures.ts
