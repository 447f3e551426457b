#!/usr/bin/env bash
# Installs Podman, serves its Docker-compatible socket, and gives it the test images of the Docker engine.
# Prints the DOCKER_HOST to use. `podman.sh stop` ends the service started here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=${COOPERBENCH_CI_STATE:-/run/cooperbench-ci}
socket=$state/podman.sock
pidfile=$state/podman.pid
export CONTAINERS_CONF=$state/containers.conf

serves() { DOCKER_HOST=unix://$socket docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

if [[ "${1:-start}" == stop ]]; then
    pid=$(cat "$pidfile" 2>/dev/null || true)
    if [[ -n "$pid" && "$(cat "/proc/$pid/comm" 2>/dev/null)" == podman ]]; then kill "$pid"; fi
    rm -f "$pidfile" "$socket"
    exit 0
fi

# catatonit is what `--init` runs, which Debian only recommends.
COOPERBENCH_CI_EXTRA_PACKAGES="podman catatonit" bash "$here/packages.sh"
mkdir -p "$state"
# Podman asks for a million open files in each container. Where the caller may not raise its own limit (a virtual machine
# without CAP_SYS_RESOURCE), every container then fails to start with "error setting rlimit type 7". Stay below it.
limit() { # HARD_LIMIT
    if [[ "$1" == unlimited ]] || (($1 > 16384)); then echo 16384; else echo "$1"; fi
}
files=$(limit "$(ulimit -H -n)") processes=$(limit "$(ulimit -H -u)")
cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
CONF

if ! serves; then
    # From /: a service whose working directory has been removed cannot start containers any more.
    (cd / && exec setsid podman system service --time=0 "unix://$socket") >"$state/podman.log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    for ((i = 0; i < 100; i++)); do
        serves && break
        sleep 0.1
    done
    if ! serves; then
        echo "podman: no answer; the end of $state/podman.log:" >&2
        tail -n 20 "$state/podman.log" >&2
        exit 1
    fi
fi
for image in base sandbox nonroot busybox; do
    name=cooperbench-test/$image:latest
    id=$(docker image inspect --format '{{.Id}}' "$name")
    if [[ "$(podman image inspect --format '{{.Id}}' "localhost/$name" 2>/dev/null)" != "${id#sha256:}" ]]; then
        docker save "$name" | podman load --quiet >/dev/null
    fi
done
echo "podman: $(podman --version | awk '{ print $3 }') serves DOCKER_HOST=unix://$socket"
