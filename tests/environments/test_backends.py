"""A backend brings everything that is said of it, so no other file knows one by name."""

import re
from pathlib import Path

import pytest

import cooperbench
from tests.command_line import cooperbench as command

THIRD_PARTY = Path(__file__).parents[1] / "conformance" / "third_party"
NAMED = re.compile(r"""(?:[=!]=|\b(?:not )?in\b)\s*[(\[{]?\s*["'](?:local|docker|modal|gcp|kubernetes)["']""")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The package of another author, and a machine on which nothing was set up."""
    monkeypatch.syspath_prepend(THIRD_PARTY)
    folders = ("CONFIG_DIR", "CACHE_DIR", "LOG_DIR")
    return {f"COOPERBENCH_{name}": str(tmp_path / name) for name in folders}


def test_the_settings_of_a_foreign_backend_are_flags(env: dict[str, str], tmp_path: Path) -> None:
    assert "Containers by any program" in command("config", "--help", env=env).out
    assert "Such as docker, podman or nerdctl." in command("config", "container-cli", "--help", env=env).out
    kept = command("config", "container-cli", "--program", "sh", "--json", env=env)
    assert (kept.code, kept.facts["container-cli"], kept.facts["readiness"]["ready"]) == (0, {"program": "sh"}, True)
    refused = command("config", "container-cli", "--prog", "sh", env=env)
    assert refused.code == 2
    (tmp_path / "CONFIG_DIR" / "config.toml").write_text("[container-cli]\nprogramm = 'sh'\n")
    misspelled = command("doctor", "--backend", "container-cli", env=env)
    assert misspelled.code == 1
    assert "did you mean 'program'?" in misspelled.out


def test_the_checks_of_a_foreign_backend_are_made_by_doctor(env: dict[str, str]) -> None:
    command("config", "container-cli", "--program", "no-such-program", "--no-check", env=env)
    found = command("doctor", "--backend", "container-cli", "--json", env=env)
    assert found.code == 1
    [backend] = found.facts["backends"]
    assert [(check["name"], check["ok"]) for check in backend["checks"]] == [("program", False)]
    assert "no-such-program is not installed" in backend["checks"][0]["detail"]


def test_a_dry_run_says_what_a_foreign_backend_needs(env: dict[str, str]) -> None:
    command("config", "container-cli", "--program", "sh", "--no-check", env=env)
    asked = ("run", "-s", "demo", "--agent", "nop", "--setting", "solo", "--backend", "container-cli", "--dry-run")
    assert "must be loaded" in command(*asked, env=env).out
    command("config", "container-cli", "--program", "no-such-program", "--no-check", env=env)
    assert "no-such-program is not installed" in command(*asked, env=env).out


def test_no_other_file_compares_the_name_of_a_backend() -> None:
    source = Path(cooperbench.__file__).parent
    files = [path for path in source.rglob("*.py") if path.relative_to(source).parts[0] != "tasks"]
    found = [
        f"{path.relative_to(source)}: {match.group()}" for path in files for match in NAMED.finditer(path.read_text())
    ]
    assert len(files) > 100
    assert found == []
