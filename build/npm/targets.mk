# Packages of the npm registry, and the installation on one computer.

HOST_ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)

# The tool finds the bootstrap beside the file that this leads to.
dist/lambda-shell: dist/lambda-shell-linux-$(HOST_ARCH) dist/bootstrap-$(HOST_ARCH)
	@build/own-files.sh dist
	ln -sf lambda-shell-linux-$(HOST_ARCH) $@

PREFIX ?= $(HOME)/.local

.PHONY: install
install: dist/lambda-shell bootstrap ## build: Install tool, bootstrap and completions into PREFIX (~/.local)
	@build/npm/install.sh dist '$(DESTDIR)$(PREFIX)'

.PHONY: uninstall
uninstall: ## build: Remove what make install put into PREFIX
	@build/npm/install.sh --remove '$(DESTDIR)$(PREFIX)'

layer/cdk/build/lib/index.js: layer/cdk/node_modules/.package-lock.json $(wildcard layer/cdk/lib/*.ts) layer/cdk/tsconfig.json
	@build/own-files.sh layer/cdk layer/cdk/build
	rm -rf layer/cdk/build/lib
	cd layer/cdk && node_modules/.bin/tsc
	@touch $@

.PHONY: npm
npm: bootstrap tool layer/cdk/build/lib/index.js ## build: Make the npm packages: dist/npm/*.tgz
	$(BUN) build/npm/packages.ts

.PHONY: test-npm
test-npm: npm ## test: Install the npm packages into empty folders and run the first minute
	$(BUN) test --timeout 300000 ./build/npm/npm.slow.ts
