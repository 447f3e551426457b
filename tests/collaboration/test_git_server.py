import gzip
import random
import resource
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.git_service import GitEvent
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.errors import RemoteError, UsageError
from cooperbench.testing.conformance.commands import until
from tests.collaboration.git_helpers import commit, git, must, repository

pytestmark = pytest.mark.slow
AGENTS = ["agent1", "agent2"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return repository(tmp_path / "base")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


def clones(server: GitServer, base: Path, tmp_path: Path, episode: str = "one") -> dict[str, Path]:
    urls = server.create_repository(episode, AGENTS, base=base)
    for agent, url in urls.items():
        must(tmp_path, "clone", "-q", url, f"{episode}-{agent}")
        must(tmp_path / f"{episode}-{agent}", "checkout", "-q", "-b", agent)
    return {agent: tmp_path / f"{episode}-{agent}" for agent in AGENTS}


def test_main_is_the_base_commit_without_what_came_later(server: GitServer, base: Path, tmp_path: Path) -> None:
    head = must(base, "rev-parse", "HEAD")
    must(base, "checkout", "-q", "-b", "future")
    later = commit(base, "solution.txt", "the real one\n")
    must(base, "tag", "v9")
    must(base, "checkout", "-q", "trunk")
    one = clones(server, base, tmp_path)["agent1"]
    assert must(one, "rev-parse", "origin/main") == head
    assert must(one, "ls-remote", "origin").split() == [head, "HEAD", head, "refs/heads/main"]
    assert git(one, "fetch", "origin", later).code != 0
    must(one, "fsck", "--strict")


def test_base_from_a_bundle(server: GitServer, base: Path, tmp_path: Path) -> None:
    must(base, "bundle", "create", tmp_path / "base.bundle", "HEAD")
    one = clones(server, tmp_path / "base.bundle", tmp_path)["agent1"]
    assert must(one, "rev-parse", "origin/main") == must(base, "rev-parse", "HEAD")
    assert must(one, "rev-list", "--count", "HEAD") == "3"


def test_a_branch_travels_from_one_agent_to_the_other(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)
    mine = commit(work["agent1"], "a.bin", random.Random(1).randbytes(3_000_000))
    must(work["agent1"], "push", "-q", "origin", "agent1")
    must(work["agent2"], "fetch", "-q", "origin")
    assert must(work["agent2"], "rev-parse", "origin/agent1") == mine
    must(work["agent2"], "merge", "-q", "origin/agent1")
    must(work["agent2"], "fsck", "--strict")


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ("main", "main is protected"),
        ("MAIN", "main is protected"),
        ("agent2", "this branch belongs to agent2"),
        ("Agent2", "this branch belongs to agent2"),
        ("agent2/wip", "this branch belongs to agent2"),
    ],
)
def test_foreign_branches_are_refused(server: GitServer, base: Path, tmp_path: Path, branch: str, reason: str) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    commit(work, "a.txt", "a")
    for push in (["push", "origin", f"agent1:{branch}"], ["push", "-f", "origin", f"agent1:{branch}"]):
        outcome = git(work, *push)
        assert outcome.code == 1
        assert reason in outcome.err
    assert git(work, "push", "origin", ":main").code == 1
    assert must(work, "ls-remote", "--heads", "origin").count("\n") == 0  # main only


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("agent1", "Agent1", "differs from agent1 in case only"),
        ("agent1/wip", "agent1/WIP", "differs from agent1/wip in case only"),
        ("Feature/a", "feature/b", "differs from Feature in case only"),
        ("agent1", "agent1/x\u202ey", "control characters"),
        ("agent1", "agent1/x\x9by", "control characters"),
    ],
)
def test_branches_differ_in_more_than_case_and_show_as_they_are(
    server: GitServer, base: Path, tmp_path: Path, first: str, second: str, reason: str
) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    commit(work, "a.txt", "a")
    must(work, "push", "-q", "origin", f"HEAD:refs/heads/{first}")
    refused = git(work, "push", "origin", f"HEAD:refs/heads/{second}")
    assert refused.code == 1
    assert reason in refused.err


def test_members_differ_in_more_than_case(server: GitServer) -> None:
    with pytest.raises(UsageError, match="'agent1' and 'Agent1' differ in case only"):
        server.create_repository("one", ["agent1", "Agent1"])
    with pytest.raises(UsageError, match="in case only"):
        TeamAccess(agent_id="agent1", agents=("agent1", "AGENT1"))
    with pytest.raises(UsageError, match="sender of notices"):
        MessagingConnector("agent1", ["agent1", "Harness"], "redis://127.0.0.1:1")


