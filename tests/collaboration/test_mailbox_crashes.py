"""Members and brokers that are killed: nothing is lost, nothing comes twice, nothing comes from another episode."""

import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.conversation import read_conversation
from cooperbench.collaboration.mailbox import MessagingConnector

Run = Callable[..., "subprocess.Popen[str]"]

READ_AND_HANG = """
import sys
from cooperbench.collaboration.mailbox import MessagingConnector
agent, url, *agents = sys.argv[1:]
mailbox = MessagingConnector(agent, agents, url)
print(*(message["text"] for message in mailbox.wait(timeout=60)), flush=True)
sys.stdin.read()
"""

HANDLE_EVERYTHING = """
import os, sys
from cooperbench.collaboration.mailbox import MessagingConnector
agent, url, path, *agents = sys.argv[1:]
handled = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
mailbox = MessagingConnector(agent, agents, url)
while True:
    for message in mailbox.wait(timeout=600):
        os.write(handled, (message["id"] + "\\n").encode())
"""


@contextmanager
def running_redis(directory: Path) -> Iterator[str]:
    """A Redis as somebody else runs it: no password, no files. Gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--port", str(port), "--save", "", "--dir", str(directory)]
    with subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL) as server:
        try:
            with socket.socket() as probe:
                while probe.connect_ex(("127.0.0.1", port)):
                    assert server.poll() is None
                    time.sleep(0.01)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(
    params=[
        pytest.param("installed", marks=pytest.mark.needs("redis-server")),
        "bundled",
        pytest.param("given", marks=pytest.mark.needs("redis-server")),
    ]
)
def any_broker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Every kind of server: the system's and the bundled one as embedded brokers, and a running Redis that was given."""
    with ExitStack() as stack:
        url = None
        if request.param == "bundled":
            # A machine on which no server is installed.
            for name in ("sh", "cat", "rm", "sleep"):
                (tmp_path / name).symlink_to(shutil.which(name) or name)
            monkeypatch.setenv("PATH", str(tmp_path))
        if request.param == "given":
            url = stack.enter_context(running_redis(tmp_path))
        yield stack.enter_context(open_broker(url))


def test_what_a_killed_reader_had_not_handled_goes_to_the_next(any_broker: Broker, run_python: Run) -> None:
    agents = ["one", "two"]
    urls = any_broker.open_episode("killed reader", agents)
    with MessagingConnector("one", agents, urls["one"]) as one:
        one.send("two", "first")
        with run_python(READ_AND_HANG, "two", urls["two"], *agents) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "first\n"
            reader.kill()
        one.send("two", "second")
        with MessagingConnector("two", agents, urls["two"]) as two:
            assert [message["text"] for message in two.receive()] == ["first", "second"]
            assert two.receive() == []


def test_a_living_readers_messages_are_its_own(any_broker: Broker, run_python: Run) -> None:
    agents = ["one", "two"]
    urls = any_broker.open_episode("living reader", agents)
    with MessagingConnector("one", agents, urls["one"]) as one, MessagingConnector("two", agents, urls["two"]) as two:
        one.send("two", "first")
        with run_python(READ_AND_HANG, "two", urls["two"], *agents) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "first\n"
            one.send("two", "second")
            assert [message["text"] for message in two.receive()] == ["second"]


def random_message(chance: random.Random, number: int, large: int) -> bytes:
    if number % 500 < large:
        return chance.randbytes(1024) * 1023 + b"%d" % number
    return chance.choice([b"'\"\\`$(x)\n", "🙂ü".encode(), b"\xff\xfe\x00", b""]) + b"%d" % number


@pytest.mark.slow
def test_ten_thousand_messages_through_crashes_of_readers_and_of_the_broker(
    broker: Broker, run_python: Run, tmp_path: Path
) -> None:
    chance = random.Random(7)
    agents = ["a", "b", "c", "d"]
    episodes = ["storm one", "storm two"]
    urls = {episode: broker.open_episode(episode, agents) for episode in episodes}
    members = [(episode, agent) for episode in episodes for agent in agents]
    sent: dict[tuple[str, str], list[str]] = {member: [] for member in members}
    readers: dict[tuple[str, str], subprocess.Popen[str]] = {}
    sending = threading.Semaphore(0)

    def start(member: tuple[str, str]) -> None:
        episode, agent = member
        arguments = (agent, urls[episode][agent], str(path_of(member)), *agents)
        readers[member] = run_python(HANDLE_EVERYTHING, *arguments)

    def path_of(member: tuple[str, str]) -> Path:
        return tmp_path / f"{member[0]} {member[1]}"

    def send(episode: str, agent: str, number_of_messages: int) -> None:
        mine = random.Random(f"{episode} {agent}")
        with MessagingConnector(agent, agents, urls[episode][agent]) as mailbox:
            for number in range(number_of_messages):
                to = mine.choice([name for name in agents if name != agent])
                receipt = mailbox.send(to, random_message(mine, number, large=2))
                sent[episode, to].append(receipt.id)
                sending.release()

    def server() -> int:
        with redis.Redis.from_url(broker.url, protocol=2) as client:
            info = client.info("server")
            assert isinstance(info, dict)
            return int(info["process_id"])

    senders = [threading.Thread(target=send, args=(*member, 1250)) for member in members]
    order = [*members]
    chance.shuffle(order)
    for member in order[:4]:
        start(member)
    for sender in senders:
        sender.start()
    for member in order[4:]:
        start(member)
    try:
        for round_number in range(10):
            for _ in range(900):
                sending.acquire()
            if round_number in (3, 7):
                os.kill(server(), signal.SIGKILL)
            victim = chance.choice(members)
            readers[victim].kill()
            readers[victim].communicate()
            start(victim)
        for sender in senders:
            sender.join()
        assert sum(len(ids) for ids in sent.values()) == 10_000
        deadline = time.monotonic() + 120
        for member in members:
            while len(set(handled(path_of(member)))) < len(sent[member]):
                assert time.monotonic() < deadline, f"{member} lost messages"
                time.sleep(0.05)
    finally:
        for reader in readers.values():
            reader.kill()
            reader.communicate()
    for member in members:
        times = Counter(handled(path_of(member)))
        assert set(times) == set(sent[member])
        # A reader that was killed may have handled a batch without having said so; every other message came once.
        assert max(times.values()) <= 1 + 10
    for episode in episodes:
        said = read_conversation(broker.episode_url(episode), dict.fromkeys(agents))
        assert [message.sequence for message in said] == list(range(1, 5001))
        assert all(message.read_at is not None for message in said)


def handled(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_concurrent_readers_never_get_the_same_message(any_broker: Broker) -> None:
    agents = ["one", "two"]
    urls = any_broker.open_episode("concurrent readers", agents)
    got: list[str] = []
    enough = threading.Event()

    def read() -> None:
        with MessagingConnector("two", agents, urls["two"]) as two:
            while not enough.is_set():
                messages = two.take(wait=True, timeout=60, stop=enough)
                two.acknowledge(messages)
                got.extend(message.text for message in messages)
                if len(got) >= 500:
                    enough.set()
                    two.wake()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    with MessagingConnector("one", agents, urls["one"]) as one:
        for number in range(500):
            one.send("two", f"{number}")
    for reader in readers:
        reader.join(timeout=60)
        assert not reader.is_alive()
    assert sorted(map(int, got)) == list(range(500))
