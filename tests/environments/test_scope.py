from pathlib import Path

import pytest

from cooperbench.environments import (
    Environment,
    EnvironmentOptions,
    SandboxHandle,
    SandboxLabels,
    attach,
    open_environment,
)
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.errors import CapabilityError, ImageError, SandboxLostError, UnknownNameError
from cooperbench.records import read_model


def test_a_scope_decides_backend_options_and_labels(image: str, tmp_path: Path) -> None:
    seen: list[str] = []

    def started(environment: Environment) -> None:
        seen.append(environment.execute("git -C /workspace/repo branch --show-current")["output"].strip())

    def ending(environment: Environment) -> None:
        seen.append(environment.execute("echo ending")["output"].strip())

    scope = EnvironmentScope(
        backend="local",
        overrides={"env": {"FROM": "scope"}},
        labels=SandboxLabels(run="r", episode="e", agent_id="agent2"),
        handles=tmp_path,
        after_start=[started],
        before_cleanup=[ending],
    )
    with activate(scope):
        environment = open_environment("docker", image, options=EnvironmentOptions(cwd="/tmp"))
        with environment:
            assert environment.backend == "local"
            assert environment.execute("pwd; echo $FROM")["output"] == "/tmp\nscope\n"
            [written] = tmp_path.iterdir()
            handle = read_model(written, SandboxHandle)
            assert handle == environment.handle()
            assert handle.labels.agent_id == "agent2"
    assert seen == ["main", "ending"]
    assert list(tmp_path.iterdir()) == []


def test_a_failing_hook_ends_the_sandbox(image: str, tmp_path: Path, cache: Path) -> None:
    def fail(environment: Environment) -> None:
        raise ValueError("not today")

    before = set((cache / "sandboxes").iterdir())
    with activate(EnvironmentScope(handles=tmp_path, after_start=[fail])), pytest.raises(ValueError, match="not today"):
        open_environment("local", image, labels=SandboxLabels(run="hook"))
    assert list(tmp_path.iterdir()) == []
    assert set((cache / "sandboxes").iterdir()) <= before


def test_another_process_attaches_and_ends_it(image: str) -> None:
    environment = open_environment("local", image)
    environment.write_file("/workspace/repo/work.txt", b"work")
    handle = SandboxHandle.model_validate_json(environment.handle().model_dump_json())
    with attach(handle) as other:
        assert other.read_file("work.txt") == b"work"
    with pytest.raises(SandboxLostError):
        environment.execute("true")
    with pytest.raises(SandboxLostError):
        attach(handle)
    environment.cleanup()


def test_what_cannot_be_is_refused_before_start(image: str) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'local'"):
        open_environment("locale", image)
    with pytest.raises(ImageError, match=r"local image .* does not exist"):
        open_environment("local", "nothing:here")
    with pytest.raises(CapabilityError, match="memory_mb"):
        open_environment("local", image, options=EnvironmentOptions(memory_mb=512))
