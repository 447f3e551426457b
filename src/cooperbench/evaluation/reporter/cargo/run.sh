#!/bin/sh
# Runs a program for cargo. Rust's own test harness writes what became of each test to a log file as well: that is read, and what the
# program prints does not count.
reporter=${0%/cargo/*}
if ! grep -q 'Write logs to the specified file' "$1" || [ "${2-}" = --list ]; then
    exec "$@" # no test program, one with a harness of its own, or one that is only asked for names
fi
. "$reporter/sign.sh"
claim
changed=$(changed_files)
name=${1##*/}
log=$reporter/log.$place
: >"$log"
exec 5<"$log"
code=0
program=$1
shift
"$program" --logfile "$log" "$@" 5<&- || code=$?
rm -f "$log"
prefix="${CARGO_PKG_NAME:-}:${name%-*}:"
sign "cargo-guard
$changed
$(sed -n -e "s|^ok |passed $prefix|p" -e "s|^failed |failed $prefix|p" -e "s|^ignored\(,[^ ]*\)* |skipped $prefix|p" <&5)"
exit $code
