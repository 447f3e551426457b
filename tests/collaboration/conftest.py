import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.mailbox import MessagingConnector


@pytest.fixture
def open_mailboxes(broker: Broker, request: pytest.FixtureRequest) -> Iterator[Callable[..., list[MessagingConnector]]]:
    opened: list[MessagingConnector] = []

    def open_them(*agents: str) -> list[MessagingConnector]:
        urls = broker.open_episode(request.node.name, agents)
        made = [MessagingConnector(agent_id=agent, agents=list(agents), url=urls[agent]) for agent in agents]
        opened.extend(made)
        return made

    yield open_them
    for mailbox in opened:
        mailbox.close()


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start a script in a process of its own, with arguments."""

    def run(script: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return run
