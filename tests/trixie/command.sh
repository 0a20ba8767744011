# A recipe for make.sh: what the package of the command is made with, looked at with, and runs on.

keyed_by() { :; }

fill() {
    local root=$1
    inside apt-get -q -o Acquire::Languages=none update
    inside apt-get -q install -y --no-install-recommends debhelper dpkg-dev lintian man-db iproute2 iptables nftables systemd \
        systemd-sysv systemd-resolved dbus kmod procps libc-bin
}
