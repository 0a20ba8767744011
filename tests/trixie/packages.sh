# A recipe for make.sh: Rust from the backports and what debian/control of the C library asks for.

control=bindings/c/packaging/debian/control

keyed_by() { grep '^Build-Depends:' "$control"; }

fill() {
    local root=$1 mirror=$2
    echo "deb $mirror trixie-backports main" >"$root/etc/apt/sources.list.d/backports.list"
    printf 'Package: src:rustc src:cargo\nPin: release n=trixie-backports\nPin-Priority: 990\n' >"$root/etc/apt/preferences.d/rust"
    mkdir -p "$root/srv/asked/debian" && cp "$control" "$root/srv/asked/debian/"
    inside apt-get -q -o Acquire::Languages=none update
    # Beside what control asks for: what a program is built with, and what looks at packages.
    inside apt-get -q install -y --no-install-recommends pkgconf lintian
    (cd / && inside sh -c 'cd /srv/asked && apt-get -q build-dep -y --no-install-recommends .')
    inside rustc --version
    rm -rf "$root/srv/asked"
}
