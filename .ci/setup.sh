#!/usr/bin/env bash
# Makes a Debian 12 machine ready for the whole test suite: packages, a Docker engine, test images, Podman. May be run again and
# again; what is there already is left alone. Needs root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ "$(id -u)" != 0 ]]; then
    echo "setup: needs root (it installs packages and starts a Docker engine)" >&2
    exit 1
fi
bash "$here/packages.sh"
bash "$here/dockerd.sh" start
bash "$here/images.sh"
bash "$here/podman.sh"
