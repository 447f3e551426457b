#!/bin/sh
# Sends a command to the harness: `coop help` lists the commands. See relay.sh.
LC_ALL=C
home=${0%/bin/*}

fail() {
    echo "coop: $1" >&2
    exit 69
}
tell() { echo "$1" 1<>"$home/requests"; }
alive() { if [ -d /proc/self ]; then [ -d "/proc/$1" ]; else kill -0 "$1" 2>/dev/null; fi; }

# A command that makes more than one request is a program of its own.
case ${1-} in '' | */*) ;; *) [ -x "$home/bin/coop-$1" ] && name=$1 && shift && exec "$home/bin/coop-$name" "$@" ;; esac

[ -p "$home/requests" ] || fail "the line to the harness is closed"

# A call that was killed cannot report it.
for old in "$home"/calls/*; do
    name=${old##*/}
    if [ -d "$old" ] && ! alive "${name%%-*}"; then
        rm -rf "$old"
        tell "dropped $name"
    fi
done

now=
[ -r /proc/uptime ] && read -r now rest </proc/uptime
id=$$-${now:-$(date +%s)}
call=$home/calls/$id
mkdir -p "$call/draft" || fail "no space for a request"
# Read standard input only on request: `coop send` in a loop must not consume the loop's input.
input=
case $#:${1-} in 1:broadcast | 2:send | 2:ask | ?:git-fetch | ?:git-push) input=yes ;; esac
for word in "$@"; do
    if [ "$word" = - ]; then input=yes; fi
done
: >"$call/draft/arguments"
: >"$call/draft/input"
if [ $# -gt 0 ]; then printf '%s\0' "$@" >"$call/draft/arguments" || fail "no space for a request"; fi
if [ -n "$input" ]; then cat >"$call/draft/input" || fail "no space for a request"; fi
mkfifo "$call/done"
exec 5<>"$call/done"
trap 'rm -rf "$call"; tell "dropped $id"; exit 130' HUP INT TERM
mv "$call/draft" "$call/request"
# Look again: a relay that hangs up removes the pipe first, then wakes the calls that it sees, as this one since `done` exists.
code=closed
[ -p "$home/requests" ] && tell "call $id" && read -r code <&5
[ "$code" = closed ] && { rm -rf "$call"; fail "the line to the harness is closed"; }
outcome=got
cat "$call/out" || outcome=dropped
[ -s "$call/err" ] && cat "$call/err" >&2
trap '' HUP INT TERM
rm -rf "$call"
tell "$outcome $id"
exit "$code"
