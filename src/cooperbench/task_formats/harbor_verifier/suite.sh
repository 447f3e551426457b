# One feature's hidden tests on one patch, through the task's own runner, with reporters that sign what really ran.
# Needs $here, $repo, $scratch and $logs.

digest() { sha256sum | cut -c1-64; }

run_suite() { # FEATURE PATCH NAME: leaves results, source and code in $scratch/NAME, and the output in $logs/verifier/NAME.log
    suite=$scratch/$3
    mkdir -p "$suite"
    rm -rf /patches/*
    reporter=/patches/$(head -c 12 /dev/urandom | digest)
    first_key=$(head -c 32 /dev/urandom | digest)
    cp -r "$here/reporter" "$reporter"
    echo "0 $first_key" >"$reporter/state"
    cp "$here/feature$1/tests.patch" /patches/tests.patch
    cp "$2" /patches/feature.patch
    hidden_digests "$2" /patches/tests.patch >"$reporter/files"
    case $(head -n 1 "$here/runner.sh") in '#!'*bash*) shell=bash ;; *) shell=sh ;; esac
    limited=
    command -v timeout >/dev/null && limited="timeout -k 10 $(cat "$here/time_limit")"
    (
        . "$here/before.sh"
        $limited $shell "$here/runner.sh" tests.patch feature.patch
    ) </dev/null >"$logs/verifier/$3.log" 2>&1
    echo $? >"$suite/code"
    read_signed "$reporter" "$first_key" "$suite"
    rm -rf "$reporter"
}

hidden_digests() { # WORK_PATCH TESTS_PATCH: prints the SHA-256 that each file of the hidden tests has when both are applied
    export GIT_INDEX_FILE="$scratch/tested"
    own_git read-tree HEAD && own_git apply --cached --whitespace=nowarn "$1" 2>/dev/null && before=$(own_git write-tree) &&
        own_git apply --cached --whitespace=nowarn "$2" 2>/dev/null && after=$(own_git write-tree) &&
        own_git diff-tree -r --no-renames --diff-filter=AM "$before" "$after" |
        while IFS='	' read -r entry path; do
            set -- $entry
            case $2 in 100*) printf '%s  %s\n' "$(own_git cat-file blob "$4" | digest)" "$repo/$path" ;; esac
        done
    unset GIT_INDEX_FILE
}

# Every test program takes the next key of a chain and leaves the SHA-256 of it, so the code under test finds no key that an earlier
# report was signed with. A state that the reporters cannot have left means that nothing is signed.
read_signed() { # REPORTER FIRST_KEY SUITE
    : >"$3/results"
    : >"$3/source"
    : >"$3/places"
    : >"$3/keys"
    [ -s "$1/report" ] || return 0
    cp "$1/report" "$3/report"
    IFS=' ' read -r count last <"$1/state"
    case $count in *[!0-9]* | '') return 0 ;; esac
    bytes=$(($(wc -c <"$3/report")))
    [ "$count" -le $((bytes / 64 + 1000)) ] || return 0
    key=$2
    number=0
    while [ "$number" -lt "$count" ]; do
        echo "$key" >>"$3/keys"
        key=$(printf %s "$key" | digest)
        number=$((number + 1))
    done
    [ "$key" = "$last" ] || return 0
    : >"$3/bodies"
    offset=1
    while [ "$offset" -le "$bytes" ] && section "$3"; do :; done
    [ -s "$3/source" ] || return 0
    sort -u "$3/places" >"$3/different"
    [ $(($(wc -l <"$3/different"))) -ge "$count" ] || echo "changed a test program that ended without its report" >>"$3/bodies"
    [ $(($(wc -l <"$3/different"))) -eq $(($(wc -l <"$3/places"))) ] || echo "changed two reports were signed with one key" >>"$3/bodies"
    sort -u "$3/source" | tr '\n' + | sed 's/+$//' >"$3/sources"
    mv "$3/sources" "$3/source"
    awk -f "$here/worst.awk" "$3/bodies" >"$3/results"
}

section() { # SUITE: the report at $offset, which is moved behind it; what is not signed with its key does not count
    head=$(tail -c "+$offset" "$1/report" | head -n 1)
    IFS=' ' read -r place signature size rest <<END
$head
END
    case $place$size in *[!0-9]* | '') return 1 ;; esac
    [ -n "$size" ] && [ -z "$rest" ] || return 1
    offset=$((offset + ${#head} + 1))
    tail -c "+$offset" "$1/report" | head -c "$size" >"$1/body"
    offset=$((offset + size))
    key=$(sed -n "$((place + 1))p" "$1/keys")
    [ -n "$key" ] && [ "$signature" = "$(printf %s "$key$(digest <"$1/body")" | digest)" ] || return 0
    echo "$place" >>"$1/places"
    sed -n 1p "$1/body" >>"$1/source"
    sed 1d "$1/body" >>"$1/bodies"
}

wrong() { # GOLD WORK: prints the first reason why the work fails; nothing if it passes
    code=$(cat "$2/code")
    source=$(cat "$1/source")
    if [ "$code" -eq 124 ]; then
        echo "time limit reached"
    elif [ "$source" != "$(cat "$2/source")" ]; then
        echo "no report of the tests, exit code $code"
    elif [ -z "$source" ]; then # the runner cuts itself off from reporters: its exit code is all that there is
        [ "$code" -eq 0 ] || echo "exit code $code"
    else
        awk -v gold="$1/results" -v source="$source" -f "$here/compare.awk" "$1/results" "$2/results" >"$2/wrong"
        [ -s "$2/wrong" ] || [ "$code" -eq 0 ] || echo "exit code $code" >"$2/wrong"
        head -n 1 "$2/wrong"
    fi
}
