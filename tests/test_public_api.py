import subprocess
import sys

import cooperbench


def test_every_public_name_resolves() -> None:
    for name in cooperbench.__all__:
        assert getattr(cooperbench, name) is not None


def test_help_imports_nothing_heavy_and_opens_no_socket() -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith("socket.connect") else None)
import cooperbench.cli.main as m
assert m.main(["--help"]) == 0
heavy = {"litellm", "docker", "modal", "redis", "google", "pydantic", "rich", "yaml", "asyncio"} & set(sys.modules)
assert not heavy, heavy
assert not opened, opened
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout
