# A recipe for make.sh: Swift with its package manager and test libraries, and folders where a test's own are mounted.

keyed_by() { :; }

fill() {
    local root=$1
    inside apt-get -q -o Acquire::Languages=none update
    inside apt-get -q install -y --no-install-recommends ca-certificates swiftlang libc6-dev libstdc++-14-dev gcc git pkgconf
    inside swiftc --version
    mkdir -p "$root/srv/project" "$root/srv/build"
}
