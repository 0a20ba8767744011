# Stands for Buildroot in tests/c/packages.sh: the variables that the recipe reads, as its infrastructure sets them, and
# generic-package, whose steps are run in its order.
RUSTC_TARGET_NAME := $(HARNESS_TARGET)
TARGET_CC := $(HARNESS_CC)
TARGET_AR := ar
TARGET_OBJCOPY := objcopy
TARGET_READELF := readelf
TARGET_LDFLAGS := -Wl,-z,relro
STAGING_DIR := $(OUT)/staging
TARGET_DIR := $(OUT)/target
TARGET_MAKE_ENV = PATH="$(PATH)"
PKG_CARGO_ENV = CARGO_BUILD_TARGET="$(RUSTC_TARGET_NAME)" \
	CARGO_TARGET_$(subst -,_,$(shell echo $(RUSTC_TARGET_NAME) | tr a-z A-Z))_LINKER=$(TARGET_CC)
generic-package =

include $(RECIPE)

.PHONY: package
# Of `@D` is asked in the rule of a stamp in the build folder.
package: $(TREE)/.stamp
$(TREE)/.stamp: FORCE
	test "$(UNDERPASS_VERSION)" = "$(HARNESS_VERSION)"
	$(UNDERPASS_BUILD_CMDS)
	$(UNDERPASS_INSTALL_STAGING_CMDS)
	$(UNDERPASS_INSTALL_TARGET_CMDS)
.PHONY: FORCE
FORCE:
