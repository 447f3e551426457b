import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.errors import MailboxUnavailableError, UsageError


def await_that(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def client_of(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url.partition("#")[0], protocol=2, retry=Retry(NoBackoff(), 0))


def test_the_embedded_server_needs_a_password_and_listens_on_loopback_only(broker: Broker) -> None:
    parts = urlsplit(broker.url)
    assert parts.hostname == "127.0.0.1"
    with client_of(f"redis://127.0.0.1:{parts.port}") as stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()
    with client_of(broker.url) as harness:
        assert harness.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_member_reaches_only_its_own_part_of_its_own_episode(broker: Broker) -> None:
    urls = broker.open_episode("mine", ["one", "two", "three"])
    broker.open_episode("other", ["one", "two"])
    mine = urlsplit(urls["one"]).fragment.removeprefix("run:")
    other = urlsplit(broker.episode_url("other")).fragment.removeprefix("run:")
    forbidden: list[tuple[str, ...]] = [
        # Forging a name, reading what others write to each other, changing the record.
        ("XADD", f"cooperbench:{mine}:mail:two:three", "*", "text", "forged"),
        ("XADD", f"cooperbench:{mine}:mail:harness:two", "*", "text", "forged"),
        ("EVAL", "return redis.call('XADD', ARGV[1], '*', 'text', 'forged')", "0", f"cooperbench:{mine}:mail:two:one"),
        ("XREAD", "STREAMS", f"cooperbench:{mine}:mail:two:three", "0"),
        ("HSET", f"cooperbench:{mine}:farewell", "two", "gone"),
        ("HSET", f"cooperbench:{mine}:own:two:read", "1", "0"),
        ("DEL", f"cooperbench:{mine}:mail:one:two"),
        ("SET", f"cooperbench:{mine}:clock", "0"),
        # Another episode, and the server itself.
        ("XADD", f"cooperbench:{other}:mail:one:two", "*", "text", "forged"),
        ("HGET", f"cooperbench:{other}:state", "one"),
        ("KEYS", "*"),
        ("ACL", "LIST"),
        ("CONFIG", "GET", "dir"),
        ("CLIENT", "LIST"),
        ("FLUSHALL",),
    ]
    with client_of(urls["one"]) as member:
        for command in forbidden:
            with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission|can't access"):
                member.execute_command(*command)


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(MailboxUnavailableError, match="does not answer") as error:
        open_broker("redis://user:secret@127.0.0.1:1")
    assert "redis-server --port 1" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_wrong_password_and_a_malformed_address_are_usage_errors(broker: Broker) -> None:
    parts = urlsplit(broker.url)
    with pytest.raises(UsageError):
        open_broker(f"redis://harness:wrong@127.0.0.1:{parts.port}")
    with pytest.raises(UsageError, match="redis://host:port"):
        open_broker("localhost:6379")
    with pytest.raises(UsageError, match="leave out #run:x"):
        open_broker("redis://localhost:6379#run:x")


def test_a_repeated_episode_starts_empty(broker: Broker) -> None:
    for _ in range(2):
        urls = broker.open_episode("again", ["one", "two"])
        with (
            MessagingConnector("one", ["one", "two"], urls["one"]) as one,
            MessagingConnector("two", ["one", "two"], urls["two"]) as two,
        ):
            one.send("two", "hello")
            assert len(two.receive()) == 1


def test_a_closed_episode_is_gone_and_others_are_not(broker: Broker) -> None:
    urls = broker.open_episode("to close", ["one", "two"])
    kept = broker.open_episode("to keep", ["one", "two"])
    for address in (urls, kept):
        with MessagingConnector("one", ["one", "two"], address["one"]) as one:
            one.send("two", "hello")
    namespace = urlsplit(urls["one"]).fragment.removeprefix("run:")
    broker.close_episode("to close")
    with client_of(broker.url) as harness:
        assert list(harness.scan_iter(f"cooperbench:{namespace}:*")) == []
    with MessagingConnector("two", ["one", "two"], kept["two"]) as two:
        assert len(two.receive()) == 1


HOLD = """
import sys
from cooperbench.collaboration.broker import open_broker
broker = open_broker()
print(broker.url, broker._embedded._folder.path, flush=True)
sys.stdin.read()
broker.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_nothing_is_left_however_the_harness_ends(
    run_python: Callable[..., "subprocess.Popen[str]"], how: signal.Signals | None
) -> None:
    with run_python(HOLD) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url, directory = process.stdout.readline().split()
        port = urlsplit(url).port or 0
        assert accepts_connections(port)
        if how is None:
            process.stdin.close()
        else:
            process.send_signal(how)
        await_that(lambda: not accepts_connections(port))
        await_that(lambda: not Path(directory).exists())


def test_a_killed_server_comes_back_with_every_message_and_user(tmp_path: Path) -> None:
    with open_broker() as broker:
        urls = broker.open_episode("restart", ["one", "two"])
        with (
            MessagingConnector("one", ["one", "two"], urls["one"]) as one,
            MessagingConnector("two", ["one", "two"], urls["two"]) as two,
        ):
            for number in range(100):
                one.send("two", f"{number}")
            early = [message["text"] for message in two.receive()]
            one.send("two", "confirmed just before")
            with client_of(broker.url) as harness:
                info = harness.info("server")
            assert isinstance(info, dict)
            os.kill(int(info["process_id"]), signal.SIGKILL)
            one.send("two", "sent while it was away")
            assert early == [f"{number}" for number in range(100)]
            assert [message["text"] for message in two.receive()] == ["confirmed just before", "sent while it was away"]