def test_tags_are_refused_and_say_so(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    must(work, "tag", "v1")
    outcome = git(work, "push", "origin", "v1")
    assert outcome.code == 1
    assert "only branches are shared" in outcome.err


def test_a_free_name_belongs_to_whoever_pushes_it_first(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)
    commit(work["agent1"], "a.txt", "a")
    must(work["agent1"], "push", "-q", "origin", "HEAD:feature-branch")
    commit(work["agent2"], "b.txt", "b")
    refused = git(work["agent2"], "push", "-f", "origin", "HEAD:feature-branch")
    assert refused.code == 1
    assert "belongs to agent1" in refused.err
    commit(work["agent1"], "a.txt", "more")
    must(work["agent1"], "push", "-q", "origin", "HEAD:feature-branch")
    must(work["agent1"], "push", "-q", "origin", ":feature-branch")
    assert git(work["agent2"], "push", "origin", "HEAD:feature-branch").code == 1


def test_the_allowed_part_of_a_push_is_done(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    mine = commit(work, "a.txt", "a")
    outcome = git(work, "push", "origin", "HEAD:agent1", "HEAD:agent2", "HEAD:main")
    assert outcome.code == 1
    assert "[new branch]" in outcome.err
    assert outcome.err.count("[remote rejected]") == 2
    assert must(work, "ls-remote", "origin", "agent1").startswith(mine)
    commit(work, "a.txt", "b")
    atomic = git(work, "push", "--atomic", "origin", "HEAD:agent1", "HEAD:agent2")
    assert atomic.code == 1
    assert must(work, "ls-remote", "origin", "agent1").startswith(mine)


def test_the_owner_may_force_and_delete(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    commit(work, "a.txt", "a")
    must(work, "push", "-q", "origin", "agent1")
    must(work, "commit", "-q", "--amend", "-m", "better")
    assert "non-fast-forward" in git(work, "push", "origin", "agent1").err
    must(work, "push", "-q", "-f", "origin", "agent1")
    must(work, "push", "-q", "origin", "--delete", "agent1")
    assert must(work, "ls-remote", "origin", "agent1") == ""


def test_concurrent_pushes_of_one_new_name_have_one_winner(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)
    heads = {agent: commit(path, f"{agent}.txt", agent) for agent, path in work.items()}
    with ThreadPoolExecutor(2) as pool:
        for round_ in range(8):
            target = f"HEAD:x{round_}"
            pushes = {agent: pool.submit(git, work[agent], "push", "origin", target) for agent in AGENTS}
            codes = {agent: push.result().code for agent, push in pushes.items()}
            assert sorted(codes.values()) == [0, 1]
            winner = next(agent for agent in AGENTS if codes[agent] == 0)
            assert must(work["agent1"], "ls-remote", "origin", f"x{round_}").startswith(heads[winner])


def test_an_episode_is_closed_to_others(server: GitServer, base: Path, tmp_path: Path) -> None:
    first = server.create_repository("first", AGENTS, base=base)
    second = server.create_repository("a/b c%2F", AGENTS, base=base)
    assert git(tmp_path, "ls-remote", second["agent2"]).code == 0
    mixed = urlsplit(first["agent1"])._replace(path=urlsplit(second["agent1"]).path).geturl()
    other_name = first["agent1"].replace("agent1", "agent2")
    no_token = first["agent1"].replace(urlsplit(first["agent1"]).password or "?", "wrong")
    for url in (mixed, other_name, no_token, f"http://127.0.0.1:{urlsplit(mixed).port}/first.git"):
        outcome = git(tmp_path, "ls-remote", url)
        assert outcome.code == 128, url
        assert "refs/heads" not in outcome.out
    again = server.create_repository("first", AGENTS, base=base)
    assert git(tmp_path, "ls-remote", first["agent1"]).code == 128
    assert git(tmp_path, "ls-remote", again["agent1"]).code == 0


@pytest.mark.parametrize(
    "path", ["/one.git/HEAD", "/one.git/config", "/one.git/../../etc/passwd", "/one.git/info/refs"]
)
def test_nothing_but_the_smart_protocol_is_served(server: GitServer, base: Path, path: str) -> None:
    url = urlsplit(server.create_repository("one", AGENTS, base=base)["agent1"])
    connection = HTTPConnection("127.0.0.1", url.port or 0)
    connection.request("GET", path, headers={"Authorization": _basic(f"{url.username}:{url.password}")})
    assert connection.getresponse().status == 404
    connection.close()


def test_events_tell_who_did_what(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)
    seen = len(server.events("one"))
    one = commit(work["agent1"], "a.txt", "a")
    must(work["agent1"], "push", "-q", "origin", "agent1")
    git(work["agent1"], "push", "-q", "origin", "HEAD:main")
    must(work["agent2"], "fetch", "-q", "origin")
    must(work["agent2"], "fetch", "-q", "origin")  # brings nothing
    pushed, refused, fetched = server.events("one")[seen:]
    assert (pushed.agent_id, pushed.action) == ("agent1", "push")
    assert [(r.ref, r.old, r.new, r.refused) for r in pushed.refs] == [("refs/heads/agent1", None, one, None)]
    assert "protected" in (refused.refs[0].refused or "")
    assert (fetched.agent_id, fetched.action) == ("agent2", "fetch")
    assert [(r.ref, r.new) for r in fetched.refs] == [("refs/heads/agent1", one)]
    assert server.events("other") == []


def test_a_push_in_words(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    mine = commit(work, "a.txt", "a", "Add the parser\n\nand more")
    must(work, "push", "-q", "origin", "HEAD:agent1", "HEAD:other")
    git(work, "push", "-q", "origin", "HEAD:main")
    must(work, "push", "-q", "origin", ":other")
    assert server.published("one", "agent1") == f"origin/agent1 at {mine[:7]}: Add the parser"
    assert server.published("one", "agent2") is None
    words = [event.summary for event in server.events("one") if event.action == "push"]
    at = f"at {mine[:7]}: Add the parser"
    assert words == [f"agent1 {at}; other {at}", None, "other deleted"]


def test_conflicts_with_teammates_are_foreseen(server: GitServer, base: Path, tmp_path: Path) -> None:
    urls = server.create_repository("three", ["agent1", "agent2", "agent3"], base=base)
    work = {agent: tmp_path / agent for agent in urls}
    for agent, url in urls.items():
        must(tmp_path, "clone", "-q", url, agent)
    clients = {agent: GitClient(url) for agent, url in urls.items()}
    assert clients["agent1"].conflicts() == {}
    for agent in ("agent1", "agent2"):
        commit(work[agent], "file.txt", f"by {agent}\n")
        commit(work[agent], "with space ü.txt", f"by {agent}\n")
        commit(work[agent], f"{agent}.txt", "no trouble\n")
    commit(work["agent3"], "file.txt", "line\nline\nline\nlast\n")
    must(work["agent1"], "push", "-q", "origin", "HEAD:agent1")
    must(work["agent2"], "push", "-q", "origin", "HEAD:topic")
    assert clients["agent1"].conflicts() == {"topic": ["file.txt", "with space ü.txt"]}
    assert clients["agent2"].conflicts() == {}  # it has not pushed its own branch
    must(work["agent3"], "push", "-q", "origin", "HEAD:agent3")
    assert clients["agent3"].conflicts() == {"agent1": ["file.txt"], "topic": ["file.txt"]}
    pushed = [ref for event in server.events("three") if event.action == "push" for ref in event.refs]
    assert {"file.txt"} <= {path for ref in pushed for path in ref.changed or ()}
    foreseen = [(each.branch, each.owner, each.paths) for each in pushed[-1].conflicts or ()]
    assert ("agent1", "agent1", ("file.txt",)) in foreseen


def test_a_push_is_an_event_before_the_pusher_knows(tmp_path: Path, base: Path) -> None:
    told: list[GitEvent] = []
    with GitServer(tmp_path / "server", on_event=told.append) as server:
        work = clones(server, base, tmp_path)["agent1"]
        for number in range(5):
            mine = commit(work, "a.txt", str(number))
            must(work, "push", "-q", "origin", "agent1")
            assert told[-1].refs[0].new == mine


def test_bodies_gzipped_chunked_and_cut_short(server: GitServer, base: Path, tmp_path: Path) -> None:
    work = clones(server, base, tmp_path)["agent1"]
    # more than http.postBuffer goes out in chunks
    mine = commit(work, "big.bin", random.Random(2).randbytes(300_000))
    must(work, "-c", "http.postBuffer=65536", "push", "-q", "origin", "agent1")
    # many haves make git compress its request
    for number in range(60):
        commit(work, f"{number}.txt", "x")
    must(work, "fetch", "-q", "origin", "main")

    url = urlsplit(server.create_repository("two", AGENTS, base=base)["agent1"])
    head = must(base, "rev-parse", "HEAD")
    authorization = _basic(f"{url.username}:{url.password}")
    body = f"0032want {head}\n00000009done\n".encode()
    connection = HTTPConnection("127.0.0.1", url.port or 0)
    headers = {"Authorization": authorization, "Content-Encoding": "gzip"}
    connection.request("POST", "/two.git/git-upload-pack", gzip.compress(body), headers)
    assert b"PACK" in connection.getresponse().read()
    connection.request("POST", "/two.git/git-upload-pack", b"no gzip at all", headers)
    assert connection.getresponse().status == 400
    connection.close()

    line = f"{'0' * 40} {head} refs/heads/agent1\0report-status\n"
    promised = f"{len(line) + 4:04x}{line}0000".encode()
    with socket.create_connection(("127.0.0.1", url.port or 0)) as half:
        request = f"POST /two.git/git-receive-pack HTTP/1.1\r\nAuthorization: {authorization}\r\nContent-Length: 100000\r\n\r\n"
        half.sendall(request.encode() + promised)
    assert must(tmp_path, "ls-remote", url.geturl(), "agent1") == ""
    assert mine in must(work, "ls-remote", "origin", "agent1")


def test_clients_that_are_cut_off_are_no_news(
    server: GitServer, base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As when the process of an agent is killed: the connection ends with a reset, in front of a request or inside one."""
    before = set(threading.enumerate())
    url = urlsplit(server.create_repository("one", AGENTS, base=base)["agent1"])
    head = f"POST /one.git/git-receive-pack HTTP/1.1\r\nAuthorization: {_basic(f'{url.username}:{url.password}')}\r\n"
    for sent in ("", "POST /one", head, f"{head}Content-Length: 100000\r\n\r\n0000"):
        cut = socket.create_connection(("127.0.0.1", url.port or 0))
        cut.sendall(sent.encode())
        cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cut.close()
    assert must(tmp_path, "ls-remote", url.geturl(), "main")
    assert until(lambda: not [each for each in set(threading.enumerate()) - before if "request" in each.name], 60)
    assert capfd.readouterr().err == ""


def test_a_push_that_the_disk_cannot_hold_is_told_so(server: GitServer, base: Path) -> None:
    url = urlsplit(server.create_repository("one", AGENTS, base=base)["agent1"])
    connection = HTTPConnection("127.0.0.1", url.port or 0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        headers = {"Authorization": _basic(f"{url.username}:{url.password}")}
        connection.request("POST", "/one.git/git-receive-pack", bytes(200_000), headers)
        answer = connection.getresponse()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (answer.status, answer.read()) == (507, b"the server cannot keep this: File too large\n")
    connection.close()


def test_a_push_of_garbage_is_refused(server: GitServer, base: Path, tmp_path: Path) -> None:
    url = urlsplit(server.create_repository("one", AGENTS, base=base)["agent1"])
    head = must(base, "rev-parse", "HEAD")
    authorization = {"Authorization": _basic(f"{url.username}:{url.password}")}
    line = f"{'0' * 40} {head} refs/heads/agent1\0 report-status side-band-64k\n"
    connection = HTTPConnection("127.0.0.1", url.port or 0)
    for body, status in ((b"rubbish", 400), (f"{len(line) + 4:04x}{line}0000".encode() + b"PACKrubbish", 200)):
        connection.request("POST", "/one.git/git-receive-pack", body, authorization)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == status
        connection.close()
    assert b"ng refs/heads/agent1" in text
    assert must(tmp_path, "ls-remote", url.geturl(), "agent1") == ""


def test_no_configuration_of_the_user_reaches_the_server(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-receive").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    (hooks / "pre-receive").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    with GitServer(tmp_path / "server") as server:
        work = clones(server, base, tmp_path)["agent1"]
        commit(work, "a.txt", "a")
        must(work, "push", "-q", "origin", "agent1")
    assert not (tmp_path / "ran").exists()


def test_twenty_episodes_at_once_share_the_history_of_their_base(server: GitServer, base: Path, tmp_path: Path) -> None:
    def play(number: int) -> bool:
        work = clones(server, base, tmp_path, f"e{number}")
        commit(work["agent1"], "a.txt", str(number))
        must(work["agent1"], "push", "-q", "origin", "agent1")
        must(work["agent2"], "pull", "-q", "--no-rebase", "origin", "agent1")
        return (work["agent2"] / "a.txt").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(play, range(20)))
    assert len(list((tmp_path / "server" / "bases").iterdir())) == 1


def test_a_base_that_is_none(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(RemoteError):
        server.create_repository("one", AGENTS, base=tmp_path)


def test_a_closed_server_refuses(tmp_path: Path, base: Path) -> None:
    with GitServer(tmp_path / "server") as server:
        url = server.create_repository("one", AGENTS, base=base)["agent1"]
    server.close()
    assert git(tmp_path, "ls-remote", url).code == 128
    with pytest.raises(RemoteError, match="not running"):
        server.create_repository("two", AGENTS, base=base)


def _basic(credentials: str) -> str:
    return "Basic " + b64encode(credentials.encode()).decode()
