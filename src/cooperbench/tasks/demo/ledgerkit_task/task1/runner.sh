#!/bin/sh
# runner.sh <tests.patch> [<feature.patch>]
#
# Puts the repository back to its last commit, applies the feature patch and then the hidden tests, and runs the tests.
# Both names are relative to /patches. The exit code is that of the tests: 0 when they pass. Nothing is installed and
# nothing is fetched. REPO_DIR and PATCHES_DIR are for running this script outside of the image.
set -eu

repo=${REPO_DIR:-/workspace/repo}
patches=${PATCHES_DIR:-/patches}

fail() {
    echo "runner: $*" >&2
    exit 3
}

apply() {
    [ -f "$patches/$1" ] || fail "no such patch: $patches/$1"
    if [ ! -s "$patches/$1" ]; then
        echo "runner: $1 is empty, nothing to apply"
    elif git apply --whitespace=nowarn "$patches/$1"; then
        echo "runner: $1 applied"
    elif git apply --3way --whitespace=nowarn "$patches/$1"; then
        echo "runner: $1 applied (3-way)"
    else
        fail "$1 cannot be applied"
    fi
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: runner.sh <tests.patch> [<feature.patch>]"
cd "$repo" || fail "no repository at $repo"
# The repository may belong to another user than the one who runs this.
git config --global --get-all safe.directory 2>/dev/null | grep -qxF "$repo" ||
    git config --global --add safe.directory "$repo" 2>/dev/null || true
git reset --hard --quiet || fail "cannot reset the repository"
git clean -fdq || fail "cannot clean the repository"

[ $# -eq 1 ] || apply "$2"
apply "$1"

# Patches of the same second and size must not meet old byte code.
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
find . -name __pycache__ -type d -prune -exec rm -rf {} +

python3 -m pytest -q -p no:cacheprovider tests
