"""Pauses hold for the members on a machine, and not by another machine's clock."""

import socket
from pathlib import Path

import pytest

from cooperbench.agents.pauses import SharedPauses


def test_members_share_a_pause_and_machines_with_other_clocks_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pauses"
    SharedPauses(folder).extend("a provider", 3600.0)
    assert SharedPauses(folder).left("a provider", 60.0) >= 60.0
    assert SharedPauses(folder).left("another", 60.0) == 0.0
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert SharedPauses(folder).left("a provider", 60.0) == 0.0
