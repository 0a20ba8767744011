# Stands for OpenWrt's package.mk and rust-package.mk in tests/c/packages.sh: the variables that the recipe reads, as those set
# them, and BuildPackage, which runs what the recipe defines.
RUSTC_TARGET_ARCH := $(HARNESS_TARGET)
TARGET_CC_NOCACHE := $(HARNESS_CC)
TARGET_AR := ar
TARGET_OBJCOPY := objcopy
TARGET_CROSS :=
TARGET_LDFLAGS := -Wl,-z,relro
PKG_INSTALL_DIR := $(OUT)/installed
INSTALL_DIR := install -d -m0755
CP := cp -fpR
# Of rust-values.mk: what could change how the library is made. Panics would abort in its profile `release`.
CARGO_PKG_VARS = CARGO_BUILD_TARGET=$(RUSTC_TARGET_ARCH) CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_LTO=true \
	CARGO_TARGET_$(subst -,_,$(shell echo $(RUSTC_TARGET_ARCH) | tr a-z A-Z))_LINKER=$(TARGET_CC_NOCACHE) \
	RUSTFLAGS="-Ctarget-feature=-crt-static" CC=gcc MAKEFLAGS=""

define BuildPackage
.PHONY: package
package:
	test "$(PKG_VERSION)" = "$(HARNESS_VERSION)"
	test "$(PKG_SOURCE)" = "underpass-$(HARNESS_VERSION).tar.xz"
	$$(Build/Compile)
	$$(Build/Install)
	$$(call Build/InstallDev,$(OUT)/staging)
	$$(call Package/$(1)/install,$(OUT)/ipkg)
endef
