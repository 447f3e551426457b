"""The harness's client against the real server, and how the first sandbox brings the base commit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_protocol import NO_OBJECT, RefCommand
from cooperbench.collaboration.git_server import GitServer
from cooperbench.errors import RemoteError
from tests.collaboration.git_helpers import commit, git, must, pack, repository

AGENTS = ["agent1", "agent2"]
MAIN = "refs/heads/main"
NO_OBJECTS = bytes.fromhex("5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return repository(tmp_path / "base")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


def test_objects_go_through_byte_for_byte(server: GitServer, base: Path) -> None:
    urls = server.create_repository("one", AGENTS, base=base)
    first, second = (GitClient(urls[agent]) for agent in AGENTS)
    start = must(base, "rev-parse", "HEAD")
    assert first.list_refs() == ({MAIN: start}, MAIN)
    mine = commit(base, "new.bin", bytes(range(256)) * 4000)
    report = first.push_pack(
        [RefCommand(NO_OBJECT, mine, "refs/heads/agent1"), RefCommand(NO_OBJECT, mine, "refs/heads/agent2")],
        pack(base, mine, f"^{start}"),
    )
    assert report.results["refs/heads/agent1"] is None
    assert "belongs to agent2" in (report.results["refs/heads/agent2"] or "")
    assert second.list_refs().refs == {MAIN: start, "refs/heads/agent1": mine}
    clone = base.parent / "clone"
    must(base.parent, "clone", "-q", "--branch", "trunk", base, clone)
    must(clone, "reset", "-q", "--hard", start)
    thin = second.fetch_pack([mine], [start])
    whole = second.fetch_pack([mine], [])
    assert len(thin) < len(whole)
    for data in (thin, whole):
        other = base.parent / f"other{len(data)}"
        must(base.parent, "clone", "-q", "--no-local", clone, other)
        must(other, "-c", "core.bigFileThreshold=1", "unpack-objects", "-q", stdin=data)
        must(other, "fsck", "--strict", mine)
    assert [event.action for event in server.events("one")] == ["push", "fetch", "fetch"]


def test_a_branch_that_moved_meanwhile_is_not_overwritten(server: GitServer, base: Path) -> None:
    client = GitClient(server.create_repository("one", AGENTS, base=base)["agent1"])
    start = must(base, "rev-parse", "HEAD")
    one, two = commit(base, "a", "1"), commit(base, "a", "2")
    client.push_pack([RefCommand(NO_OBJECT, one, "refs/heads/agent1")], pack(base, one, f"^{start}"))
    late = client.push_pack([RefCommand(NO_OBJECT, two, "refs/heads/agent1")], pack(base, two, f"^{start}"))
    assert late.results["refs/heads/agent1"]
    assert client.list_refs().refs["refs/heads/agent1"] == one


def test_the_first_setup_brings_main_and_nobody_can_move_it_again(server: GitServer, base: Path) -> None:
    start = must(base, "rev-parse", "HEAD")
    first, second = (GitClient(url) for url in server.create_repository("one", AGENTS).values())
    assert first.list_refs() == ({}, None)
    command = RefCommand(NO_OBJECT, start, MAIN)
    assert first.push_pack([command], NO_OBJECTS).results[MAIN]  # the server does not have these objects yet
    assert first.push_pack([command], pack(base, start)).results[MAIN] is None
    other = commit(base, "a", "other")
    for client in (first, second):
        moved = client.push_pack([RefCommand(start, other, MAIN)], pack(base, other, f"^{start}"))
        assert "protected" in (moved.results[MAIN] or "")
    assert second.list_refs() == ({MAIN: start}, MAIN)
    # From now on the server knows this commit, and an episode that starts from it sends nothing.
    third = GitClient(server.create_repository("two", AGENTS)["agent1"])
    assert third.push_pack([command], NO_OBJECTS).results[MAIN] is None
    must(base.parent, "clone", "-q", server.create_repository("two", AGENTS, base=base)["agent1"], "clone")
    must(base.parent / "clone", "fsck", "--strict")


def test_of_two_first_setups_at_once_one_brings_main_and_neither_is_an_event(server: GitServer, base: Path) -> None:
    start = must(base, "rev-parse", "HEAD")
    data = pack(base, start)
    command = RefCommand(NO_OBJECT, start, MAIN)
    with ThreadPoolExecutor(2) as pool:
        for number in range(8):
            clients = [GitClient(url) for url in server.create_repository(f"e{number}", AGENTS).values()]
            offers = [pool.submit(client.push_pack, [command], data) for client in clients]
            assert None in [offer.result().results[MAIN] for offer in offers]
            assert clients[0].list_refs() == ({MAIN: start}, MAIN)
    assert server.events() == []


def test_failures_are_errors_that_say_why(server: GitServer, base: Path) -> None:
    url = server.create_repository("one", AGENTS, base=base)["agent1"]
    for broken in ("git://x", "http://127.0.0.1:1/one.git", url.replace("http", "https")):
        with pytest.raises(RemoteError, match="not the URL"):
            GitClient(broken)
    with pytest.raises(RemoteError, match="do not open"):
        GitClient(url.replace("agent1", "agent2")).list_refs()
    with pytest.raises(RemoteError, match="not our ref"):
        GitClient(url).fetch_pack(["1" * 40], [])
    server.close()
    with pytest.raises(RemoteError, match="does not answer") as caught:
        GitClient(url).list_refs()
    assert caught.value.retryable
    assert git(base.parent, "ls-remote", url).code == 128
