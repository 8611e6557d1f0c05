# Targets of deployments and releases; the Makefile includes this file.

DEPLOYMENT_PROGRAMS := busybox=busybox python3:ensurepip=python3-venv setpriv=util-linux \
  unshare=util-linux unzip=unzip zip=zip
# The layers of a release are made from Debian's packages, also where this is another system.
RELEASE_PROGRAMS := unzip=unzip \
  /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring

.PHONY: python
python: $(PYTHON_READY) ## build: Install the locked Python tools (aws, sam, cfn-lint, moto) into cache/

# --no-deps: the lock names every package; a stamp from an older lock starts a clean folder.
$(PYTHON_READY): build/deployments/requirements.txt
	@build/system-packages.sh python3:ensurepip=python3-venv
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$$(python3 --version) is too old: the locked tools (aws, sam, moto) need Python 3.11 or newer" >&2; exit 1; }
	@build/own-files.sh . cache cache/python
	rm -rf cache/python
	python3 -m venv cache/python
	cache/python/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The newest models of AWS's services, read by aws through AWS_DATA_PATH.
BOTOCORE_READY := cache/botocore/.ready

$(BOTOCORE_READY): build/deployments/botocore.txt $(PYTHON_READY)
	@build/own-files.sh cache cache/botocore
	rm -rf cache/botocore
	cache/python/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --target cache/botocore -r $<
	@touch $@

# What looks for settings that are not safe; its pins need an environment of their own.
CHECKOV_READY := cache/checkov/.ready

$(CHECKOV_READY): build/deployments/checkov.txt
	@build/system-packages.sh python3:ensurepip=python3-venv
	@build/own-files.sh . cache cache/checkov
	rm -rf cache/checkov
	python3 -m venv cache/checkov
	cache/checkov/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The examples call aws, and what they call responds from moto's server.
test: $(PYTHON_READY)

layer/cdk/node_modules/.package-lock.json: layer/cdk/package-lock.json
	build/npm-ci.sh layer/cdk
	@touch $@

.PHONY: node-layer
node-layer: node_modules/.package-lock.json ## build: Pack Node.js 16 as a layer, for the CDK example
	$(BUN) build/deployments/node-runtime.ts

.PHONY: sar
sar: node_modules/.package-lock.json ## build: Render the templates of SAR
	$(BUN) build/deployments/release/render-sar.ts

# Among the first prerequisites below: before a layer is built.
.PHONY: deployment-packages
deployment-packages:
	@build/system-packages.sh $(DEPLOYMENT_PROGRAMS) $(if $(LAYER_DIST),,$(LAYER_PROGRAMS))

# The checks need the zips of make dist; LAYER_DIST=FOLDER takes those of a release instead.
ifndef LAYER_DIST
deployments: dist/SHA256SUMS
endif

# What make dist writes last; it is made again only when something that goes into a layer is newer.
dist/SHA256SUMS: dist/bootstrap-amd64 dist/bootstrap-arm64 dist/lambda-shell-linux-amd64 \
  dist/lambda-shell-linux-arm64 build/layer.ts $(wildcard build/layer/*.ts layer/*.json)
	$(MAKE) dist DIST=dist

# The checks enter the roots of images, and are there the users whom the images name.
.PHONY: deployments
deployments: root deployment-packages $(PYTHON_READY) $(BOTOCORE_READY) $(CHECKOV_READY) layer/cdk/node_modules/.package-lock.json node-layer ## test: Check all deployment options (root)
	timeout 2700 $(BUN) test --timeout 300000 $(wildcard ./build/deployments/*.check.ts ./build/deployments/*/*.check.ts)

