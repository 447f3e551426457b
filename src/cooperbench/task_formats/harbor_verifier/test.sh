#!/bin/sh
# Judges the work that was handed in, in a container of its own: Harbor runs this after the agent's container is gone.
#   /logs/artifacts/work         the work tree, as capture.sh read it in the agent's container
#   /logs/verifier/reward.json   1 or 0 for the whole, as `reward`, and for each feature
#   /logs/verifier/verdict.txt   the reason for each feature, and what was left out; the output of each suite lies beside it
# The gold patch runs first: what it makes pass has to pass. Where it fails itself, no reward is written, and Harbor records an error.
here=$(cd "$(dirname "$0")" && pwd)
logs=${COOPERBENCH_LOGS:-/logs}
verdict=$logs/verifier/verdict.txt
repo=/workspace/repo
scratch=$(mktemp -d)
export LC_ALL=C
. "$here/tree.sh"
. "$here/suite.sh"

say() { printf '%s\n' "$*" | tee -a "$verdict"; }

fail() { # infrastructure, not the work: no reward
    say "error: $*"
    exit 1
}

reward() { # VALUE, and a line of "feature_N VALUE" each in $scratch/rewards
    sed 's/^\(.*\) \(.*\)$/, "\1": \2/' "$scratch/rewards" | tr -d '\n' >"$scratch/parts"
    printf '{"reward": %s%s}\n' "$1" "$(cat "$scratch/parts")" >"$logs/verifier/reward.json"
    exit 0
}

nothing_passes() { # REASON
    say "$1"
    sed 's/\(.*\)/feature_\1 0/' "$here/features" >"$scratch/rewards"
    reward 0
}

mkdir -p "$logs/verifier" /patches
: >"$verdict"
base=$(own_git rev-parse 'HEAD^{tree}') || fail "$repo is not a git repository"

handed_in "$logs/artifacts/work" || nothing_passes "nothing was handed in that can be read"
cleaned=$(without_tests "$tree") || fail "the work cannot be compared with the base"
[ "$cleaned" != "$base" ] || nothing_passes "nothing was handed in"
own_git diff --binary --full-index --no-renames "$base" "$cleaned" >"$scratch/work.patch" || fail "the work cannot be read"

while read -r feature; do
    run_suite "$feature" "$here/feature$feature/gold.patch" "gold$feature"
    grep -q '^passed ' "$scratch/gold$feature/results" || [ ! -s "$scratch/gold$feature/source" ] ||
        fail "feature $feature: no test passes with the gold patch"
    [ "$(cat "$scratch/gold$feature/code")" -eq 0 ] || fail "feature $feature: the gold patch fails its tests"
done <"$here/features"

whole=1
: >"$scratch/rewards"
while read -r feature; do
    run_suite "$feature" "$scratch/work.patch" "work$feature"
    reason=$(wrong "$scratch/gold$feature" "$scratch/work$feature")
    if [ -z "$reason" ]; then value=1; else value=0 whole=0; fi
    say "feature $feature: ${reason:-passed}"
    echo "feature_$feature $value" >>"$scratch/rewards"
done <"$here/features"
reward "$whole"
