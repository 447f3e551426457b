"""Each mistake gets one clear line that names it, what there was, and what to type next; exit code 2; nothing written."""

from pathlib import Path

import pytest

from cooperbench import tasks
from tests.command_line import cooperbench

DEMO = Path(tasks.__file__).parent / "demo"

MISTAKES = {
    "unknown repository": (["-r", "shelf"], "unknown repository 'shelf'", "shelfdb_task"),
    "unknown task": (["-t", "9"], "unknown task '9'", "shelfdb_task/1"),
    "task that is no number": (["-t", "x"], "task 'x' is not a number", "cooperbench tasks list"),
    "unknown feature": (["-f", "1,99"], "unknown feature '99'", "Available: 1, 2"),
    "feature named twice": (["-f", "1,1"], "feature 1 is named twice", ""),
    "no feature number": (["-f", "1,b"], "'1,b' is not a list of feature numbers", "-f 1,2"),
    "one feature in coop": (["-f", "1"], "coop needs at least two features, but got 1", "--setting solo"),
    "group that is too large": (["--size", "99"], "no task has a group of 99 features", "cooperbench tasks list"),
    "unknown subset": (["-s", "demmo"], "unknown subset 'demmo'; did you mean 'demo'?", ""),
    "unknown agent": (["-a", "gould"], "unknown agent 'gould'; did you mean 'gold'?", "COOPERBENCH_EXTERNAL_AGENTS"),
    "missing script of a model": (["-a", "mini_swe_agent", "-m", "scripted/no.yaml"], "no.yaml", ""),
    "unknown backend": (["--backend", "loca"], "unknown backend 'loca'; did you mean 'local'?", ""),
    "unknown setting": (["--setting", "duo"], "unknown setting 'duo'", "solo, coop, team"),
    "unknown policy": (["--policy", "best@1"], "best@1", "naive@1"),
    "git alone": (["--setting", "solo", "--git"], "--git shares a repository between agents", "leave out --git"),
    "missing agent config": (["--agent-config", "no.yaml"], "cannot read agent config no.yaml", "check the path"),
    "malformed agent config": (["--agent-config", "bad.yaml"], "agent config bad.yaml is not valid YAML", ""),
    "agent config that is a list": (["--agent-config", "list.yaml"], "list.yaml is not a mapping", "key: value"),
    "team of another size": (
        ["--team", "team.yaml"],
        "a coop episode of 2 features needs 2 members, but team.yaml names 1",
        "",
    ),
    "team of another length": (["--team", "gold:x,nop,nop"], "needs 2 members, but gold:x,nop,nop names 3", ""),
    "unreadable team": (["--team", "gold:x,,nop"], "cannot read the member ''", "agent:model,agent:model"),
    "unknown agent in a team": (["--team", "gold,gould"], "unknown agent 'gould'; did you mean 'gold'?", ""),
    "log directory that cannot be made": (["--log-dir", "/proc/no"], "cannot write to /proc", "--log-dir"),
    "no Redis at the address": (["--redis", "redis://127.0.0.1:1"], "127.0.0.1:1", "leave out --redis"),
    "run name with a path": (["-n", "../exp"], "run name '../exp' has a path in it", "--log-dir"),
    "strange run name": (["-n", "a b"], "run name 'a b' cannot be used", "letters, digits"),
    "log directory that cannot be": (["--log-dir", "file"], "file is not a folder", "--log-dir"),
    "password in an address": (
        ["--base-url", "http://me:hunter2@host/v1"],
        "the configuration of agent1 holds what looks like a key or a password at model.base_url",
        "--api-key-env",
    ),
    "key in a file": (
        ["--agent-config", "key.yaml"],
        "holds what looks like a key or a password at model.api_key",
        "api_key_env in the file",
    ),
    "allowlist of nothing": (["--network", "allowlist"], "'allowlist' needs allowed hosts", "--allow-host"),
    "allowed host without a list": (["--allow-host", "pypi.org"], "allowed hosts need the network 'allowlist'", ""),
    "metadata on the list": (
        ["--network", "allowlist", "--allow-host", "169.254.169.254"],
        "169.254.169.254 is not an address that a sandbox may reach",
        "",
    ),
    "an address as a number": (["--network", "allowlist", "--allow-host", "2852039166"], "allowed_hosts", ""),
    "an allowed URL": (["--network", "allowlist", "--allow-host", "https://pypi.org"], "not the name of a host", ""),
    "open network on local": (["--network", "full"], "backend 'local' does not support network full", "docker"),
    "allowlist on local": (
        ["--network", "allowlist", "--allow-host", "pypi.org"],
        "backend 'local' does not support network allowlist",
        "docker",
    ),
    "no concurrency": (["-c", "0"], "concurrency must be at least 1", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_in_one_line(mistake: str, surroundings: Path) -> None:
    arguments, message, hint = MISTAKES[mistake]
    Path("bad.yaml").write_text("a: [")
    Path("list.yaml").write_text("- a\n")
    Path("team.yaml").write_text("members:\n  - agent: gold\n")
    Path("key.yaml").write_text("model: {api_key: 0123456789abcdef0123456789abcdef}\n")
    Path("file").write_text("")
    before = sorted(Path().iterdir())
    dataset = ["--dataset-dir", str(DEMO)] if "-s" in arguments else ["-s", "demo"]
    said = cooperbench("run", *dataset, "-a", "gold", *arguments)
    assert said.code == 2, said
    lines = said.err.splitlines()
    assert said.out == ""
    assert 1 <= len(lines) <= 2, said
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert hint in said.err
    assert sorted(Path().iterdir()) == before


def test_a_missing_data_set(surroundings: Path) -> None:
    said = cooperbench("run", "-a", "gold", "--dataset-dir", "nowhere")
    assert said.code == 2
    assert said.err.startswith("error: there is no dataset at nowhere\n")
    assert "cooperbench prepare" in said.err


@pytest.mark.needs("sandbox")
def test_a_configuration_that_differs(surroundings: Path) -> None:
    command = ["run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-a", "nop", "-n", "exp", "--no-auto-eval"]
    said = cooperbench(*command)
    assert said.code == 0, said
    said = cooperbench(*command, "--no-messaging")
    assert said.code == 2
    assert said.err.splitlines()[0] == (
        "error: run 'exp' exists with another configuration: messaging was True and is False"
    )
    assert "--name" in said.err
    assert "--force" in said.err


def test_evaluating_a_run_that_is_not_there(surroundings: Path) -> None:
    said = cooperbench("eval", "-n", "exp")
    assert said.code == 2
    assert said.err.startswith("error: unknown run 'exp'. Available: none.\n")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--wall-time", "inf"),
        ("--wall-time", "1e300"),
        ("--command-timeout", "nan"),
        ("--max-cost", "nan"),
        ("--cost-limit", "inf"),
    ],
)
def test_what_is_no_amount_is_refused(option: str, value: str, surroundings: Path) -> None:
    said = cooperbench("run", "-s", "demo", "-a", "nop", option, value)
    assert said.code == 2
    assert said.err.startswith(f"error: invalid value for '{option}': ")
    assert not surroundings.exists()
