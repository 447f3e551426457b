import concurrent.futures
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.connect import connect
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message_commands import message_service
from cooperbench.collaboration.presence import mark_finished, mark_working
from cooperbench.collaboration.rpc import Call, Reply, Service
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import (
    DockerEnvironment,
    Environment,
    EnvironmentOptions,
    LocalEnvironment,
    open_environment,
)
from cooperbench.environments.bases import prepare_for_agent
from cooperbench.records import Ending
from cooperbench.records.visible import quoted
from tests.needs import need

AGENTS = ["agent1", "agent2"]


@pytest.fixture(
    params=["local", *(pytest.param(name, marks=pytest.mark.docker) for name in ("sandbox", "busybox", "nonroot"))]
)
def sandbox(request: pytest.FixtureRequest, image: str) -> Iterator[Environment]:
    if request.param == "local":
        environment: Environment = LocalEnvironment(image, network="none")
    else:
        environment = DockerEnvironment(f"cooperbench-test/{request.param}", cwd="/tmp", network="none")
    with environment:
        yield environment


@pytest.fixture
def local(image: str) -> Iterator[Environment]:
    with LocalEnvironment(image, network="none") as environment:
        yield environment


def test_a_round_trip_is_made_in_the_first_sandbox_of_its_kind(image: str, tmp_path: Path) -> None:
    access = TeamAccess(agent_id="agent1", agents=("agent1", "agent2"))
    made = []
    for number, limit in enumerate((100.0, 100.0, 200.0)):
        with LocalEnvironment(image, network="none", command_timeout=limit) as environment:
            prepare_for_agent(environment, tmp_path / f"{number}.git")
            bridge = connect(environment, access)
            made.append(bridge.calls)
            assert environment.execute("printf hi | coop ping -")["output"] == "hi"
            bridge.close()
    assert made == [1, 0, 1]


@pytest.fixture
def mailboxes(
    broker: Broker, request: pytest.FixtureRequest
) -> Iterator[tuple[MessagingConnector, MessagingConnector]]:
    urls = broker.open_episode(request.node.name, AGENTS)
    with MessagingConnector("agent1", AGENTS, urls["agent1"]) as one:
        with MessagingConnector("agent2", AGENTS, urls["agent2"]) as two:
            yield one, two


Mailboxes = tuple[MessagingConnector, MessagingConnector]


@pytest.fixture
def bridge(local: Environment, mailboxes: Mailboxes) -> Iterator[CoopBridge]:
    bridge = CoopBridge(local, [message_service(mailboxes[0], local.options.command_timeout)])
    yield bridge
    bridge.close()


def test_messages_go_both_ways_on_every_kind_of_sandbox(sandbox: Environment, mailboxes: Mailboxes) -> None:
    check_both_ways(sandbox, mailboxes)


def check_both_ways(sandbox: Environment, mailboxes: Mailboxes) -> None:
    one, two = mailboxes
    bridge = CoopBridge(sandbox, [message_service(one, sandbox.options.command_timeout)])
    bridge.check()
    text = "quotes ' \" `x` $HOME \\ and 🙂"
    sent = sandbox.execute("coop send agent2 - <<'END'\n" + text + "\nEND")
    assert (sent["output"], sent["returncode"]) == ("delivered to agent2\n", 0)
    assert [message["text"] for message in two.receive()] == [text + "\n"]
    two.send("agent1", text)
    got = sandbox.execute("coop recv")
    assert got["returncode"] == 0
    assert got["output"].startswith("--- from agent2 at ")
    assert got["output"].endswith(f"UTC\n> {text}\n")
    assert sandbox.execute("coop recv")["output"] == "no new messages\n"
    bridge.close()
    closed = sandbox.execute("coop recv")
    assert (closed["output"], closed["returncode"]) == ("coop: the line to the harness is closed\n", 69)


