"""Files of users and records of others may be anything: each fault is one line and exit code 2, and nothing outside a run is read."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cooperbench.errors import RunLockedError, UnreadableError, UsageError
from cooperbench.records import RunDirectory
from cooperbench.records.ledger import RunLedger
from cooperbench.records.run_lock import is_locked, locked
from tests.command_line import Said, cooperbench

RECORDS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"
EPISODE = Path("pairs/coop/parts_task/1/f1_f2")

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "aliases that multiply": BOMB.encode(),
    "a value that holds itself": b"a: &a [*a]\n",
    "a mapping that holds itself": b"a: &a {b: *a}\n",
    "brackets": b"a: " + b"[" * 20_000,
    "deep blocks": b"".join(b" " * depth + b"a:\n" for depth in range(400)),
    "a huge number": b"a: " + b"9" * 5000,
    "a large number": b"a: 1" + b"0" * 30,
    "not a number": b"a: .nan\n",
    "infinity": b"a: -.inf\n",
    "a date that is not": b"a: 2024-13-45\n",
    "a wrong timestamp": b"a: !!timestamp x\n",
    "a wrong truth": b"a: !!bool x\n",
    "an empty number": b"a: !!int ''\n",
    "an object": b"a: !!python/object/apply:os.system [id]\n",
    "binary": b"a: !!binary /w==\n",
    "UTF-16": "a: 1\n".encode("utf-16"),
    "Latin-1": "a: \xe9\n".encode("latin-1"),
    "NUL": b"a: \0\n",
    "half a character": b'a: "\\ud800"\n',
    "a key that is a list": b"? [a]\n: 1\n",
    "a large file": b"a: " + b"x" * 11_000_000,
}


def refused(said: Said, *words: str) -> None:
    """Check that a command was refused in one line, with a second for the next step."""
    assert said.code == 2, said
    lines = said.err.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("error: ")
    assert len(lines[0]) < 600
    for word in words:
        assert word in said.err


@pytest.mark.slow
@pytest.mark.parametrize("fault", YAML)
def test_a_configuration_that_is_not_plain_values(fault: str, surroundings: Path) -> None:
    Path("file.yaml").write_bytes(YAML[fault])
    refused(cooperbench("run", "-s", "demo", "-a", "gold", "--agent-config", "file.yaml"), "agent config file.yaml")
    assert not surroundings.exists()


@pytest.mark.parametrize("option", ["--team", "--price-table"])
def test_other_files_of_the_user_are_read_alike(option: str, surroundings: Path) -> None:
    Path("file.yaml").write_text(BOMB)
    model = ["-m", "gpt-4o"] if option == "--price-table" else []
    refused(cooperbench("run", "-s", "demo", "-a", "mini_swe_agent", *model, option, "file.yaml"), "file.yaml")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/dev/zero")])
def test_a_configuration_that_is_not_a_file(make: Callable[[str], None], surroundings: Path) -> None:
    make("file.yaml")
    refused(cooperbench("run", "-s", "demo", "-a", "gold", "--agent-config", "file.yaml"), "it is not a file")


@pytest.mark.parametrize("content", [b"KEY=\xff\xfe\n", "KEY=1\n".encode("utf-16")])
def test_variables_in_another_encoding(content: bytes, surroundings: Path) -> None:
    Path(".env").write_bytes(content)
    refused(cooperbench("run", "-s", "demo", "-a", "gold", "--dry-run"), "cannot read .env")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    shutil.copytree(RECORDS, tmp_path / "logs")
    return tmp_path / "logs"


@pytest.mark.parametrize("line", ["abc", "nan", "inf", "-3", "1e999", "\0\0", "9" * 10_000 + "x", "1,50"])
def test_a_line_of_costs_that_is_not_an_amount(line: str, logs: Path) -> None:
    with (logs / "pairs" / "costs.txt").open("a") as stream:
        stream.write(f"0.5\n{line}\n")
    refused(cooperbench("runs", "show", "pairs", "--log-dir", str(logs)), "is not an amount in US dollars")
    listed = cooperbench("runs", "list", "--log-dir", str(logs))
    assert listed.code == 0
    assert "alone" in listed.out


def test_amounts_are_added_as_they_come(tmp_path: Path) -> None:
    mine, other = (RunLedger(tmp_path / "costs.txt") for _ in range(2))
    for number in range(5):
        other.add(0.25)
        assert mine.total() == 0.25 * (number + 1)
    with (tmp_path / "costs.txt").open("a") as stream:
        stream.write("0.125")  # cut off by a full disk
    other.add(0.5)
    assert mine.total() == 1.875


def edited(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("repo", ["../../outside", "/etc", "..", "a/b", "", "a\0b"])
def test_a_run_cannot_name_places_outside(repo: str, logs: Path) -> None:
    config = json.loads((logs / "pairs" / "config.json").read_text())
    config["groups"][0]["repo"] = repo
    (logs / "pairs" / "config.json").write_text(json.dumps(config))
    outside = logs.parent / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    refused(cooperbench("runs", "merge", "new", str(logs / "pairs"), "--log-dir", str(logs)), "groups.0.repo")
    assert (outside / "mine").exists()


def as_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", ["result.json", "agent1.patch"])
@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "fifo"])
def test_records_that_are_links_or_devices_are_not_read(name: str, target: str, logs: Path) -> None:
    path = logs / EPISODE / name
    as_fifo(path) if target == "fifo" else as_link(path, target)
    said = cooperbench("runs", "show", "pairs", "parts_task/1/f1_f2", "--log-dir", str(logs))
    assert said.code == 0
    assert "it is a link" in said.out or "is not an ordinary file" in said.out
    exported = cooperbench("runs", "export", "pairs", str(logs.parent / "package"), "--log-dir", str(logs))
    assert exported.code == 0
    assert not (logs.parent / "package" / EPISODE.relative_to("pairs")).exists()


def test_a_submission_names_a_file_beside_it(logs: Path) -> None:
    result = json.loads((logs / EPISODE / "result.json").read_text())
    result["agents"]["agent1"]["submission"]["file"] = "../../../../../../../../etc/passwd"
    (logs / EPISODE / "result.json").write_text(json.dumps(result))
    said = cooperbench("runs", "show", "pairs", "parts_task/1/f1_f2", "--log-dir", str(logs))
    assert "not the plain name of a file" in said.out


def test_folders_that_are_links_are_not_followed_and_nothing_is_copied_through_them(logs: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    (logs / EPISODE / "agent1_logs").symlink_to(secret)
    (logs / EPISODE / "agent2.log").symlink_to(secret / "key")
    os.mkfifo(logs / EPISODE / "fifo")
    assert cooperbench("runs", "merge", "new", str(logs / "pairs"), "--log-dir", str(logs)).code == 0
    copied = logs / "new" / EPISODE.relative_to("pairs")
    assert (copied / "result.json").is_file()
    assert not [path for path in copied.rglob("*") if path.is_symlink() or path.name in {"agent1_logs", "key", "fifo"}]
    shutil.move(logs / "pairs" / "coop", tmp_path / "elsewhere")
    (logs / "pairs" / "coop").symlink_to(tmp_path / "elsewhere")
    said = cooperbench("runs", "show", "pairs", "parts_task/1/f1_f2", "--log-dir", str(logs))
    assert "is a link, which may lead out of the run" in said.out


def test_a_log_folder_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(tmp_path / "network" / "exp")
    real = fcntl.flock

    def on_the_network(descriptor: int, kind: int) -> None:
        if str(tmp_path / "network") in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        real(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", on_the_network)
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    assert not is_locked(run)
    with locked(run):
        assert is_locked(run)
        with pytest.raises(RunLockedError, match=f"process {os.getpid()} on"), locked(run):
            pass
    assert not is_locked(run)
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "network" / "cache"))
    with pytest.raises(UsageError, match="has locks: No locks available"), locked(run):
        pass
    assert not is_locked(run)


def test_looking_at_the_run_of_somebody_else(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "exp")
    run.path.mkdir()
    run.lock.symlink_to("/dev/zero")
    assert not is_locked(run)
    with pytest.raises(UsageError, match="cannot write"), locked(run):
        pass
    run.ledger.symlink_to(tmp_path / "mine")
    with pytest.raises(UnreadableError, match="it is a link"):
        RunLedger(run.ledger).total()
    with pytest.raises(OSError, match="symbolic links"):
        RunLedger(run.ledger).add(1.0)
    assert not (tmp_path / "mine").exists()
