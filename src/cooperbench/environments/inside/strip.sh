# Leaves the base commit ($1), what it reaches and the tags of that in the repository of the current folder, and nothing else.
# Index and work tree stay as they are; build output and the files of an image's set-up are part of the environment.
set -e
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_NAMESPACE
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
run() { git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c safe.directory='*' "$@"; }
directory=$(run rev-parse --absolute-git-dir)
base=$(run rev-parse --verify "$1^{commit}")
[ "$(run rev-parse HEAD)" = "$base" ] || { echo "HEAD is $(run rev-parse HEAD), not the base commit $base"; exit 1; }

# Tags that name a commit of the base's history: packages take their version from them.
tags=$(run for-each-ref --merged="$base" --format='%(refname) %(objecttype)%(type) %(objectname)' refs/tags |
    sed -n 's/ commit / /p;s/ tagcommit / /p')
others() {
    printf '%s\n' "$tags" | sed 's/ .*//' >"$directory/cooperbench-tags"
    run for-each-ref --format='%(refname)' | grep -v -x "$1" | grep -v -x -F -f "$directory/cooperbench-tags" || true
    rm -f "$directory/cooperbench-tags"
}

# Nothing to do is the common case: say so from the object ids alone.
later() {
    run cat-file --batch-all-objects --batch-check='%(objecttype) %(objectname)' | sed -n 's/^commit //p;s/^tag //p' | sort >"$directory/cooperbench-all"
    { run rev-list "$base"; printf '%s\n' "$tags" | sed 's/.* //'; } | sort -u >"$directory/cooperbench-base"
    comm -23 "$directory/cooperbench-all" "$directory/cooperbench-base" | wc -l
    rm -f "$directory/cooperbench-all" "$directory/cooperbench-base"
}
branch=$(run symbolic-ref --quiet HEAD || echo refs/heads/main)
if [ "$(later)" -eq 0 ] && [ -z "$(others "$branch")" ] && [ -z "$(run remote)" ]; then
    echo "nothing to remove"
    exit 0
fi

run update-ref "$branch" "$base"
run symbolic-ref HEAD "$branch"
for remote in $(run remote); do run remote remove "$remote" || run config --remove-section "remote.$remote"; done
others "$branch" | sed 's/^/delete /' | run update-ref --stdin
for name in FETCH_HEAD ORIG_HEAD MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG packed-refs.lock shallow.lock; do rm -f "$directory/$name"; done
rm -rf "$directory/logs" "$directory/worktrees" "$directory/objects/info/alternates" "$directory/lfs"
run reflog expire --expire=now --expire-unreachable=now --all
# Packs with these marks keep everything.
rm -f "$directory"/objects/pack/*.keep "$directory"/objects/pack/*.promisor
# Objects without reachable bitmaps or delta search: a repack of what is there, 13 seconds less than `gc --aggressive`.
if ! run repack -a -d -q 2>/dev/null; then
    echo "$base" >"$directory/shallow" # a partial clone, which lacks files of earlier commits
    run repack -a -d -q
fi
run prune --expire=now
left=$(later)
[ "$left" -eq 0 ] || { echo "$left commits or tags after the base are still in the object database"; exit 1; }
