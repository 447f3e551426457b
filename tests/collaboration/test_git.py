"""Plain git in real sandboxes without a network, with the shared repository on the host."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.collaboration.connect import GitConnector
from cooperbench.collaboration.git_server import GitServer
from cooperbench.environments import DockerEnvironment, Environment, LocalEnvironment, attach
from cooperbench.errors import AgentError, RemoteError
from cooperbench.testing import sample_image
from tests.collaboration.git_helpers import commit, must, repository
from tests.needs import need

AGENTS = ["agent1", "agent2"]
DOCKER_IMAGE = "cooperbench-test/nonroot:latest"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full clone, whose upstream went on after the base commit."""
    folder = tmp_path_factory.mktemp("git")
    upstream = repository(folder / "upstream")
    must(folder, "clone", "-q", upstream, "clone")
    return folder / "clone"


@pytest.fixture(scope="module")
def image(clone: Path) -> str:
    """An image as tasks have them."""
    need("sandbox")
    return sample_image("test:git", repository=clone)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


class Pair:
    """Two connected sandboxes of one episode."""

    def __init__(self, server: GitServer, environments: list[Environment]) -> None:
        self.server = server
        self.urls = server.create_repository("one", AGENTS)
        self.environments = dict(zip(AGENTS, environments, strict=True))
        for agent in AGENTS:
            self.connect(agent)

    def connect(self, agent: str) -> None:
        GitConnector(agent_id=agent, agents=AGENTS, server_url=self.urls[agent]).setup(self.environments[agent])

    def run(self, agent: str, command: str) -> str:
        done = self.environments[agent].execute(command)
        assert done["returncode"] == 0, done["output"]
        return done["output"].strip()

    def fail(self, agent: str, command: str, code: int = 1) -> str:
        done = self.environments[agent].execute(command)
        assert done["returncode"] == code, done["output"]
        return done["output"].strip()


@pytest.fixture
def pair(server: GitServer, image: str) -> Iterator[Pair]:
    with LocalEnvironment(image, network="none") as one, LocalEnvironment(image, network="none") as two:
        yield Pair(server, [one, two])


@pytest.fixture
def docker_pair(server: GitServer) -> Iterator[Pair]:
    with DockerEnvironment(DOCKER_IMAGE, network="none") as one, DockerEnvironment(DOCKER_IMAGE, network="none") as two:
        yield Pair(server, [one, two])


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def any_pair(request: pytest.FixtureRequest) -> Pair:
    pair: Pair = request.getfixturevalue("pair" if request.param == "local" else "docker_pair")
    return pair


@pytest.fixture
def modal_pair(server: GitServer, modal_standin: object) -> Iterator[Pair]:
    from cooperbench.environments.modal import ModalEnvironment

    with ModalEnvironment(DOCKER_IMAGE, network="none") as one, ModalEnvironment(DOCKER_IMAGE, network="none") as two:
        yield Pair(server, [one, two])


@pytest.fixture
def gcp_pair(server: GitServer, gce_standin: object) -> Iterator[Pair]:
    from cooperbench.environments.gcp import GCPEnvironment

    with GCPEnvironment(DOCKER_IMAGE, network="none") as one, GCPEnvironment(DOCKER_IMAGE, network="none") as two:
        yield Pair(server, [one, two])


EVERYWHERE = [
    "pair",
    pytest.param("docker_pair", marks=pytest.mark.docker),
    pytest.param("modal_pair", marks=[pytest.mark.docker, pytest.mark.slow]),
    pytest.param("gcp_pair", marks=[pytest.mark.docker, pytest.mark.slow]),
]


