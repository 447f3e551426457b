#!/usr/bin/env bash
# Installs the Debian packages that the tests drive as real peers. Does nothing when all of them are there.
#
#   COOPERBENCH_CI_EXTRA_PACKAGES   further packages, separated by blanks (podman, ...)
set -euo pipefail

packages=(
    docker.io iptables          # the engine, and the firewall its bridge network is made of
    debootstrap busybox-static  # test images without a registry
    bubblewrap                  # the local sandbox
    skopeo umoci                # container images without an engine
    redis-server                # a real message broker
    chromium chromium-driver    # the browser that looks at the viewer's pages
    openssh-server openssh-client
    slurm-wlm munge             # a cluster of two nodes
    fuse3                       # a disk like a network's
    git iproute2 procps ca-certificates
)
read -ra extra <<<"${COOPERBENCH_CI_EXTRA_PACKAGES:-}"
packages+=("${extra[@]}")

missing=()
for package in "${packages[@]}"; do
    # "install ok installed" only: a removed package whose configuration is still there must be installed again.
    if [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
        missing+=("$package")
    fi
done
if ((${#missing[@]} == 0)); then
    echo "packages: all ${#packages[@]} are installed"
    exit 0
fi
echo "packages: installing ${missing[*]}"

# Debian starts a service when it is installed. The tests start their own, on their own ports; a redis or an sshd left
# running on the default port would be one more thing that can answer in their place.
if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
# The lock is waited for: two jobs on one machine install at the same time more often than one expects.
apt_get=(apt-get --quiet=2 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
install=("${apt_get[@]}" install --yes --no-install-recommends "${missing[@]}")

# The package lists of a new machine are absent or old. Old ones are noticed only when a download fails, so a failure
# is retried with fresh lists; the common case pays for no update.
log=$(mktemp)
if ! "${install[@]}" >"$log" 2>&1; then
    # One unreachable source of several makes this fail; the second install tells whether it mattered.
    "${apt_get[@]}" update >/dev/null || true
    if ! "${install[@]}" >"$log" 2>&1; then
        echo "packages: apt-get install failed:" >&2
        tail -n 30 "$log" >&2
        exit 1
    fi
fi
rm -f "$log"