# Not part of a check: it says when a tool learns what ours must be told, and so fails one day. Newer
# versions then go into the lock files, and the exceptions out of the templates.
.PHONY: newest-tools
newest-tools: $(PYTHON_READY) $(BOTOCORE_READY) node_modules/.package-lock.json ## test: Report whether the newest cfn-lint, SAM and CDK know customer-managed runtimes
	@build/system-packages.sh python3:ensurepip=python3-venv
	@build/own-files.sh . cache cache/newest
	rm -rf cache/newest
	python3 -m venv cache/newest
	cache/newest/bin/pip install --quiet --disable-pip-version-check \
	  -r build/deployments/requirements.in
	npm install --no-audit --no-fund --loglevel=error --prefix cache/newest aws-cdk-lib@latest constructs
	PYTHON_PROGRAMS=$(CURDIR)/cache/newest/bin CDK_MODULES=$(CURDIR)/cache/newest/node_modules \
	  $(BUN) test --timeout 300000 -t 'cfn-lint|SAM accepts|CDK does' \
	  ./build/deployments/templates/runtime-templates.check.ts

# DRY_RUN=1 prints what each of these would do; ENV=dev takes names of its own.
PUBLISH := publish-all publish-arm64 publish-amd64 publish-wrapper publish-layers publish-setup \
  publish-deploy publish-delete publish-check
.PHONY: $(PUBLISH)
publish-all: ## release: Publish all applications to SAR (DRY_RUN=1 prints)
publish-arm64: ## release: Publish the application for arm64 to SAR
publish-amd64: ## release: Publish the application for x86_64 to SAR
publish-wrapper: ## release: Publish the application for both architectures to SAR
publish-layers: ## release: Publish plain layer versions, without SAR
publish-setup: ## release: Make the bucket that SAR and Lambda read
publish-deploy: ## release: Deploy a stack with both layers from SAR
publish-delete: ## release: Delete the applications (ENV=prod: with ALLOW_PROD_DELETE=1)
publish-check: ## release: Report whether publishing is possible: tools, files, account
$(PUBLISH): publish-%: node_modules/.package-lock.json
	build/deployments/release/publish.sh $*

.PHONY: publish-runtime
publish-runtime: ## release: Publish the customer-managed runtime (ARGS=--promote)
	layer/runtime/publish.sh $(ARGS)

# Who passes the tool on, in an image for one, passes the licences on.
tool deployments: licenses

.PHONY: licenses
licenses: node_modules/.package-lock.json ## build: Write dist/LICENSES.txt: the licences of the executables
	@mkdir -p dist
	$(BUN) build/deployments/release/licenses.ts

.PHONY: check-release
check-release: ## release: Report whether this version is still to be released
	build/deployments/release/check-release.sh

# One after the other, so that a release that fails says where. The sources are those that the tests
# know, and the same for both architectures: what `auto` takes depends on what can be reached.
.PHONY: release
release: export AWS_CLI := debian
release: export JQ := source
release: root check-release ## release: Build, test, check, render, sum and describe a release (root)
	$(MAKE) check lint
	$(MAKE) dist
	$(MAKE) test
	$(MAKE) test-layer
	$(MAKE) deployments sar
	$(MAKE) test-npm
	$(BUN) build/deployments/release/release-notes.ts
	DRY_RUN=1 build/deployments/release/publish.sh all

FUNCTION ?= fixtures/functions/hello

# The shell reads it from its environment, so that a path may have spaces.
package: export FUNCTION_FOLDER = $(FUNCTION)

.PHONY: package
package: dist/bootstrap-$(ARCH) ## build: Zip a function with its runtime: FUNCTION=folder ARCH=arm64
	$(BUN) src/lambda-shell.ts package --with-bootstrap --arch $(ARCH) \
	  --output "dist/$$(basename "$$FUNCTION_FOLDER")-$(ARCH).zip" "$$FUNCTION_FOLDER"

.PHONY: diagrams
diagrams: node_modules/.package-lock.json ## build: Draw layer/diagrams/*.dot
	$(BUN) build/deployments/documents/diagrams.ts

.PHONY: figures
figures: node_modules/.package-lock.json ## build: Quote the newest results of make bench in README.md
	$(BUN) build/deployments/documents/figures.ts