@pytest.mark.parametrize("where", EVERYWHERE)
def test_what_the_documentation_shows_works_everywhere(where: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(where)
    run, fail = pair.run, pair.fail
    assert "Already up to date" in run("agent1", "git pull origin main")
    run("agent2", "git checkout -q -b other-agent-branch && echo two >two.txt && git add . && git commit -qm two")
    assert "[new branch]" in run("agent2", "git push origin other-agent-branch")
    run("agent1", "git checkout -q -b feature-branch && echo one >one.txt && git add . && git commit -qm one")
    assert "feature-branch -> feature-branch" in run("agent1", "git push origin feature-branch")
    run("agent1", "git fetch origin other-agent-branch:other-agent-branch")
    run("agent1", "git merge other-agent-branch")
    assert run("agent1", "cat one.txt two.txt") == "one\ntwo"
    assert "everything up-to-date" in run("agent2", "git push origin other-agent-branch").lower()
    assert "belongs to agent1" in fail("agent2", "git push -f origin HEAD:feature-branch")
    assert "main is protected" in fail("agent2", "git push origin HEAD:main")


def test_a_sandbox_has_the_shared_remote_and_nothing_from_elsewhere(pair: Pair, clone: Path) -> None:
    base = must(clone, "rev-parse", "HEAD")
    assert pair.run("agent1", "git remote -v | sort -u").splitlines() == [
        f"{name}\tcoop::shared ({use})" for name in ("origin", "team") for use in ("fetch", "push")
    ]
    assert pair.run("agent1", "git symbolic-ref HEAD") == "refs/heads/agent1"
    assert pair.run("agent1", "git rev-parse HEAD main origin/main") == "\n".join([base] * 3)
    assert pair.run("agent1", "git status --porcelain") == ""
    assert pair.run("agent1", "git ls-remote team").split() == [base, "refs/heads/main", base, "HEAD"]
    assert pair.run("agent2", "git commit -q --allow-empty -m x; git log -1 --format='%an <%ae>'").startswith(
        "agent2 <"
    )


@pytest.mark.needs("sandbox")
def test_what_came_after_the_base_is_gone_and_cannot_be_fetched(server: GitServer, clone: Path, tmp_path: Path) -> None:
    upstream = repository(tmp_path / "upstream")
    must(upstream, "tag", "v1")
    solution = commit(upstream, "solution.txt", "the real one\n")
    must(tmp_path, "clone", "-q", upstream, "clone")
    must(tmp_path / "clone", "checkout", "-q", "-b", "task", "v1")
    with LocalEnvironment(sample_image("test:later", repository=tmp_path / "clone"), network="none") as env:
        must(upstream, "bundle", "create", tmp_path / "later.bundle", "trunk")
        env.write_file("/tmp/later.bundle", (tmp_path / "later.bundle").read_bytes())
        env.execute("git fetch -q /tmp/later.bundle trunk:refs/remotes/origin/trunk && git tag v2 origin/trunk")
        assert env.execute(f"git cat-file -e {solution}")["returncode"] == 0
        url = server.create_repository("later", ["agent1", "agent2"])["agent1"]
        GitConnector(agent_id="agent1", agents=AGENTS, server_url=url).setup(env)
        assert env.execute(f"git cat-file -e {solution}")["returncode"] != 0
        assert env.execute(f"git fetch origin {solution}")["returncode"] == 128
        assert solution not in env.execute("git log --all --format=%H")["output"]
        assert env.execute("git tag")["output"] == ""


def test_the_everyday_refusals_read_as_from_any_git_server(pair: Pair) -> None:
    pair.run("agent1", "git commit -q --allow-empty -m one && git push -q origin agent1")
    pair.run("agent1", "git commit -q --amend --allow-empty -m better")
    assert "non-fast-forward" in pair.fail("agent1", "git push origin agent1")
    assert "forced update" in pair.run("agent1", "git push --force-with-lease origin agent1")
    assert "does not match any" in pair.fail("agent1", "git push origin nowhere")
    assert "couldn't find remote ref" in pair.fail("agent1", "git pull origin nowhere")
    assert "only branches are shared" in pair.fail("agent1", "git tag v1 && git push origin v1")
    assert "agent1/x" in pair.fail("agent1", "git push origin HEAD:agent1/x")
    assert "atomic" in pair.fail("agent1", "git push --atomic origin HEAD:new HEAD:main")
    assert "new" not in pair.run("agent1", "git push -n origin HEAD:new 2>/dev/null; git ls-remote --heads origin")
    assert "[deleted]" in pair.run("agent1", "git push origin --delete agent1")
    assert "agent1" not in pair.run("agent2", "git fetch -p && git branch -r")
    assert pair.run("agent2", "git push 2>&1").count("[new branch]") == 1
    pair.fail("agent2", "git push --mirror origin")
    assert "main" in pair.run("agent1", "git ls-remote --heads origin")


def test_a_clone_inside_the_sandbox(pair: Pair) -> None:
    mine = pair.run("agent1", "git commit -q --allow-empty -m one && git push -q origin agent1 && git rev-parse HEAD")
    pair.run("agent2", "git clone -q coop::shared /tmp/clone && git -C /tmp/clone fsck --strict")
    assert pair.run("agent2", "git -C /tmp/clone rev-parse origin/agent1") == mine
    assert pair.run("agent2", "git -C /tmp/clone rev-list --count main") == "3"


@pytest.mark.slow
def test_two_agents_push_and_merge_at_the_same_time(any_pair: Pair) -> None:
    rounds = 5
    barrier = threading.Barrier(2)

    def work(agent: str, other: str) -> None:
        for number in range(rounds):
            barrier.wait(60)
            any_pair.run(agent, f"echo {number} >{agent}.{number} && git add . && git commit -qm {number}")
            any_pair.run(agent, f"git push -q origin {agent}")
            any_pair.run(agent, f"git fetch -q origin && git merge -q --no-edit origin/main && git rev-parse {agent}")
        barrier.wait(60)
        any_pair.run(
            agent, f"git fetch -q origin && git merge -q --no-edit origin/{other} && git push -q origin {agent}"
        )

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(work, *AGENTS), pool.submit(work, *reversed(AGENTS))]:
            job.result()
    trees = [
        any_pair.run(agent, "git fsck --strict >&2 && git rev-parse HEAD^{tree}").splitlines()[-1] for agent in AGENTS
    ]
    assert trees[0] == trees[1]
    pushes = [event for event in any_pair.server.events("one") if event.action == "push"]
    assert len(pushes) == 2 * (rounds + 1)


