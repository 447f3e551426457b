#!/usr/bin/env bash
# Builds the images that the container tests run on, from Debian packages alone: no registry is needed. `make images` calls it.
# Where that is not possible it says why in one line.
#
#   cooperbench-test/base     Debian with git, Python, pip, pytest; root; what task images are built from
#   cooperbench-test/sandbox  a repository at /workspace/repo, and what gets in the way of a careless launcher:
#                             an ENTRYPOINT that is no shell, an ENV variable, a tool on a PATH of the image's own
#   cooperbench-test/nonroot  the same repository, owned and used by `dev` (1000)
#   cooperbench-test/busybox  one static binary: no bash, no git, no coreutils
#   cooperbench-test/vm       the base with sshd and iptables: a machine of the stand-in for Google Cloud
#   cooperbench-test/go, rust, node  the base with Go, with cargo, with node, npm and jest (Babel reads TypeScript); 15 to 25 s each
#
#   COOPERBENCH_CI_CACHE   where the bootstrapped system is kept (default /var/cache/cooperbench-ci)
#   COOPERBENCH_CI_MIRROR  Debian mirror (default: the one apt uses here)
set -euo pipefail

cache=${COOPERBENCH_CI_CACHE:-/var/cache/cooperbench-ci}
suite=bookworm
architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)
# python-is-python3: task runners call `python` and `pip`, as the official Python images have them.
include=git,python3,python-is-python3,python3-pip,python3-venv,python3-pytest,ca-certificates,procps

cannot() { # REASON
    echo "images: cannot be built here: $1" >&2
    exit 1
}
docker version >/dev/null 2>&1 || cannot "no Docker engine answers (install and start one, or set DOCKER_HOST)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One name for one content: a change of what goes in makes a new tarball and a new image, and nothing else does.
rootfs_key=$(printf '%s\n' "$suite" "$architecture" "$include" 1 | sha256sum | cut -c1-12)
rootfs_tar=$cache/rootfs-$suite-$architecture-$rootfs_key.tar
rootfs_image=cooperbench-test/rootfs:$rootfs_key

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

mirror() {
    if [[ -n "${COOPERBENCH_CI_MIRROR:-}" ]]; then
        echo "$COOPERBENCH_CI_MIRROR"
        return
    fi
    local used
    # shellcheck disable=SC2016  # the fields are for apt, not for the shell
    used=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v suite="$suite" '$1 == "Debian" && $2 == suite { print $3; exit }')
    echo "${used:-http://deb.debian.org/debian}"
}

