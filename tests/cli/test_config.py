import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cooperbench.environments.configuration import SECRET, read_config, write_config
from cooperbench.errors import UsageError
from tests.command_line import cooperbench, in_a_new_process


def test_flags_are_kept_and_kept_when_others_follow(tmp_path: Path) -> None:
    env = {"COOPERBENCH_CONFIG_DIR": str(tmp_path)}
    first = cooperbench("config", "gcp", "--project-id", "mine", "--zone", "a-1,b-1", "--spot", "--no-check", env=env)
    assert first.code == 0, first
    assert cooperbench("config", "gcp", "--slots", "2", "--no-check", env=env).code == 0
    assert tomllib.loads((tmp_path / "config.toml").read_text()) == {
        "gcp": {"project_id": "mine", "zone": "a-1,b-1", "spot": "true", "slots": "2"}
    }
    shown = cooperbench("config", "show", "--json", env=env).facts
    assert shown["backends"]["gcp"]["project_id"] == "mine"
    assert shown["path"] == str(tmp_path / "config.toml")


def test_without_a_project_nothing_is_kept(tmp_path: Path) -> None:
    env = {"COOPERBENCH_CONFIG_DIR": str(tmp_path), "GOOGLE_CLOUD_PROJECT": ""}
    said = cooperbench("config", "gcp", "--slots", "2", "--no-check", env=env)
    assert said.code == 2
    assert "gcp needs project_id, which is not set" in said.err
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.slow
def test_what_does_not_work_yet_is_said(tmp_path: Path) -> None:
    env = {
        "COOPERBENCH_CONFIG_DIR": str(tmp_path),
        "HOME": str(tmp_path),
        "MODAL_TOKEN_ID": "",
        "MODAL_TOKEN_SECRET": "",
    }
    said = in_a_new_process("config", "modal", "--environment", "main", env=env)
    assert said.code == 1
    assert "modal token new" in said.out
    assert tomllib.loads((tmp_path / "config.toml").read_text()) == {"modal": {"environment": "main"}}


def test_the_walk_through_asks_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    program = Path(sys.executable).with_name("cooperbench")
    env = {**os.environ, "COOPERBENCH_CONFIG_DIR": str(tmp_path), "GOOGLE_CLOUD_PROJECT": ""}
    with subprocess.Popen(
        [str(program), "config", "gcp", "--no-check"], env=env, stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.write(ours, b"my-project\nzone-1\n\n8\n")
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, out
    assert tomllib.loads((tmp_path / "config.toml").read_text()) == {
        "gcp": {"project_id": "my-project", "zone": "zone-1", "machine_type": "n2-standard-8", "slots": "8"}
    }


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.filter(lambda name: not SECRET.search(name))
TABLES = st.dictionaries(TEXT, st.dictionaries(NAMES, TEXT, min_size=1, max_size=3), max_size=2)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TABLES, second=TABLES)
@example(first={"a.b": {'"': '"\\\n\r\t'}, "gcp": {"zone": "😀", "a.b": "\x7f\0"}}, second={"gcp": {"zone": "a # b"}})
def test_whatever_is_written_is_read_back(
    first: dict[str, dict[str, str]], second: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOPERBENCH_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.toml").unlink(missing_ok=True)
    for tables in (first, second):
        for backend, values in tables.items():
            write_config(backend, values)
    for backend, values in (first | second).items():
        assert read_config(backend) == values


def test_comments_and_what_does_not_change_stay(tmp_path: Path) -> None:
    before = """\
# mine
[modal]
environment = 'main' # not dev

[gcp] # the shared project
project_id = "mine"
slots = 4
spot = true # cheap
"""
    (tmp_path / "config.toml").write_text(before)
    env = {"COOPERBENCH_CONFIG_DIR": str(tmp_path)}
    assert cooperbench("config", "gcp", "--disk-gb", "50", "--project-id", "ours", "--no-check", env=env).code == 0
    after = before.replace('"mine"', '"ours"') + 'disk_gb = "50"\n'
    assert (tmp_path / "config.toml").read_text() == after


def test_secrets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOPERBENCH_CONFIG_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="sounds like a secret"):
        write_config("modal", {"token_secret": "as-…"})
    assert read_config("modal") == {}


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[gcp\n")
    said = cooperbench("config", "show", env={"COOPERBENCH_CONFIG_DIR": str(tmp_path)})
    assert said.code == 2
    assert "config.toml" in said.err
