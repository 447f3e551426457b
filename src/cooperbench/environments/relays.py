"""The relay of `loopback.py` in each language that images have, so that none of them is needed."""

import re
import shlex

from cooperbench.environments.scripts import inside, without_comments

# A relay that was cut off may still hold the port. The programs are text, not files: nothing has to be put into the sandbox first.
LAUNCH = """relay=/tmp/.cooperbench/relay-{identifier}
mkdir -p /tmp/.cooperbench
[ -e $relay ] && kill -9 $(cat $relay) 2>/dev/null
echo $$ >$relay
command -v python3 >/dev/null 2>&1 && exec python3 -I -S -c {python} {port}
command -v perl >/dev/null 2>&1 && exec perl -e {perl} {port}
command -v node >/dev/null 2>&1 && exec node -e {node} {port}
printf '\\0\\0\\0\\0\\3\\0\\0\\0\\{size:o}%s' {none}
"""
NONE = "its image has neither Python 3 nor Perl nor Node.js"
"""Sent as a RESET, see `loopback`."""


def launch(identifier: str, port: int) -> str:
    """Return the shell command that starts the relay of a service at a port. Where the image has none of the languages it answers `NONE`."""
    return LAUNCH.format(
        identifier=identifier,
        port=port,
        none=shlex.quote(NONE),
        size=len(NONE),
        python=shlex.quote(without_comments("relay.py")),
        perl=shlex.quote(without_comments("relay.pl")),
        node=shlex.quote(re.sub(r"(?m)^\s*//.*\n", "", inside("relay.js"))),
    )