@pytest.mark.docker
def test_a_push_of_megabytes_from_a_container(docker_pair: Pair) -> None:
    data = random.Random(3).randbytes(5_000_000)
    docker_pair.environments["agent1"].write_file("/workspace/repo/big.bin", data)
    docker_pair.run("agent1", "coop submit -m 'Big one'")
    docker_pair.run("agent2", "git fetch -q origin && git merge -q origin/agent1")
    assert docker_pair.environments["agent2"].read_file("/workspace/repo/big.bin") == data


def test_submit_commits_pushes_and_foresees_conflicts(any_pair: Pair) -> None:
    run, fail = any_pair.run, any_pair.fail
    run("agent1", "echo mine >shared.txt && mkdir -p deep && echo x >deep/new.txt")
    said = run("agent1", "cd deep && coop submit -m 'My \"part\"'")
    assert 'Pushed "My "part""' in said
    assert "merges cleanly" in said
    run("agent2", "echo theirs >shared.txt")
    assert "conflicts with origin/agent1 in shared.txt" in run("agent2", "coop submit -m theirs")
    assert "conflicts with origin/agent2 in shared.txt" in run(
        "agent1", "coop submit -m again"
    )  # nothing new to commit
    assert "git commit" not in run("agent1", "git log -1 --format=%s")
    assert "a merge is not finished" in fail("agent1", "git fetch -q; git merge origin/agent2; coop submit -m bad")
    run("agent1", "git merge --abort && git commit -q --amend -m rewritten && coop submit -m unused")
    assert run("agent2", "git fetch -q && git log -1 --format=%s origin/agent1") == "rewritten"
    for wrong in ("", "text", "-m", "-m ''", "-x", "-m a b"):
        assert "usage" in fail("agent1", f"coop submit {wrong}", 2)


def test_no_hook_of_the_repository_runs_for_the_harness(server: GitServer, image: str) -> None:
    with LocalEnvironment(image, network="none") as env:
        hooks = ("reference-transaction", "post-checkout", "pre-push", "pre-commit", "post-commit", "post-merge")
        for hook in hooks:
            env.write_file(
                f"/workspace/repo/.git/hooks/{hook}", b"#!/bin/sh\necho ran >>/tmp/ran\nexit 1\n", mode=0o755
            )
        url = server.create_repository("hooked", AGENTS)["agent1"]
        GitConnector(agent_id="agent1", agents=AGENTS, server_url=url).setup(env)
        assert env.execute("touch new && coop submit -m text")["returncode"] == 0
        with pytest.raises(FileNotFoundError):
            env.read_file("/tmp/ran")


def test_no_credential_is_in_the_sandbox(pair: Pair) -> None:
    token = urlsplit(pair.urls["agent1"]).password or ""
    halves = {"ONE": token[:16], "TWO": token[16:]}  # or the search would find itself
    search = 'env | grep -e "$ONE$TWO"; grep -rle "$ONE$TWO" . /tmp "$HOME" 2>/dev/null'
    assert pair.environments["agent1"].execute(search, env=halves)["output"] == ""


