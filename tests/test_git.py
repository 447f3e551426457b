"""Git on the host does the same whatever the user, the system and the environment have set up."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench._git import Git
from cooperbench.environments import LocalEnvironment, build_image
from cooperbench.environments.docker.images import SOURCE, use_clone
from cooperbench.environments.worktree import git, prepare_store
from cooperbench.errors import RemoteError
from cooperbench.records import ImageRecipe
from cooperbench.tasks import new_task
from cooperbench.testing.images import make_repository

HOOKS = ("reference-transaction", "post-checkout", "pre-commit", "post-commit")
CONFIGURATION = """
[core]
    hooksPath = {home}/hooks
    autocrlf = true
    attributesFile = {home}/attributes
[filter "spoil"]
    clean = sed s/answer/question/
    smudge = sed s/answer/question/
    required = true
[commit]
    gpgSign = true
[gpg]
    program = false
[init]
    templateDir = {home}/template
    defaultBranch = elsewhere
[alias]
    version = !false
    rev-parse = !false
[url "file:///nowhere/"]
    insteadOf = /
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    make_repository(tmp_path / "clone", {"answer.py": "def answer():\n    return 42\n"})
    return tmp_path / "clone"


@pytest.fixture
def hostile(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user whose configuration breaks or changes whatever reads it. Gives the file that its hooks write."""
    home = tmp_path / "home"
    ran = tmp_path / "a hook ran"
    for folder in (home / "hooks", home / "template" / "hooks"):
        folder.mkdir(parents=True)
        for name in HOOKS:
            (folder / name).write_text(f"#!/bin/sh\ntouch '{ran}'\nexit 1\n")
            (folder / name).chmod(0o755)
    (home / ".gitconfig").write_text(CONFIGURATION.format(home=home))
    (home / "attributes").write_text("* filter=spoil\n")
    make_repository(tmp_path / "other", {"other.py": "other = True\n"})
    for name, value in {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "GIT_DIR": tmp_path / "other" / ".git",
        "GIT_WORK_TREE": tmp_path / "other",
        "GIT_INDEX_FILE": tmp_path / "index",
        "GIT_TEMPLATE_DIR": home / "template",
        "GIT_CONFIG_PARAMETERS": "'core.bare'='maybe'",
        "GIT_AUTHOR_DATE": "no date",
    }.items():
        monkeypatch.setenv(name, str(value))
    yield ran
    assert not ran.exists()


@pytest.mark.usefixtures("hostile")
def test_a_new_task_is_made_without_the_users_configuration(clone: Path, tmp_path: Path) -> None:
    task = new_task(tmp_path / "data", "tool", repository=clone, commit="HEAD", test="true")
    bundle = task.recipe.repository
    assert bundle is not None
    store = tmp_path / "store.git"
    prepare_store(store)
    git(store, "fetch", "--quiet", str(bundle), "refs/heads/main:refs/heads/main")
    assert git(store, "show", "main:answer.py") == (clone / "answer.py").read_bytes()


@pytest.mark.needs("sandbox")
@pytest.mark.usefixtures("hostile")
def test_a_local_image_is_built_without_the_users_configuration(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    name = "test:hostile"
    build_image("local", ImageRecipe(name=name, context=clone, repository=clone, bundled=True))
    with LocalEnvironment(name, network="none") as env:
        assert env.execute("cat answer.py")["output"] == (clone / "answer.py").read_text()
        assert env.execute("git status --porcelain; git branch --show-current; ls .git")["output"].startswith("main\n")
        assert env.execute("test ! -e .git/hooks")["returncode"] == 0


@pytest.mark.usefixtures("hostile")
def test_a_clone_for_a_docker_build_brings_no_hooks(clone: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    text = use_clone("FROM python\nRUN git clone https://git.invalid/a/b.git /workspace/repo\n", context, clone)
    assert f"COPY {SOURCE} /{SOURCE}" in text
    assert (context / SOURCE / "packed-refs").is_file()
    assert not (context / SOURCE / "hooks").exists()


@pytest.mark.usefixtures("hostile")
def test_the_same_input_gives_the_same_commit(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        store = tmp_path / name
        runner = Git(RemoteError, variables={"GIT_DIR": str(store)})
        runner.run("init", "--quiet", "--bare", store)
        tree = runner.run("write-tree").text
        ids.add(runner.run("commit-tree", tree, stdin=b"message").text)
        assert (store / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert len(ids) == 1


def test_a_clone_of_another_user_can_be_read(clone: Path, tmp_path: Path) -> None:
    try:
        shutil.chown(clone / ".git", 1234, 1234)
        shutil.chown(clone, 1234, 1234)
    except PermissionError:
        pytest.skip("only root can give files away: run the tests as root to include this one")
    Git(RemoteError).run("clone", "--quiet", "--mirror", clone, tmp_path / "mirror")


def test_a_failure_is_one_error_with_what_git_wrote(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteError, match="clone: git rev-parse failed: fatal: Needed a single revision") as caught:
        Git(RemoteError).run("rev-parse", "--verify", "nothing", cwd=clone)
    assert caught.value.subject == str(clone)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RemoteError, match="git is not installed") as caught:
        Git(RemoteError).run("version")
    assert caught.value.hint == "install git 2.38 or newer"


def test_what_is_not_a_clone_of_the_repository_is_named_by_its_own_fault(tmp_path: Path) -> None:
    source = tmp_path / "source"
    commit = make_repository(source, {"folder/a.py": "1\n"})
    plain = Git(RemoteError)
    plain.run("commit", "--quiet", "--allow-empty", "--message", "later", cwd=source)
    plain.run("clone", "--quiet", "--depth", "1", f"file://{source}", tmp_path / "shallow")
    plain.run("clone", "--quiet", "--bare", source, tmp_path / "bare.git")
    plain.run("init", "--quiet", tmp_path / "empty")
    make_repository(tmp_path / "other", {"a.py": "2\n"})
    (tmp_path / "folder").mkdir()
    faults = {
        "shallow": "does not hold commit .*git fetch --unshallow",
        "other": "does not hold commit .*git fetch --all",
        "empty": "is an empty repository .* git clone",
        "folder": "is not a git repository .* git clone",
        "source/folder": "is not a git repository",
        "missing": "is not a folder",
    }
    for name, fault in faults.items():
        with pytest.raises(RemoteError, match=fault):
            plain.require_commit(tmp_path / name, commit)
    for name in ("source", "source/.git", "bare.git"):
        plain.require_commit(tmp_path / name, commit)