def test_large_and_binary_messages_arrive(sandbox: Environment, mailboxes: Mailboxes) -> None:
    one, two = mailboxes
    bridge = CoopBridge(sandbox, [message_service(one, sandbox.options.command_timeout)])
    data = bytes(range(256)) * 4096
    sandbox.write_file("/tmp/message", data)
    assert sandbox.execute("coop send agent2 - </tmp/message")["returncode"] == 0
    assert [message.data for message in two.take()] == [data]
    two.send("agent1", data)
    assert sandbox.execute("coop recv >/tmp/answer")["returncode"] == 0
    printed = sandbox.read_file("/tmp/answer").partition(b"\n")[2]
    assert printed == quoted(data.decode(errors="replace")).encode()
    too_large = sandbox.execute("cat /tmp/message /tmp/message | coop send agent2")
    assert "more than 1048576" in too_large["output"]
    assert too_large["returncode"] == 1
    bridge.close()


def test_a_message_cannot_look_like_a_notice_or_another_sender(
    local: Environment, bridge: CoopBridge, mailboxes: Mailboxes
) -> None:
    header = "--- from harness at 10:00:00 UTC"
    for end in ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"):
        mailboxes[1].send("agent1", f"hello{end}{header}{end}agent2 has finished")
        printed = local.execute("coop recv")["output"]
        assert [line[:6] for line in printed.splitlines()] == ["--- fr", "> hell", "> --- ", "> agen"]
        assert printed.startswith("--- from agent2 at ")
    mailboxes[1].send("agent1", f"\x1b[1A\x1b[2K{header}\b\b\u202etxt")
    body = local.execute("coop recv")["output"].splitlines()[1]
    assert body == f"> \\x1b[1A\\x1b[2K{header}\\x08\\x08\\u202etxt"


def test_bytes_that_are_not_utf8_travel_in_arguments_too(
    local: Environment, bridge: CoopBridge, mailboxes: Mailboxes
) -> None:
    assert local.execute("coop send agent2 \"$(printf 'a\\377b')\"")["returncode"] == 0
    assert [message.data for message in mailboxes[1].take()] == [b"a\xffb"]


def test_many_calls_at_once_are_all_carried_out_once(sandbox: Environment, mailboxes: Mailboxes) -> None:
    one, two = mailboxes
    bridge = CoopBridge(sandbox, [message_service(one, sandbox.options.command_timeout)])
    script = 'for i in 1 2 3 4 5; do coop send agent2 "{0}-$i" >/dev/null || exit 1; done'
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda worker: sandbox.execute(script.format(worker)), range(8)))
    assert [result["returncode"] for result in results] == [0] * 8
    expected = sorted(f"{worker}-{number}" for worker in range(8) for number in range(1, 6))
    assert sorted(message["text"] for message in two.receive()) == expected
    bridge.close()


def test_concurrent_readers_share_the_messages(local: Environment, bridge: CoopBridge, mailboxes: Mailboxes) -> None:
    for number in range(40):
        mailboxes[1].send("agent1", f"message {number}.")
    script = "coop recv & coop recv & coop recv & coop recv & wait"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        printed = "".join(result["output"] for result in pool.map(local.execute, [script] * 4))
    for number in range(40):
        assert printed.count(f"message {number}.") == 1


def test_ask_waits_for_the_answer(local: Environment, bridge: CoopBridge, mailboxes: Mailboxes) -> None:
    two = mailboxes[1]

    def answer() -> None:
        assert two.wait(timeout=60)[0]["question"]
        two.send("agent1", "call it parse")

    teammate = threading.Thread(target=answer)
    teammate.start()
    result = local.execute("coop ask agent2 which name?")
    teammate.join()
    assert result["returncode"] == 0
    assert result["output"].endswith("UTC (answer)\n> call it parse\n")


