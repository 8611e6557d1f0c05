# Cold start: the prefetch stub, its page profiles and its benches. build/prefetch/README.md.

.PHONY: page-profile
page-profile: node_modules/.package-lock.json ## Take the page profiles of the pinned Bun anew (root)
	$(BUN) build/page-profile.ts
