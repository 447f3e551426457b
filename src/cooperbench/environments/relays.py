"""The relay of `loopback.py`, in the languages that images have."""

import shlex

from cooperbench.environments.supervision import without_comments

# A relay that was cut off may still hold the port.
LAUNCH = """relay=/tmp/.cooperbench/relay-{identifier}
mkdir -p /tmp/.cooperbench
[ -e $relay ] && kill -9 $(cat $relay) 2>/dev/null
echo $$ >$relay
exec python3 -I -S -c {python} {port}
"""


def launch(identifier: str, port: int) -> str:
    """Return the shell command that starts the relay of a service at a port."""
    return LAUNCH.format(identifier=identifier, port=port, python=shlex.quote(without_comments("relay.py")))
