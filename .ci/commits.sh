#!/usr/bin/env bash
# Checks commit subjects: `scope: what changes`, at most 72 characters.
#
#   commits.sh BASE   every commit since BASE, a branch or a commit
#   commits.sh FILE   the message in FILE, as git's hook commit-msg calls it
set -euo pipefail
export LC_ALL=C.UTF-8

if [[ -f "${1:?usage: commits.sh BASE|FILE}" ]]; then
    subjects=$(grep -v '^#' "$1" | head -n 1)
else
    subjects=$(git log --no-merges --format=%s "$1..HEAD")
fi
wrong=$(
    # What git itself writes for a revert or a fix-up may stand.
    grep -vE '^([a-z][a-z0-9_, -]*: .|Revert "|fixup! |$)' <<<"$subjects" | sed 's/^/no scope: /'
    grep -E '.{73}' <<<"$subjects" | sed 's/^/over 72 characters: /'
) || true
if [[ -n "$wrong" ]]; then
    printf '%s\n' "$wrong" 'write "scope: what changes", such as "runner: stop at the first Ctrl-C"' >&2
    exit 1
fi
