# Read by the scripts that run test programs. Each takes the next key of a chain from a file and leaves there only what follows from
# it: a program that was started can find out the keys of later ones, never its own.

lock() { until mkdir "$reporter/lock" 2>/dev/null; do sleep 0.02; done; }
unlock() { rmdir "$reporter/lock"; }
digest() { sha256sum | cut -c1-64; }

claim() { # sets $place and $key
    lock
    read -r place key <"$reporter/state"
    echo "$((place + 1)) $(printf %s "$key" | digest)" >"$reporter/state"
    unlock
}

changed_files() { # the hidden tests whose content is another by now
    [ ! -s "$reporter/files" ] || sha256sum -c "$reporter/files" 2>/dev/null | sed -n 's/^\(.*\): FAILED.*/changed \1/p'
}

sign() { # REPORT: what it reports is only kept in memory until it is signed
    signature=$(printf %s "$key$(printf '%s\n' "$1" | digest)" | digest)
    lock
    { echo "$place $signature $(($(printf '%s\n' "$1" | wc -c)))"; printf '%s\n' "$1"; } >>"$reporter/report"
    unlock
}
