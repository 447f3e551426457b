# Read around the runner: gives `go` what it compiled before, and packs what it has compiled; see build_caches.py. Silent, for what a
# runner prints is read as the task's own words. Functions end where something is missing: then `go` compiles as ever.
enter_cache() { place=$(go env GOCACHE) && [ "${place#/}" != "$place" ] && mkdir -p "$place" && cd "$place"; }

# Else the first command of a day reads the whole cache, and deletes what was not used for five days: all that an older image has compiled.
keep_all() { date +%s >trim.txt; }

begin_cache() { # ARCHIVE LIST: list what is there, so that what is added is known
    # Results of tests are kept there too; those of the base must not stand for those of a submission.
    export GOFLAGS="${GOFLAGS:+$GOFLAGS }-count=1"
    (enter_cache && keep_all && find . -type f | LC_ALL=C sort >"$2") 2>/dev/null || : >"$2"
}

pack_cache() { # ARCHIVE LIST: all of a small cache, with README in front, and of another what was added
    (
        exec 2>/dev/null
        enter_cache || exit
        if [ "$(du -sk . | cut -f1)" -le 24576 ]; then
            { echo ./README && find . -type f ! -name README; } | tar -czf "$1" -T -
        else
            find . -type f | LC_ALL=C sort | comm -13 "$2" - | tar -czf "$1" -T -
        fi || rm -f "$1"
    )
    [ ! -f "$1" ] || [ "$(wc -c <"$1")" -le "$3" ] || rm "$1"
}

# `go` notes for each file that it was used. In the layers of an image this copies the file first: 0.45 of a suite's 0.7 seconds of
# processor. So a cache that is complete is unpacked in memory, where there is room for twice as much, and for what is compiled.
give_cache() { # ARCHIVE
    memory=/dev/shm/$(basename "$(dirname "$1")")
    if [ "$(tar -tzf "$1" 2>/dev/null | head -n 1)" = ./README ] && fits_memory "$memory"; then
        tar -xmzf "$1" -C "$memory" 2>/dev/null && (cd "$memory" && keep_all) && export GOCACHE="$memory" && return
    fi
    rm -rf "$memory"
    (enter_cache && keep_all && tar -xkmzf "$1") 2>/dev/null || true
}

fits_memory() { # FOLDER
    mkdir "$1" 2>/dev/null || return
    [ "$(df -Pk "$1" | awk 'NR == 2 { print $4 }')" -ge 49152 ] || return
    # Since Go 1.24 `go run` runs programs in the cache, and most engines let none run in this memory.
    case $(go env GOVERSION 2>/dev/null) in
    go1.[0-9] | go1.[0-9].* | go1.1[0-9] | go1.1[0-9].* | go1.2[0-3] | go1.2[0-3].*) ;;
    *) printf '#!/bin/sh\n' >"$1/try" && chmod +x "$1/try" && "$1/try" 2>/dev/null && rm "$1/try" ;;
    esac
}
