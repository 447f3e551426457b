"""The programs that run in every sandbox: small scripts with their exit codes, and the files in `inside`."""

import re
from importlib.resources import files

FILE_TIMEOUT = 600.0
KEEP_ALIVE = """trap '' HUP INT TERM
look() { read -r now _ </proc/uptime || now=0; now=${now%.*}; }
look; end=$((now + $1))
for attempt in 1 2 3 4 5; do
    sleep $((end - now)) & wait $!
    look; [ "$now" -lt "$end" ] || exit 0
done
while read -r _; do :; done
"""
"""The first process of a container, which nothing inside can end. `sleep` may be killed, replaced or gone: then the shell waits by itself
for input that never comes, without an end, because the container would take the work with it. While it waits it reaps orphans."""
MISSING = 66
GONE = 67
"""Exit code of `run_outside` when the working directory is not there any more."""
ENTER = f"""root=$1 place=$1 rest=$2/ hops=0
while [ -n "$rest" ]; do
    part=${{rest%%/*}} rest=${{rest#*/}}
    case $part in
    '' | .) continue ;;
    ..) [ "$place" = "$root" ] || place=${{place%/*}} && continue ;;
    esac
    place=$place/$part
    [ -L "$place" ] || continue
    hops=$((hops + 1))
    [ "$hops" -le 8 ] || exit {GONE}
    target=$(readlink "$place")
    rest=$target/$rest
    case $target in /*) place=$root ;; *) place=${{place%/*}} ;; esac
done
[ -d "$place" ] && cd "$place" 2>/dev/null || exit {GONE}
shift 2
"""
"""Enters the working directory below the root folder in $1. Seen from outside, a link to /tmp would lead to another /tmp, so that each folder
on the way is looked at."""
TRUST = """[ -O "$CWD" ] && [ -O "$CWD/.git" ] && exit 0
command -v git >/dev/null && [ -e "$CWD/.git" ] && ! git -C "$CWD" rev-parse --git-dir >/dev/null 2>&1 || exit 0
git config --global --add safe.directory '*' || git config --system --add safe.directory '*'
"""
"""git refuses a repository of another user, and many images hold one; our own is recognized without a program. This also warms up
the supervisor."""


def without_comments(name: str) -> str:
    """Return a program in `inside` without the lines that are comments."""
    return re.sub(r"(?m)^\s*#.*\n", "", inside(name))


def inside(name: str) -> str:
    """Return the text of a program in `inside`."""
    return files("cooperbench.environments").joinpath("inside", name).read_text(encoding="utf-8")
