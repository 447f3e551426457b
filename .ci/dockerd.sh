#!/usr/bin/env bash
# Starts a Docker engine when none answers, and waits until it does. `dockerd.sh stop` ends the one started here.
#
#   COOPERBENCH_CI_DOCKERD_FLAGS   more flags for dockerd, for machines where the plain call does not work
#                                  (for example "--storage-driver=vfs" inside a container without overlay)
set -euo pipefail

state=${COOPERBENCH_CI_STATE:-/run/cooperbench-ci}
log=$state/dockerd.log
pidfile=$state/dockerd.pid
wait_seconds=60

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Is the process in this pid file really that program? Machines that are stored and started again keep their pid files,
# and by then the number belongs to someone else, which dockerd and its containerd take for a running twin.
runs() { # FILE PROGRAM
    local pid
    pid=$(cat "$1" 2>/dev/null) && [[ -n "$pid" && "$(cat "/proc/$pid/comm" 2>/dev/null)" == "$2" ]]
}

start() {
    if answers; then
        echo "dockerd: version $(docker version --format '{{.Server.Version}}') answers"
        return
    fi
    if [[ -n "${DOCKER_HOST:-}" ]]; then
        # Starting a local engine would leave the client talking to the other one all the same.
        echo "dockerd: DOCKER_HOST=$DOCKER_HOST does not answer" >&2
        return 1
    fi
    if ! command -v dockerd >/dev/null; then
        echo "dockerd: not installed; run packages.sh first" >&2
        return 1
    fi
    mkdir -p "$state"
    runs "$pidfile" dockerd || rm -f "$pidfile"
    local containerd_pidfile=/var/run/docker/containerd/containerd.pid
    runs "$containerd_pidfile" containerd || rm -f "$containerd_pidfile"

    local flags
    read -ra flags <<<"${COOPERBENCH_CI_DOCKERD_FLAGS:-}"
    # A session of its own, so that Ctrl-C in a test run leaves it alone; no descriptor of ours, so that whoever reads
    # the output of this script sees its end.
    (cd / && exec setsid dockerd --pidfile "$pidfile" "${flags[@]}") >"$log" 2>&1 </dev/null &
    local pid=$! deadline=$((SECONDS + wait_seconds))
    until answers; do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
            echo "dockerd: no answer; the end of $log:" >&2
            tail -n 20 "$log" >&2
            return 1
        fi
        sleep 0.2
    done
    echo "dockerd: started, $(docker info --format '{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}')"
}

stop() {
    runs "$pidfile" dockerd || return 0
    local pid
    pid=$(cat "$pidfile")
    kill "$pid"
    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.2
    done
    echo "dockerd: process $pid is still there after 20 seconds" >&2
    return 1
}

case ${1:-start} in
start) start ;;
stop) stop ;;
*)
    echo "usage: dockerd.sh [start|stop]" >&2
    exit 2
    ;;
esac
