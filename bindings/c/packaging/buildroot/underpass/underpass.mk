################################################################################
#
# underpass
#
################################################################################

# There is no site to fetch it from yet: the tarball of `make -C bindings/c dist` lies beside this file. Buildroot's host-rustc
# must be Rust 1.89 or newer.
UNDERPASS_VERSION = 0.1.0
UNDERPASS_SOURCE = underpass-$(UNDERPASS_VERSION).tar.xz
UNDERPASS_SITE = $(UNDERPASS_PKGDIR)
UNDERPASS_SITE_METHOD = file
UNDERPASS_LICENSE = MIT or Apache-2.0
UNDERPASS_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
UNDERPASS_INSTALL_STAGING = YES
UNDERPASS_DEPENDENCIES = host-rustc

# Crates are in the tarball, so this is no cargo-package: nothing is to be fetched and vendored again.
UNDERPASS_MAKE = \
	$(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) $(MAKE) -C $(@D)/bindings/c \
	PROFILE=router TARGET=$(RUSTC_TARGET_NAME) CC="$(TARGET_CC)" AR="$(TARGET_AR)" OBJCOPY="$(TARGET_OBJCOPY)" \
	READELF="$(TARGET_READELF)" LDFLAGS="$(TARGET_LDFLAGS)" PREFIX=/usr $(if $(BR2_STATIC_LIBS),STATIC_ONLY=1)

define UNDERPASS_BUILD_CMDS
	$(UNDERPASS_MAKE) $(if $(BR2_STATIC_LIBS),static)
endef

define UNDERPASS_INSTALL_STAGING_CMDS
	$(UNDERPASS_MAKE) install DESTDIR="$(STAGING_DIR)"
endef

define UNDERPASS_INSTALL_TARGET_CMDS
	$(UNDERPASS_MAKE) install DESTDIR="$(TARGET_DIR)"
endef

$(eval $(generic-package))
