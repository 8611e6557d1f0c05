# The layer: what users deploy.

.PHONY: dist
dist: bootstrap tool ## Build every artefact: executables, layers, checksums
	$(BUN) build/layer.ts

.PHONY: reproduce
reproduce: node_modules/.package-lock.json ## Build everything twice, apart, and compare
	$(BUN) build/layer/reproduce.ts

.PHONY: test-layer
test-layer: node_modules/.package-lock.json $(PYTHON_READY) ## Test the finished zips of `make dist`
	$(BUN) test --timeout 600000 $(wildcard ./build/layer/*.slow.ts)

.PHONY: bench-aws-cli
bench-aws-cli: node_modules/.package-lock.json ## Time the layer's AWS CLI beside the untouched one (root)
	$(BUN) build/layer/compare-aws-cli.ts