def test_requests_that_git_does_not_make_are_refused(pair: Pair) -> None:
    for command in ("git-fetch", "git-fetch -", "git-push", "git-push -", "git-push false -"):
        assert "nothing" in pair.fail("agent1", f"coop {command} </dev/null")
    assert "unreadable" in pair.fail("agent1", "echo rubbish | coop git-push false -", 2)
    assert "unreadable" in pair.fail("agent1", "printf 'want \\377' | coop git-fetch -", 2)
    pair.run("agent1", "git fetch origin")


def test_setup_again_keeps_the_work(pair: Pair) -> None:
    pair.run("agent1", "git checkout -q -b topic && echo x >x && git add x && git commit -qm x && echo y >y")
    before = pair.run("agent1", "git status --porcelain --branch; git rev-parse HEAD")
    pair.connect("agent1")
    assert pair.run("agent1", "git status --porcelain --branch; git rev-parse HEAD") == before


class Logged:
    """A wrapper as agents write them."""

    def __init__(self, env: Environment) -> None:
        self.wrapped = env

    def execute(self, command: str, **options: Any) -> dict[str, Any]:
        return dict(self.wrapped.execute(command, **options))


class Slotted:
    """A wrapper of a wrapper that keeps it out of sight and answers with text."""

    __slots__ = ("execute",)

    def __init__(self, env: Logged) -> None:
        self.execute = lambda command: env.execute(command)["output"]


class Mute:
    """A wrapper that says nothing."""

    def __init__(self, env: Environment) -> None:
        self.env = env

    def execute(self, action: str) -> None:
        self.env.execute(action)


@pytest.mark.parametrize("wrap", [Logged, Mute, lambda env: Slotted(Logged(env)), lambda env: attach(env.handle())])
def test_setup_through_a_wrapper_leaves_the_bridge_as_it_is(pair: Pair, wrap: Callable[[Environment], Any]) -> None:
    env = pair.environments["agent1"]
    connector = GitConnector(agent_id="agent1", agents=AGENTS, server_url=pair.urls["agent1"])
    connector.setup(wrap(env))
    for name in ("one", "two"):
        pair.run("agent1", f"echo {name} > {name} && git add . && git commit -qm {name} && git push -q origin agent1")
        connector.setup(wrap(env))
    pair.run("agent2", "git fetch -q origin && git merge -q origin/agent1 && cat one two")
    assert not pair.run("agent1", "ls -A /tmp | grep cooperbench-[0-9a-f]* || true").count("\n")


def test_setup_through_a_wrapper_alone(server: GitServer, image: str) -> None:
    url = server.create_repository("wrapped", AGENTS)["agent1"]
    with LocalEnvironment(image, network="none") as env:
        GitConnector(agent_id="agent1", agents=AGENTS, server_url=url).setup(Logged(env))
        assert env.execute("git commit -q --allow-empty -m x && git push -q origin agent1")["returncode"] == 0


class Elsewhere:
    def execute(self, command: str) -> dict[str, Any]:
        return {"output": "", "returncode": 0}


class WantsMore:
    def execute(self, command: str, user: str) -> None: ...


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (object(), "a object has no method execute"),
        (None, "a NoneType has no method execute"),
        (Elsewhere(), "the commands of a Elsewhere do not run in a sandbox"),
        (WantsMore(), r"execute\(\) of a WantsMore does not take a command: TypeError"),
    ],
)
def test_what_has_no_sandbox_is_refused_at_once(pair: Pair, candidate: Any, reason: str) -> None:
    connector = GitConnector(agent_id="agent1", agents=AGENTS, server_url=pair.urls["agent1"])
    with pytest.raises(AgentError, match=reason):
        connector.setup(candidate)


def test_setup_fails_loudly(server: GitServer, pair: Pair, clone: Path) -> None:
    different = sample_image("test:different")
    with LocalEnvironment(different, network="none") as env, pytest.raises(RemoteError, match="starts from commit"):
        GitConnector(agent_id="agent2", agents=AGENTS, server_url=pair.urls["agent2"]).setup(env)
    with LocalEnvironment(different, network="none") as env:
        env.execute("rm -rf .git")
        with pytest.raises(RemoteError, match="no git repository"):
            GitConnector(agent_id="agent2", agents=AGENTS, server_url=pair.urls["agent2"]).setup(env)
    server.close()
    with LocalEnvironment(different, network="none") as env, pytest.raises(RemoteError, match="does not answer"):
        GitConnector(agent_id="agent2", agents=AGENTS, server_url=pair.urls["agent2"]).setup(env)
    assert "does not answer" in pair.fail("agent1", "git fetch", 128)


