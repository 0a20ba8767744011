# The commands people type. `make help` lists them.
PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo

.PHONY: help setup build demo quick interop test bench bench-quick install install-command install-c uninstall-c

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the tests need and this machine lacks (Debian packages, Rust components)
	@tests/setup.sh test

build: ## build the underpass command, optimised
	@tests/setup.sh build
	$(CARGO) build --release -p underpass-linux

demo: ## see it work: real tunnels in network namespaces as root, the same story in one process without
	@tests/setup.sh $(if $(filter 0,$(shell id -u)),demo,build)
	$(CARGO) build --release -p underpass-linux
	target/release/underpass demo

quick: ## format check, lints, and the tests that need no network: under three minutes
	@tests/run.sh quick

interop: ## the tests in network namespaces against real peers, through sudo where this is not root
	@tests/run.sh interop

test: ## everything: installs what it needs, ends with `N passed, N failed`
	@tests/run.sh all

bench: ## measure beside boringtun, gotatun, sanstun and wireguard-go; writes docs/benchmarks.md (some twenty minutes)
	@bench/run.sh full

bench-quick: ## a taste of that in under two minutes, once built; writes nothing
	@bench/run.sh quick

install: install-command install-c ## install the command and the C library into DESTDIR and PREFIX (default /usr/local)

install-command: build ## install the command, man pages and completions alone
	install -D -m 755 target/release/underpass $(DESTDIR)$(PREFIX)/bin/underpass
	target/release/underpass man --output-dir $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	target/release/underpass completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/underpass
	target/release/underpass completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_underpass
	target/release/underpass completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/underpass.fish

install-c: ## install the C library alone: headers, static and shared, pkg-config, CMake (see bindings/c/Makefile)
	@tests/setup.sh build
	@$(MAKE) -C bindings/c install

uninstall-c: ## take the C library away again
	@$(MAKE) -C bindings/c uninstall
