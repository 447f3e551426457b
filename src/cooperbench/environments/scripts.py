"""The programs that run in every sandbox: small scripts with their exit codes, and the files in `inside`."""

import re
from importlib.resources import files

FILE_TIMEOUT = 600.0
_LIFETIME = """trap '' HUP INT TERM
look() { read -r now _ </proc/uptime || now=0; now=${now%.*}; }
look; end=$((now + $1))
"""
_UNTIL_THE_END = """for attempt in 1 2 3 4 5; do
    look; [ "$now" -lt "$end" ] || exit 0
    sleep $((end - now)) & wait $!
done
while read -r _ <>/proc/self/fd/2; do :; done
while read -r _; do :; done
"""
KEEP_ALIVE = _LIFETIME + _UNTIL_THE_END
"""The first process of a container, which nothing inside can end. `sleep` may be killed, replaced or gone: then the shell waits by itself
for input that never comes, without an end, because the container would take the work with it. While it waits it reaps orphans.

It waits at both ends of its own stderr, where that is a pipe: its stdin may be somebody else's, see `SERVE`."""
# -I and -S exclude the image's Python configuration and site-packages. The locale must reach commands as the image sets it.
LAUNCH = """command -v python3 >/dev/null 2>&1 || { echo none; exit 0; }
PYTHONCOERCECLOCALE=0 exec python3 -I -S -c 'import os, signal
os.chdir("/")
if os.getpgrp() != os.getpid():
    os.setsid()
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
text = b""
while not text.endswith(b"\\n# end\\n"):
    text += os.read(0, 1 << 16) or os._exit(0)
exec(compile(text, "<cooperbench>", "exec"))'
"""
"""Runs a program that arrives on stdin and ends with `END`, where there is Python 3; elsewhere says `none`. What a shell starts in the
background is in its group and ignores two signals, which commands would inherit."""
END = "\n# end\n"
SERVE = f"""exec 3<&0 4>&1
( {LAUNCH}) <&3 3<&- 4>&- &
served=$!
exec 3<&- >/dev/null
{_LIFETIME}runs() {{ read -r state 2>/dev/null </proc/$served/stat && case ${{state##*) }} in Z*) false ;; esac; }}
timers=5
timer() {{ timers=$((timers - 1)); [ "$timers" -lt 0 ] || later & }}
later() {{ sleep $((end - now)); kill -USR1 $$; }}
trap 'look; [ "$now" -lt "$end" ] || exit 0; timer' USR1
timer
while wait "$served"; runs; do :; done
echo ended >&4
{_UNTIL_THE_END}"""
"""As `KEEP_ALIVE`, and serves the container's own stdin and stdout with a program. Shells give what they start in the background an empty
stdin, unless it is named, and the background process has to begin before signals are ignored. As the container keeps its stdout open, the
first process says there that the program has ended. It waits for nothing else, as whoever ends the program may leave a `sleep` alone; a
signal tells it to look at the time."""
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


def joined(*names: str) -> str:
    """Return Python programs in `inside` as one, without what they import of each other."""
    return re.sub(r"(?m)^from cooperbench\..*\n", "", "".join(map(inside, names)))