# Random histories

_name = st.text(
    st.characters(blacklist_characters='\0\n/"\\', blacklist_categories=["Cs"]), min_size=1, max_size=8
).filter(
    lambda name: name not in (".", "..", ".git") and not name.lower().startswith(".git") and "git~" not in name.lower()
)
_file = st.tuples(_name, st.sampled_from(["100644", "100755", "120000"]), st.binary(max_size=300))
_commit = st.tuples(
    st.lists(_file, max_size=3),
    st.binary(max_size=40),
    st.lists(st.integers(0, 9), max_size=3),
    st.integers(0, 2**31 - 1),
)
_history = st.lists(_commit, min_size=1, max_size=8)
Commit = tuple[list[tuple[str, str, bytes]], bytes, list[int], int]


def _stream(history: list[Commit], base: str) -> bytes:
    """A history for `git fast-import`: each commit on some of the earlier ones, on the base, or on nothing."""
    out = bytearray()
    for mark, (files, message, parents, time) in enumerate(history, start=1):
        out += b"commit refs/heads/random\nmark :%d\n" % mark
        out += b"author A \xff <a@example.com> %d +0130\ncommitter C <> %d -0800\n" % (time, time)
        out += b"data %d\n" % len(message) + message + b"\n"
        known = list(dict.fromkeys(f":{1 + parent % mark}" for parent in parents if 1 + parent % mark != mark))
        for word, parent in zip(["from"] + ["merge"] * len(known), known or ([base] if mark % 2 else []), strict=False):
            out += f"{word} {parent}\n".encode()
        if mark > 1 and not known and not mark % 2:
            out += b"from 0000000000000000000000000000000000000000\n"
        for name, mode, data in files:
            out += b'M %s inline "%s"\n' % (mode.encode(), name.encode()) + b"data %d\n" % len(data) + data + b"\n"
    return bytes(out)


@pytest.mark.slow
def test_random_histories_arrive_commit_for_commit(server: GitServer, image: str) -> None:
    with LocalEnvironment(image, network="none") as one, LocalEnvironment(image, network="none") as two:
        pair = Pair(server, [one, two])
        base = pair.run("agent1", "git rev-parse main")
        count = 0

        @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(_history)
        def check(history: list[Commit]) -> None:
            nonlocal count
            count += 1
            one.write_file("/tmp/stream", _stream(history, base))
            pair.run("agent1", "git fast-import --quiet --force </tmp/stream")
            pair.run("agent1", f"git push -q --force origin random:agent1 random:r{count}")
            pair.run("agent2", "git fetch -q origin")
            everything = "git rev-list --objects --no-object-names {} | sort | git hash-object --stdin"
            assert pair.run("agent1", everything.format("random")) == pair.run(
                "agent2", everything.format("origin/agent1")
            )
            assert pair.run("agent1", "git rev-parse random") == pair.run("agent2", f"git rev-parse origin/r{count}")

        check()
        pair.run("agent2", "git fsck --full --no-dangling")


def test_a_repository_without_its_earlier_history(server: GitServer, image: str) -> None:
    """As in images whose Dockerfile clones with `--depth 1`."""
    with LocalEnvironment(image, network="none") as one, LocalEnvironment(image, network="none") as two:
        for environment in (one, two):
            done = environment.execute(
                "export GIT_AUTHOR_DATE=2024-01-02T00:00:00Z GIT_COMMITTER_DATE=2024-01-02T00:00:00Z; git add -A"
                " && git commit -q --allow-empty -m second && git clone -q --depth 1 file://$PWD /tmp/shallow && rm -rf .git"
                " && mv /tmp/shallow/.git . && git rev-parse --is-shallow-repository"
            )
            assert done["output"] == "true\n"
        pair = Pair(server, [one, two])
        work = "git checkout -q -b one && echo one >one.txt && git add . && git commit -qm one"
        pair.run("agent1", f"{work} && git push -q origin one")
        pair.run(
            "agent2", "git fetch -q origin && git merge -q origin/one && echo two >>one.txt && git commit -qam two"
        )
        pair.run("agent2", "git push -q origin HEAD:agent2")
        assert pair.run("agent1", "git pull -q origin agent2 && cat one.txt") == "one\ntwo"
