"""What a command in a local sandbox can and cannot reach, on every level of isolation."""

import contextlib
import os
import py_compile
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

import cooperbench
from cooperbench.environments import (
    EnvironmentOptions,
    LocalEnvironment,
    build_image,
    ensure_image,
    open_environment,
    orphans,
)
from cooperbench.environments.local import isolation, view
from cooperbench.environments.local.transport import sandboxes
from cooperbench.errors import CapabilityError, ImageError, SandboxError
from cooperbench.records import ImageRecipe
from cooperbench.testing import sample_image
from cooperbench.testing.conformance.commands import until
from cooperbench.testing.images import git, make_repository


def runs(word: bytes) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word in path.read_bytes():
                return True
    return False


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in ("bubblewrap", "unshare")])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    monkeypatch.setenv(isolation.FORCE, name)
    return name


@pytest.fixture
def inside(image: str, level: str) -> Iterator[LocalEnvironment]:
    with LocalEnvironment(image) as environment:
        assert environment.isolation == level
        yield environment


def test_the_users_home_and_secrets_are_hidden(inside: LocalEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    # Files in the home folder are not made for the test: whatever is there must not be seen.
    home = Path.home()
    visible = inside.execute(f"ls -A {home}")["output"].split()
    interpreter = view.interpreter()
    allowed = {interpreter.relative_to(home).parts[0]} if interpreter.is_relative_to(home) else set()
    assert set(visible) - allowed - {"ls:"} <= allowed or "No such file" in " ".join(visible)
    assert inside.execute("cat /etc/shadow /etc/ssh/* /root/.ssh/* 2>/dev/null")["output"] == ""


@pytest.mark.slow
def test_a_fork_bomb_ends_in_its_own_sandbox(inside: LocalEnvironment) -> None:
    done = inside.execute("for number in $(seq 3000); do sleep 100 & done; wait", timeout=15)
    assert done["returncode"] != 0
    left = inside.execute("ls /proc | grep -c '^[0-9]'")
    assert int(left["output"]) < 50, "all of it was killed, and the sandbox is usable"


def test_environment_variables_are_not_inherited(image: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_OF_A_PROVIDER", "sk-very-secret")
    with LocalEnvironment(image) as environment:
        told = environment.execute("env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'")["output"]
    assert "sk-very-secret" not in told


def test_other_episodes_and_the_cache_are_hidden(inside: LocalEnvironment, image: str, cache: Path) -> None:
    with LocalEnvironment(image) as other:
        other.write_file("/workspace/repo/theirs.txt", b"the other's work")
        other.write_file("/tmp/theirs.txt", b"the other's work")
        found = inside.execute('grep -rl "the other\'s work" /workspace /tmp /home /patches; ls /proc/1/root/tmp')[
            "output"
        ]
        assert "theirs" not in found
    for place in (cache, cache.parent, Path("/tmp/cooperbench-0"), Path.cwd()):
        assert inside.execute(f"ls {place}")["returncode"] != 0
    # Processes of the host, the harness among them, do not exist here.
    assert int(inside.execute("ls -d /proc/[0-9]* | wc -l")["output"]) < 10


def test_the_hidden_tests_of_bundled_tasks_are_hidden(inside: LocalEnvironment) -> None:
    package = Path(cooperbench.__file__).parent
    assert inside.execute(f"ls {package}/*")["returncode"] != 0
    assert inside.execute("python3 -c 'import cooperbench'")["returncode"] != 0
    found = inside.execute(
        "find / -name 'cooperbench*' -not -path '/proc/*' -not -path '/tmp/.cooperbench*' 2>/dev/null"
    )
    assert found["output"] == ""


def test_there_is_no_network_unless_asked(inside: LocalEnvironment, image: str, level: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        assert inside.execute(f'python3 -c "{probe}"')["returncode"] != 0
        full = EnvironmentOptions(network="full")
        with pytest.raises(CapabilityError, match="does not support network='full' here"):  # it would share the host's
            open_environment("local", image, options=full)
        full = EnvironmentOptions(network="full", allow_unsandboxed=True)
        with open_environment("local", image, options=full) as open_one:
            assert open_one.execute(f'python3 -c "{probe}"')["returncode"] == 0


def test_the_system_is_read_only_and_the_work_is_private(inside: LocalEnvironment, image: str) -> None:
    for place in ("/usr/evil", "/etc/evil", "/evil", "/opt/evil", "/usr/bin/git", "/run/init.py"):
        assert inside.execute(f"echo x >>{place}")["returncode"] != 0
    for place in ("/workspace", "/workspace/repo", "/patches", "/tmp", "$HOME", "/dev/shm"):
        assert inside.execute(f"echo x >{place}/mine")["returncode"] == 0
    with LocalEnvironment(image) as other:
        assert other.execute("ls /workspace/repo/mine /tmp/mine /patches/mine")["returncode"] != 0


def test_users_without_the_administrators_folders_on_their_path(
    image: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    isolation.probe.cache_clear()
    with LocalEnvironment(image) as environment:
        assert (environment.isolation, environment.execute("echo here")["output"]) == (level, "here\n")


def test_privileges_cannot_be_regained(inside: LocalEnvironment) -> None:
    assert inside.execute("grep CapEff /proc/self/status")["output"].split()[1] == "0" * 16
    assert inside.execute("mount -t tmpfs none /tmp")["returncode"] != 0
    assert inside.execute("mount -o remount,rw /usr")["returncode"] != 0


def test_killing_everything_inside_ends_neither_sandbox_nor_lifetime(inside: LocalEnvironment) -> None:
    inside.write_file("/tmp/kept", b"kept")
    lost = inside.execute("kill -9 1; kill -9 -1; sleep 5", timeout=60)
    assert lost["returncode"] in (0, 137)
    assert inside.execute("cat /tmp/kept")["output"] == "kept"


STARTER = """
import sys
from cooperbench.environments import EnvironmentOptions, SandboxLabels, open_environment
open_environment("local", sys.argv[1], options=EnvironmentOptions(lifetime=600), labels=SandboxLabels(run=sys.argv[2]))
"""

SLOW_PROGRAM = """#!/bin/sh
case "$*" in *init.py*) echo >{begun}; read _ <{go} ;; esac
exec {program} "$@"
"""


def test_a_start_whose_starter_is_killed_ends_by_itself(image: str, level: str, tmp_path: Path) -> None:
    """The program that makes the sandbox waits until its starter is dead, and only then makes it."""
    name = "bwrap" if level == "bubblewrap" else level
    begun, go, run = tmp_path / "begun", tmp_path / "go", f"killed-{uuid4().hex[:8]}"
    os.mkfifo(begun)
    os.mkfifo(go)
    slow = tmp_path / name
    slow.write_text(SLOW_PROGRAM.format(begun=begun, go=go, program=shutil.which(name)))
    slow.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen([sys.executable, "-c", STARTER, image, run], env=environment) as starter:
        begun.read_text()
        starter.kill()
    assert len(orphans(run, backends=["local"])) == 1
    go.write_text("\n")
    assert until(lambda: orphans(run, backends=["local"]) == [], 60)


@pytest.mark.slow
def test_a_sandbox_that_does_not_answer_is_ended(image: str, level: str) -> None:
    environment = LocalEnvironment(image)
    identifier = environment.handle().identifier
    named = processes_of(identifier)
    suspended = {*named, *(child for process in named for child in process.children(recursive=True))}
    assert len(suspended) > 1
    for process in suspended:
        process.suspend()
    environment.cleanup()
    assert until(lambda: not any(process.is_running() for process in suspended), 60)
    assert not (sandboxes() / identifier).exists()


def processes_of(identifier: str) -> list[psutil.Process]:
    """The processes whose command line names the sandbox."""
    listed = psutil.process_iter(["cmdline"])
    return [process for process in listed if identifier in " ".join(process.info["cmdline"] or ())]


@pytest.mark.slow
def test_a_fork_of_many_processes_is_ended(inside: LocalEnvironment) -> None:
    done = inside.execute("for n in $(seq 200); do (trap '' TERM; sleep 500) & done; wait", timeout=2)
    assert done["timed_out"]
    assert int(inside.execute("ls -d /proc/[0-9]* | wc -l")["output"]) < 10


def test_without_isolation_it_refuses_unless_allowed(
    image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for program in (
        "sh",
        "git",
        "cp",
        "ps",
        "cat",
        "head",
        "mkdir",
        "dirname",
        "chmod",
        "rm",
        "bash",
        "env",
        "ls",
        "python3",
    ):
        found = subprocess.run(
            ["sh", "-c", f"command -v {program}"], capture_output=True, text=True, check=False
        ).stdout
        if found:
            (tmp_path / program).symlink_to(found.strip())
    monkeypatch.setenv("PATH", str(tmp_path))
    isolation.probe.cache_clear()
    try:
        with pytest.raises(SandboxError, match="cannot isolate") as caught:
            LocalEnvironment(image)
        assert "install bubblewrap" in str(caught.value.hint) or "user namespaces" in str(caught.value.hint)
        with LocalEnvironment(image, allow_unsandboxed=True) as environment:
            assert environment.isolation == "none"
            assert environment.execute("ls; git log --format=%s")["output"].split("\n")[0] == "answer.py"
            environment.write_file("/workspace/repo/new", b"1")
            assert environment.read_file("/workspace/repo/new") == b"1"
            environment.execute("sleep 987654 & true")
        assert until(lambda: not runs(b"987654"), 60)  # it is killed, and the kernel may still be at that
    finally:
        isolation.probe.cache_clear()


@pytest.mark.needs("sandbox")
def test_an_image_has_nothing_after_its_base_commit(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    base = make_repository(clone, {"a.py": "1\n"})
    (clone / "a.py").write_text("the solution\n")
    git(clone, "commit", "--quiet", "--all", "--message", "later")
    git(clone, "tag", "v2")
    later = git(clone, "rev-parse", "HEAD")
    recipe = ImageRecipe(name="test:history", context=tmp_path, base_commit=base)
    with pytest.raises(ImageError, match=r"local image .* does not exist"):
        ensure_image("local", recipe)
    digest = build_image("local", recipe, repo_source=clone)
    with LocalEnvironment("test:history") as environment:
        assert environment.image_digest == digest
        assert environment.execute("git rev-parse main")["output"].strip() == base
        assert environment.execute(f"git cat-file -e {later}")["returncode"] != 0
        assert environment.execute("git tag; git remote; git stash list; cat a.py")["output"] == "1\n"


@pytest.mark.parametrize("what", ["commit", "object"])
def test_a_clone_that_lacks_something_names_the_remedy(tmp_path: Path, what: str) -> None:
    clone = tmp_path / "clone"
    base = make_repository(clone, {"a.py": "1\n"})
    blob = git(clone, "rev-parse", "HEAD:a.py")
    if what == "object":
        (clone / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    recipe = ImageRecipe(name="test:lacks", context=tmp_path, base_commit=base if what == "object" else "0" * 40)
    with pytest.raises(ImageError, match="does not hold") as caught:
        build_image("local", recipe, repo_source=clone)
    assert ("git fetch --refetch" if what == "object" else "git fetch --all") in str(caught.value.hint)


@pytest.mark.needs("sandbox")
def test_an_image_is_built_from_a_stream_once_and_again_when_it_changes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make_repository(source, {"a.py": "1\n"})
    stream = tmp_path / "repository.fast-export"
    stream.write_text(git(source, "fast-export", "--all") + "\n")
    recipe = ImageRecipe(name="demo:stream-1", context=tmp_path, repository=stream, bundled=True)
    first = ensure_image("local", recipe)
    assert ensure_image("local", recipe) == first
    (source / "a.py").write_text("2\n")
    git(source, "commit", "--quiet", "--all", "--message", "more")
    stream.write_text(git(source, "fast-export", "--all") + "\n")
    assert ensure_image("local", recipe) != first
    with LocalEnvironment("demo:stream-1") as environment:
        assert environment.execute("cat a.py; git log --oneline | wc -l")["output"].split() == ["2", "2"]
    bundle = tmp_path / "repository.bundle"
    git(source, "bundle", "create", "--quiet", str(bundle), "--all")
    ensure_image("local", ImageRecipe(name="demo:bundle-1", context=tmp_path, repository=bundle, bundled=True))
    with LocalEnvironment("demo:bundle-1") as environment:
        assert environment.execute("cat a.py; git log --oneline | wc -l")["output"].split() == ["2", "2"]


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_an_image_built_with_commands_is_there_for_those_who_do_not_know_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make_repository(source, {"a.py": "1\n"})
    bundle = tmp_path / "repository.bundle"
    git(source, "bundle", "create", "--quiet", str(bundle), "--all")
    recipe = ImageRecipe(name="own:task1", context=tmp_path, repository=bundle)
    built = build_image("local", recipe.model_copy(update={"setup": "true"}))
    assert ensure_image("local", recipe) == built


def test_packages_of_this_installation_work_inside(image: str) -> None:
    with LocalEnvironment(image) as environment:
        for command in ("pytest -q", "python3 -m pytest -q", "python -m pytest -q"):
            assert "1 passed" in environment.execute(command)["output"]
    with pytest.raises(ImageError, match="not installed"):
        sample_image("test:missing-package", host_packages=("no-such-package-anywhere",))


def test_a_package_that_lacks_files_of_its_own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "partly").mkdir()
    (tmp_path / "partly" / "__init__.py").write_text("word = 'here'\n")
    py_compile.compile(str(tmp_path / "partly" / "__init__.py"))
    about = tmp_path / "partly-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: partly\nVersion: 1.0\n")
    (about / "RECORD").write_text("partly/__init__.py,,\npartly/tests/__init__.py,,\npartly-1.0.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with LocalEnvironment(sample_image("test:partly", host_packages=("partly",))) as environment:
        assert environment.execute("python3 -c 'import partly; print(partly.word)'")["output"] == "here\n"
        loaded = environment.execute("python3 -v -c 'import partly' 2>&1 | grep 'code object from .*partly'")["output"]
        assert ".pyc" in loaded  # not compiled again


def test_streams_that_end_while_they_are_closed_cost_the_sandbox_nothing(image: str) -> None:
    with LocalEnvironment(image) as environment:

        def one(_: int) -> None:
            stream = environment.open_stream("echo up")
            stream.read(10)
            stream.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(120)))
        assert environment.execute("echo here")["output"] == "here\n"


@pytest.mark.ci
@pytest.mark.needs("sandbox")
@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_an_image_is_set_up_by_commands_and_each_sandbox_may_change_what_they_installed(tmp_path: Path) -> None:
    make_repository(tmp_path / "repo", {"tool.sh": "echo tool-ok\n"})
    recipe = ImageRecipe(
        name="test:setup",
        context=tmp_path,
        repository=tmp_path / "repo",
        setup="cp tool.sh $VIRTUAL_ENV/bin/tool\nchmod +x $VIRTUAL_ENV/bin/tool\npython -m pip --version",
    )
    build_image("local", recipe)
    with open_environment("local", "test:setup") as first, open_environment("local", "test:setup") as second:
        assert first.execute("tool")["output"] == "tool-ok\n"
        assert first.execute("rm $VIRTUAL_ENV/bin/tool")["returncode"] == 0
        assert second.execute("tool && git status --short")["output"] == "tool-ok\n"
        assert second.execute("python -c 'import sys; print(sys.prefix)'")["output"] == "/home/agent/venv\n"

    with pytest.raises(ImageError, match=r"exit code 3: last words"):
        build_image("local", recipe.model_copy(update={"setup": "echo last words; exit 3"}))
    with open_environment("local", "test:setup") as kept:
        assert kept.execute("tool")["returncode"] == 0


BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return ["helper @ file:///workspace/repo/helper-1-py3-none-any.whl"]

def build_wheel(folder, config_settings=None, metadata_directory=None):
    import helper
    with zipfile.ZipFile(folder + "/project-1-py3-none-any.whl", "w") as wheel:
        for name, text in helper.files("project").items():
            wheel.writestr(name, text)
    return "project-1-py3-none-any.whl"

build_editable = build_wheel
"""
HELPER = """
def files(name):
    about = f"{name}-1.dist-info/"
    return {
        about + "METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n",
        about + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        about + "RECORD": "",
    }
"""


@pytest.mark.ci
@pytest.mark.needs("sandbox")
@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_project_is_installed_again_without_a_network(tmp_path: Path) -> None:
    # The build backend asks for a package that pyproject.toml does not name, as setuptools and hatchling do.
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    repository = tmp_path / "repo"
    make_repository(repository, {"backend.py": BACKEND, "pyproject.toml": project, ".gitignore": "__pycache__\n"})
    made: dict[str, Callable[[str], dict[str, str]]] = {}
    exec(HELPER, made)
    with zipfile.ZipFile(repository / "helper-1-py3-none-any.whl", "w") as wheel:
        for name, text in {"helper.py": HELPER, **made["files"]("helper")}.items():
            wheel.writestr(name, text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "A wheel to build with")
    recipe = ImageRecipe(
        name="test:installs-again", context=tmp_path, repository=repository, setup="pip install --no-index -e ."
    )
    build_image("local", recipe)
    with open_environment("local", recipe.name) as environment:
        done = environment.execute("pip install -e . && git status --short")
        assert done["returncode"] == 0, done["output"]
        assert done["output"].splitlines()[-1].startswith("Successfully installed project-1")