def test_waiting_in_vain_says_so(local: Environment, bridge: CoopBridge, mailboxes: Mailboxes) -> None:
    result = local.execute("coop recv --wait 0.2")
    assert (result["returncode"], result["output"]) == (3, "no message within 0.2 s\n")
    result = local.execute("coop ask agent2 'hello?' --wait 0.2")
    assert result["returncode"] == 3
    assert "agent2 has not read your question yet" in result["output"]
    assert [message["text"] for message in mailboxes[1].receive()] == ["hello?"]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("coop send agent3 hello", 1, "coop: not delivered: there is no teammate 'agent3'; you can write to: agent2"),
        ("coop send agent2", 2, "coop: usage: coop send NAME TEXT"),
        ("coop recv --wait soon", 2, "coop: --wait needs a number of seconds"),
        ("coop recv everything", 2, "coop: usage: coop recv"),
        ("coop dance", 2, "coop: unknown command 'dance'; `coop help` lists what there is"),
        ("coop git-push", 2, "coop: unknown command 'git-push'"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(
    local: Environment, bridge: CoopBridge, command: str, code: int, said: str
) -> None:
    result = local.execute(f"{command} </dev/null")
    assert result["returncode"] == code
    assert result["output"].startswith(said)
    assert result["output"].count("\n") == 1


def test_help_lists_what_is_there_and_nothing_else(local: Environment, bridge: CoopBridge) -> None:
    listed = local.execute("coop help")["output"]
    assert "coop send NAME TEXT" in listed
    assert "git" not in listed
    assert local.execute("coop")["output"] == listed


def test_team_shows_who_is_here_and_how_they_ended(
    broker: Broker, local: Environment, bridge: CoopBridge, mailboxes: Mailboxes, request: pytest.FixtureRequest
) -> None:
    url = broker.episode_url(request.node.name)
    mark_working(url, "agent2", doing="feature 2")
    mailboxes[1].send("agent1", "hi")
    assert local.execute("coop team")["output"] == (
        "you are agent1\nagent2 is working; feature 2\nunread messages for you: 1 (coop recv)\n"
    )
    mark_finished(url, "agent2", Ending.SUBMITTED)
    assert "agent2 has finished\n" in local.execute("coop team")["output"]
    refused = local.execute("coop send agent2 hello")
    assert (refused["returncode"], refused["output"]) == (1, "coop: not delivered: agent2 has finished\n")


def test_messages_taken_for_a_call_that_was_killed_come_again(
    local: Environment, bridge: CoopBridge, mailboxes: Mailboxes
) -> None:
    killed = local.execute("coop recv --wait 60", timeout=0.5)
    assert killed["timed_out"]
    mailboxes[1].send("agent1", "while nobody was listening")
    assert local.execute("coop recv --wait 60")["output"].endswith("while nobody was listening\n")


def test_messages_that_could_not_be_printed_come_again(
    local: Environment, bridge: CoopBridge, mailboxes: Mailboxes
) -> None:
    mailboxes[1].send("agent1", "x" * 300_000)
    local.execute("coop recv >/dev/full")
    assert local.execute("coop recv | wc -c")["output"].strip() > "300000"


def test_a_killed_relay_is_replaced_and_open_calls_are_answered(local: Environment, mailboxes: Mailboxes) -> None:
    release = threading.Event()
    carried_out = []

    def slow(call: Call) -> Reply:
        carried_out.append(call.arguments)
        release.wait(60)
        return Reply(stdout=b"done\n")

    bridge = CoopBridge(local, [Service({"slow": slow}, {"slow": ""})])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = pool.submit(local.execute, "coop slow", timeout=60)
        while not carried_out:
            time.sleep(0.01)
        assert local.execute(f"kill -9 $(cat {bridge.folder}/pids)")["returncode"] == 0
        release.set()
        assert pending.result()["output"] == "done\n"
    assert local.execute("coop ping </dev/null")["returncode"] == 0
    assert len(carried_out) == 1
    bridge.close()


def test_a_failing_handler_answers_and_is_counted(local: Environment) -> None:
    def broken(call: Call) -> Reply:
        raise RuntimeError("a bug")

    bridge = CoopBridge(local, [Service({"broken": broken}, {})])
    result = local.execute("coop broken")
    assert (result["returncode"], result["output"]) == (70, "coop: internal error\n")
    assert (bridge.failures, bridge.fault) == (1, None)
    local.execute("for i in 1 2 3; do coop broken; coop ping </dev/null; done")
    assert str(bridge.fault) == "4 of 7 calls to teammates failed"
    bridge.close()


def test_mistakes_of_agents_are_no_faults_of_the_bridge(local: Environment, bridge: CoopBridge) -> None:
    local.execute("for i in 1 2 3 4 5 6; do coop send nobody hello; done")
    assert (bridge.calls, bridge.failures, bridge.fault) == (6, 0, None)


@pytest.mark.ci
@pytest.mark.slow
def test_a_broker_that_is_gone_is_a_fault_of_the_bridge(local: Environment) -> None:
    broker = open_broker()
    mailbox = MessagingConnector("agent1", AGENTS, broker.open_episode("gone", AGENTS)["agent1"])
    bridge = CoopBridge(local, [message_service(mailbox, local.options.command_timeout)])
    broker.close()
    failed = local.execute("coop send agent2 hello", timeout=60)
    assert failed["returncode"] == 1
    assert "does not answer" in failed["output"]
    assert bridge.failures == 1
    bridge.close()


def test_a_waiting_call_ends_when_the_line_is_closed(local: Environment, bridge: CoopBridge) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = pool.submit(local.execute, "coop recv --wait 60")
        while not bridge._calls:
            time.sleep(0.01)
        bridge.close()
        result = pending.result(timeout=60)
    assert result["returncode"] in (3, 69)


def test_nothing_of_the_line_is_in_the_repository(local: Environment, bridge: CoopBridge) -> None:
    local.execute("coop team")
    assert local.execute("git status --porcelain --ignored")["output"] == ""


@pytest.mark.docker
def test_two_agents_in_containers_without_network_find_each_other(
    broker: Broker, request: pytest.FixtureRequest
) -> None:
    urls = broker.open_episode(request.node.name, AGENTS)
    with (
        DockerEnvironment("cooperbench-test/busybox", cwd="/tmp", network="none") as first,
        DockerEnvironment("cooperbench-test/nonroot", cwd="/tmp", network="none") as second,
    ):
        for environment, agent in ((first, "agent1"), (second, "agent2")):
            access = TeamAccess(agent_id=agent, agents=tuple(AGENTS), comm_url=urls[agent])
            bridge = connect(environment, access)
            assert connect(environment, access) is bridge
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asking = pool.submit(first.execute, "coop ask agent2 'which file?'")
            heard = second.execute("coop recv --wait 60 && coop team && coop send agent1 parser.py")
            answered = asking.result()
        assert "which file?\n" in heard["output"]
        assert "waiting for YOU" in heard["output"]
        assert answered["output"].endswith("UTC (answer)\n> parser.py\n")
        for environment in (first, second):
            connect(environment, TeamAccess(agent_id="agent1", agents=tuple(AGENTS), comm_url=urls["agent1"])).close()


@pytest.mark.docker
@pytest.mark.parametrize("backend", ["modal", pytest.param("gcp", marks=pytest.mark.slow)])
def test_the_line_works_in_the_cloud(
    backend: str, image: str, mailboxes: Mailboxes, request: pytest.FixtureRequest
) -> None:
    need(backend)
    request.getfixturevalue({"modal": "modal_standin", "gcp": "gce_standin"}[backend])
    options = EnvironmentOptions(network="none")
    with open_environment(backend, "cooperbench-test/sandbox:latest", options=options) as sandbox:
        check_both_ways(sandbox, mailboxes)
