# The commands people type. `make help` lists them.
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
CARGO ?= cargo

.PHONY: help setup build demo quick interop test bench bench-quick install install-command install-files install-c uninstall uninstall-command uninstall-c deb

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

install-command: build ## install the command, manual, completions and units of systemd alone
	@$(MAKE) --no-print-directory install-files

# What is built already.
share = $(DESTDIR)$(PREFIX)/share
units = underpass@.service underpass-lockdown.service underpass.target
completions = bash-completion/completions/underpass zsh/site-functions/_underpass fish/vendor_completions.d/underpass.fish
install-files:
	install -D -m 755 target/release/underpass $(DESTDIR)$(PREFIX)/bin/underpass
	target/release/underpass man --output-dir $(share)/man
	install -d $(dir $(addprefix $(share)/,$(completions))) $(DESTDIR)$(UNITDIR)
	target/release/underpass completions bash > $(share)/$(word 1,$(completions))
	target/release/underpass completions zsh > $(share)/$(word 2,$(completions))
	target/release/underpass completions fish > $(share)/$(word 3,$(completions))
	for unit in $(units); do \
		sed 's|@BINDIR@|$(PREFIX)/bin|g' linux/packaging/$$unit > $(DESTDIR)$(UNITDIR)/$$unit && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit; \
	done

uninstall: uninstall-command uninstall-c ## take all of it away again

uninstall-command: ## take the command away again; configurations stay
	rm -f $(DESTDIR)$(PREFIX)/bin/underpass $(addprefix $(share)/,$(completions)) $(addprefix $(DESTDIR)$(UNITDIR)/,$(units))
	rm -f $(share)/man/man8/underpass.8 $(share)/man/man8/underpass-*.8 $(share)/man/man5/underpass.conf.5

deb: build ## make a Debian package of the command: target/deb (needs debhelper)
	linux/packaging/deb.sh target/deb

install-c: ## install the C library alone: headers, static and shared, pkg-config, CMake (see bindings/c/Makefile)
	@tests/setup.sh build
	@$(MAKE) -C bindings/c install

uninstall-c: ## take the C library away again
	@$(MAKE) -C bindings/c uninstall