bootstrap() {
    [[ -s "$rootfs_tar" ]] && return
    command -v debootstrap >/dev/null || cannot "debootstrap is not installed (sudo apt-get install debootstrap)"
    [[ "$(id -u)" == 0 ]] || cannot "debootstrap needs root (sudo make images)"
    mkdir -p "$cache"
    echo "images: bootstrapping Debian $suite (about a minute)"
    local root=$work/rootfs
    if ! debootstrap --variant=minbase --include="$include" "$suite" "$root" "$(mirror)" >"$work/debootstrap.log" 2>&1; then
        [[ -z "${CI:-}" ]] || tail -n 20 "$work/debootstrap.log" "$root/debootstrap/debootstrap.log" >&2 2>/dev/null || true
        cannot "debootstrap failed: $(tail -n 1 "$work/debootstrap.log") (the Debian mirror is $(mirror); COOPERBENCH_CI_MIRROR is another)"
    fi
    # A container is the environment already; Debian's refusal to install beside its own packages is meant for desktops.
    rm -f "$root"/usr/lib/python3.*/EXTERNALLY-MANAGED
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
        "$root"/usr/share/{doc,man,locale,info}/* "$root"/var/log/{bootstrap.log,dpkg.log}
    # Devices are the engine's business. Written beside and renamed: a tarball that exists is whole.
    tar --directory "$root" --numeric-owner --exclude='./dev/*' --create --file "$rootfs_tar.$$" .
    mv "$rootfs_tar.$$" "$rootfs_tar"
}

# Some machines reach the package registries through an index or a certificate authority of their own. Both go into the
# local image, from the settings of the machine that builds it, so nothing of it is ever written in the project. Indexes
# in local directories are left out: those directories do not exist in a container.
pip_settings() {
    echo '[global]'
    # A machine without pip has no settings of it; the first of two equal keys is the environment's, which wins.
    { python3 -m pip config list 2>/dev/null || true; } |
        sed -n -E "s/^(global|:env:)\.(index-url|extra-index-url|trusted-host|default-timeout|timeout|retries)='(.*)'$/\2 \3/p" |
        while read -r key value; do
            local kept=
            for word in $value; do
                [[ "$word" == file:* || "$word" == /* ]] || kept+=" $word"
            done
            if [[ -n "$kept" ]]; then echo "$key =$kept"; fi
        done | sort -u -t= -k1,1
}

build() { # NAME, with its Dockerfile on stdin and $work/context as context
    local log=$work/build.log
    cat >"$work/Dockerfile"
    # The engine's own cache makes an unchanged image a matter of a tenth of a second.
    if ! docker build --network host --tag "cooperbench-test/$1:latest" --file "$work/Dockerfile" "$work/context" >"$log" 2>&1; then
        [[ -z "${CI:-}" ]] || tail -n 30 "$log" >&2
        cannot "docker build of $1 failed: $(grep . "$log" | tail -n 1)"
    fi
    echo "images: cooperbench-test/$1:latest"
}

build_base() {
    if ! has_image "$rootfs_image"; then
        bootstrap
        docker import --change 'CMD ["bash"]' "$rootfs_tar" "$rootfs_image" >/dev/null
    fi
    pip_settings >"$work/context/pip.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$work/context/ca-certificates.crt"
    chmod 644 "$work/context"/*
    build base <<DOCKERFILE
FROM $rootfs_image
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
ENV LANG=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
DOCKERFILE
}

# The same commit on every machine: fixed author, fixed date.
make_repository='mkdir -p /workspace/repo && cd /workspace/repo && git init --quiet --initial-branch=main \
    && printf "def answer():\n    return 42\n" >answer.py \
    && printf "from answer import answer\n\n\ndef test_answer():\n    assert answer() == 42\n" >test_answer.py \
    && printf "__pycache__/\n" >.gitignore && git add --all \
    && GIT_AUTHOR_DATE="2024-01-01T00:00:00Z" GIT_COMMITTER_DATE="2024-01-01T00:00:00Z" \
       git -c user.name=upstream -c user.email=upstream@example.com commit --quiet --message "Base commit"'

build_sandbox() {
    build sandbox <<DOCKERFILE
FROM cooperbench-test/base:latest
RUN mkdir -p /opt/tools/bin && printf '#!/bin/sh\necho tool-ok\n' >/opt/tools/bin/mytool && chmod 755 /opt/tools/bin/mytool
ENV IMG_VAR=from-image PATH=/opt/tools/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN $make_repository
WORKDIR /workspace/repo
ENTRYPOINT ["/usr/bin/printf", "the entrypoint ran with: %s\\\\n"]
DOCKERFILE
}

build_nonroot() {
    build nonroot <<DOCKERFILE
FROM cooperbench-test/base:latest
RUN useradd --uid 1000 --create-home --shell /bin/bash dev && mkdir /workspace && chown dev:dev /workspace
USER dev
RUN $make_repository
WORKDIR /workspace/repo
DOCKERFILE
}

build_busybox() {
    if ! [[ -x /bin/busybox ]] || ldd /bin/busybox >/dev/null 2>&1; then
        cannot "there is no static /bin/busybox (sudo apt-get install busybox-static)"
    fi
    local image=cooperbench-test/busybox:latest root=$work/busybox
    local key
    key=$(sha256sum /bin/busybox | cut -c1-12)
    if [[ "$(docker image inspect --format '{{index .Config.Labels "cooperbench-test.busybox"}}' "$image" 2>/dev/null)" != "$key" ]]; then
        mkdir -p "$root"/{bin,etc,root,usr,var} "$root/tmp"
        chmod 1777 "$root/tmp"
        cp /bin/busybox "$root/bin/busybox"
        # Its own links, as its users have them; all in /bin, so that the default PATH finds them.
        local applet
        for applet in $(/bin/busybox --list); do
            [[ "$applet" == busybox ]] || ln -s busybox "$root/bin/$applet"
        done
        echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
        echo 'root:x:0:' >"$root/etc/group"
        tar --directory "$root" --numeric-owner --owner 0 --group 0 --create . |
            docker import --change 'CMD ["sh"]' --change "LABEL cooperbench-test.busybox=$key" - "$image" >/dev/null
    fi
    echo "images: $image"
}

build_with() { # NAME PACKAGES
    build "$1" <<DOCKERFILE
FROM cooperbench-test/base:latest
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/* /etc/ssh/ssh_host_*
DOCKERFILE
}

mkdir -p "$work/context"
build_base
build_sandbox
build_nonroot
build_busybox
build_with vm "openssh-server iptables"
build_with go golang-go
build_with rust cargo
build_with node "jest npm"
