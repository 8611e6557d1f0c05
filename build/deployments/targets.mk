# Targets of deployments and releases; the Makefile includes this file.

PYTHON_READY := cache/python/.ready

.PHONY: python
python: $(PYTHON_READY) ## Install the locked Python tools (aws, sam, cfn-lint, moto) into cache/

# --no-deps: the lock names every package; a stamp from an older lock starts a clean folder.
$(PYTHON_READY): build/deployments/requirements.txt
	rm -rf cache/python
	python3 -m venv cache/python
	cache/python/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The examples call aws, and what they call answers from moto's server.
test: $(PYTHON_READY)
