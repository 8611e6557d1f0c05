# Cold start: the prefetch stub, its page profiles and its benches. build/prefetch/README.md.

.PHONY: page-profile-packages
page-profile-packages:
	@build/system-packages.sh cc=gcc gencat=libc6-dev qemu-aarch64-static=qemu-user-static \
	  /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1=libc6-arm64-cross

.PHONY: page-profile
page-profile: root page-profile-packages node_modules/.package-lock.json ## build: Take new page profiles of the pinned Bun (root)
	$(BUN) build/prefetch/profile.ts

.PHONY: bench-cold-packages
bench-cold-packages:
	@build/system-packages.sh cc=gcc gencat=libc6-dev as=binutils curl=curl mke2fs=e2fsprogs losetup=mount

# In a mount namespace of its own: another's copy of a mount would keep its pages in memory.
.PHONY: bench-cold
bench-cold: root bench-cold-packages node_modules/.package-lock.json ## bench: Measure starts from cold storage (root)
	unshare --mount $(BUN) build/bench/cold-start.ts

.PHONY: test-kernels-packages
test-kernels-packages:
	@build/system-packages.sh busybox=busybox qemu-system-x86_64=qemu-system-x86

# Needs Debian's archive; three minutes without KVM. KERNELS names some of Debian's releases.
.PHONY: test-kernels
test-kernels: test-kernels-packages node_modules/.package-lock.json ## test: Handle events on Linux 5.10, 6.1, 6.12 and the newest
	$(BUN) test ./build/prefetch/kernels.slow.ts
