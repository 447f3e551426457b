"""Time messages: from send to a blocked receiver, reading compared with consumer groups, and many episodes at once.

    python benchmarks/messaging.py [--docker IMAGE] [--messages N] [--episodes N]

A sandbox's latency is from just before `coop send` in one sandbox to just after `coop recv --wait` has printed in another, by the
machine's clock, which both share.
"""

import argparse
import concurrent.futures
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable

from cooperbench.collaboration import Broker, MessagingConnector, TeamAccess, connect, open_broker
from cooperbench.collaboration._store import open_store
from cooperbench.environments import Environment, EnvironmentOptions, open_environment
from cooperbench.testing import sample_image

AGENTS = ["agent1", "agent2"]
PAUSE = 0.05
"""Seconds between two messages, so that the receiver is blocked when the next one comes."""


def show(name: str, seconds: list[float]) -> None:
    milliseconds = sorted(1000 * value for value in seconds)
    worst = milliseconds[int(0.95 * (len(milliseconds) - 1))]
    print(f"{name:<44} median {statistics.median(milliseconds):7.2f} ms   95 % {worst:7.2f} ms   n={len(milliseconds)}")


def in_process(broker: Broker, messages: int) -> list[float]:
    urls = broker.open_episode("in process", AGENTS)
    taken: list[float] = []
    with (
        MessagingConnector("agent1", AGENTS, urls["agent1"]) as one,
        MessagingConnector("agent2", AGENTS, urls["agent2"]) as two,
    ):

        def read() -> None:
            for _ in range(messages):
                (message,) = two.wait(timeout=30)
                taken.append(time.perf_counter() - float(message["text"]))

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(messages):
            time.sleep(PAUSE)
            one.send("agent2", f"{time.perf_counter()}")
        reader.join()
    return taken


def between_sandboxes(broker: Broker, start: Callable[[], Environment], messages: int) -> list[float]:
    urls = broker.open_episode("sandboxes", AGENTS)
    send = f"for i in $(seq {messages}); do sleep 0.3; coop send agent2 $(date +%s%N) >/dev/null || exit 1; done"
    read = f"for i in $(seq {messages}); do set -- $(coop recv --wait 60 | tail -n 1) && echo $(($(date +%s%N) - $1)); done"
    with start() as one, start() as two:
        bridges = [
            connect(environment, TeamAccess(agent_id=agent, agents=tuple(AGENTS), comm_url=urls[agent]))
            for environment, agent in ((one, "agent1"), (two, "agent2"))
        ]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            reading = pool.submit(two.execute, read, timeout=300)
            pool.submit(one.execute, send, timeout=300).result()
            output = reading.result()["output"]
        for bridge in bridges:
            bridge.close()
    return [int(nanoseconds) / 1e9 for nanoseconds in output.split()]


def reading(broker: Broker, messages: int = 4000) -> None:
    """Read everything from two senders with the inbox's script, and again with a consumer group of Redis."""
    agents = ["agent1", "agent2", "agent3"]
    urls = broker.open_episode("reading", agents)
    for sender in agents[:2]:
        with MessagingConnector(sender, agents, urls[sender]) as mailbox:
            for _ in range(messages // 2):
                mailbox.send("agent3", "x" * 500)
    with MessagingConnector("agent3", agents, urls["agent3"]) as mailbox:
        begun, got = time.perf_counter(), 0
        while got < messages:
            got += len(mailbox.receive())
        mailbox.receive()
        script = time.perf_counter() - begun
    with open_store(broker.episode_url("reading")) as (store, prefix):
        streams = [f"{prefix}mail:{sender}:agent3" for sender in (*agents[:2], "harness")]
        for stream in streams:
            store.command("XGROUP", "CREATE", stream, "readers", "0", "MKSTREAM")
        begun, got = time.perf_counter(), 0
        while got < messages:
            batch = store.command(
                *("XREADGROUP", "GROUP", "readers", "one", "COUNT", 1000, "STREAMS", *streams, *(">" for _ in streams))
            )
            for stream, entries in batch:
                got += len(entries)
                # When each message was read is part of the record.
                read = [part for _, fields in entries for part in (fields[b"sequence"], time.time_ns())]
                store.command("HSET", f"{prefix}read", *read)
                store.command("XACK", stream, "readers", *(place for place, _ in entries))
        group = time.perf_counter() - begun
    print(
        f"reading {messages}: {1e6 * script / messages:.0f} µs a message; consumer group {1e6 * group / messages:.0f} µs"
    )


def throughput(broker: Broker, episodes: int, messages: int) -> tuple[float, list[float]]:
    ready = threading.Barrier(episodes + 1)
    sends: list[float] = []

    def talk(number: int) -> None:
        name = f"episode {number}"
        urls = broker.open_episode(name, AGENTS)
        with (
            MessagingConnector("agent1", AGENTS, urls["agent1"]) as one,
            MessagingConnector("agent2", AGENTS, urls["agent2"]) as two,
        ):
            one.team(), two.team()
            ready.wait()
            for _ in range(messages):
                begun = time.perf_counter()
                one.send("agent2", "x" * 500)
                sends.append(time.perf_counter() - begun)
                assert len(two.wait(timeout=30)) == 1

    with concurrent.futures.ThreadPoolExecutor(episodes) as pool:
        work = [pool.submit(talk, number) for number in range(episodes)]
        ready.wait()
        begun = time.perf_counter()
        for episode in work:
            episode.result()
        return episodes * messages / (time.perf_counter() - begun), sends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docker", metavar="IMAGE", help="measure between containers of this image too")
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()
    with open_broker() as broker:
        print(f"broker: {broker.name}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        show("in one process", in_process(broker, arguments.messages))
        with tempfile.TemporaryDirectory() as cache:
            os.environ["COOPERBENCH_CACHE_DIR"] = cache
            image = sample_image()
            offline = EnvironmentOptions(network="none")
            show(
                "between local sandboxes, no network",
                between_sandboxes(
                    broker, lambda: open_environment("local", image, options=offline), arguments.messages
                ),
            )
        if arguments.docker:
            inside = EnvironmentOptions(network="none", cwd="/tmp")
            show(
                "between Docker containers, no network",
                between_sandboxes(
                    broker, lambda: open_environment("docker", arguments.docker, options=inside), arguments.messages
                ),
            )
        reading(broker)
        rate, sends = throughput(broker, arguments.episodes, 50)
        print(f"{arguments.episodes} episodes at once: {rate:.0f} messages sent and read a second")
        show(f"one send among {arguments.episodes} episodes", sends)


if __name__ == "__main__":
    main()
