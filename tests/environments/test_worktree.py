"""Whatever is in a work tree comes out of it byte for byte, and applying it to the base gives the same tree."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.environments import LocalEnvironment, worktree
from cooperbench.errors import SandboxError
from cooperbench.testing import sample_image

pytestmark = pytest.mark.needs("sandbox")

Entry = tuple[str, bytes]
"""Git's mode and the content (of a link: its target)."""

BASE = {
    "a.py": b"one\ntwo\n",
    "crlf.txt": b"x\r\ny\r\n",
    "keep.log": b"tracked though ignored\n",
    ".gitignore": b"*.log\nbuild/\n",
    "sub/x.txt": b"1\n",
    "vendor/lib.c": b"int x;\n",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalEnvironment]:
    image = sample_image("test:worktree", files=BASE)
    with LocalEnvironment(image) as environment:
        yield environment


@pytest.fixture
def fresh() -> Iterator[LocalEnvironment]:
    with LocalEnvironment(sample_image("test:worktree", files=BASE)) as environment:
        yield environment


def put(environment: LocalEnvironment, entries: dict[bytes, Entry]) -> None:
    """Make the work tree consist of just these files, with the repository as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, (mode, content) in entries.items():
            member = tarfile.TarInfo(os.fsdecode(path))
            if mode == "120000":
                member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(content)
                archive.addfile(member)
            else:
                member.size, member.mode = len(content), int(mode[-3:], 8)
                archive.addfile(member, io.BytesIO(content))
    environment.write_file("/tmp/tree.tar", buffer.getvalue())
    done = environment.execute(
        "find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} + && tar -x --no-same-owner -f /tmp/tree.tar"
    )
    assert done["returncode"] == 0, done["output"]


def entries_of(store: Path, tree: str) -> dict[bytes, Entry]:
    """What a tree on the host holds."""
    listed = worktree.git(store, "ls-tree", "-r", "-z", tree).split(b"\0")
    found = {}
    for row in listed:
        if row:
            meta, path = row.split(b"\t", 1)
            mode, kind, identifier = meta.decode().split()
            assert kind == "blob"
            found[path] = (mode, worktree.git(store, "cat-file", "blob", identifier))
    return found


def applied(store: Path, base: str, patch: bytes, scratch: Path) -> str:
    """The tree that comes of applying a patch to the base, by plain git."""
    environment = {**os.environ, "GIT_INDEX_FILE": str(scratch / f"index-{os.urandom(4).hex()}"), "GIT_DIR": str(store)}

    def git(*arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", *arguments], input=stdin, env=environment, check=True, stdout=subprocess.PIPE
        ).stdout

    git("read-tree", base)
    if patch:
        git("apply", "--cached", "--binary", "--whitespace=nowarn", stdin=patch)
    return git("write-tree").decode().strip()


# Names of any bytes but the separators, and contents with everything that line-based tools get wrong.
segments = st.one_of(
    st.sampled_from(
        [
            b"a.py",
            b"b",
            b"sub",
            b"caf\xe9",
            b"with space",
            b"-dash",
            b"q\"uote'",
            b"tab\there",
            b"\xff\xfe",
            b"*",
            b"{x}",
        ]
    ),
    # `git apply` itself cannot read the header of an empty file in a folder whose name begins or ends with a space.
    st.binary(min_size=1, max_size=12).filter(
        lambda name: (
            not set(name) & {0, 47}
            and name not in (b".", b"..")
            and b".git" not in name.lower()
            and name[:1] != b"\n"
            and name.strip(b" ") == name
        )
    ),
)
contents = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"line\n", b"line\r\n", b"\n", b"  \t\n", b"no end", b"\x00", b"\xe9\n"]), max_size=12
    ).map(b"".join),
    st.integers(0, 1_000_000).map(lambda size: b"0123456789abcdef" * (size // 16)),
)
files = st.tuples(st.sampled_from(["100644", "100755"]), contents)
links = st.tuples(st.just("120000"), st.sampled_from([b"a.py", b"nowhere", b"../out", b"/etc/passwd"]))


@st.composite
def trees(draw: st.DrawFn) -> dict[bytes, Entry]:
    paths = draw(st.lists(st.lists(segments, min_size=1, max_size=3).map(b"/".join), max_size=6, unique=True))
    kept: dict[bytes, Entry] = {}
    for path in paths:  # no path may be a folder of another
        if not any(other.startswith(path + b"/") or path.startswith(other + b"/") for other in kept):
            kept[path] = draw(st.one_of(files, files, files, links))
    return kept


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=trees(), after=trees(), same=st.booleans())
def test_capture_then_apply_gives_the_same_tree(
    sandbox: LocalEnvironment,
    tmp_path: Path,
    before: dict[bytes, Entry],
    after: dict[bytes, Entry],
    same: bool,
) -> None:
    store = tmp_path / "store.git"
    if same:  # changes of the same files: modes, contents, kinds
        after = {path: after.get(path, entry) for path, entry in before.items()} | after
        after = {p: e for p, e in after.items() if not any(o.startswith(p + b"/") for o in after)}
    put(sandbox, before)
    base = worktree.pin_base(sandbox, store)
    assert entries_of(store, base) == before
    put(sandbox, after)
    captured = worktree.capture(sandbox, store, base)
    assert entries_of(store, captured.tree) == after
    assert captured.skipped == ()
    assert applied(store, base, captured.patch, tmp_path) == captured.tree


@pytest.mark.parametrize(
    "deed",
    [
        "true",
        "rm -rf .git",
        "rm -rf .git && git init -q",
        "git add -A && git commit -qm all",
        "git checkout -q -b other && git commit -qam all && git checkout -q main && git checkout -q other -- .",
        "git add a.py && git update-index --assume-unchanged a.py",
        "git config core.fsmonitor 'touch /tmp/pwned' && git config filter.bad.clean 'sed s/e/E/'"
        " && echo '* filter=bad text eol=lf' >.git/info/attributes",
        "git config core.worktree /tmp && git config core.bare true",
        "echo garbage >.git/index && echo garbage >.git/HEAD",
        "mkdir -p .git/hooks && printf '#!/bin/sh\\ntouch /tmp/pwned\\n' >.git/hooks/post-index-change"
        " && chmod +x .git/hooks/post-index-change",
        "git rm -q --cached a.py",
        "cp -r .git /tmp/away && rm -rf .git && echo 'gitdir: /tmp/away' >.git",
        "git stash -q && git stash apply -q",
    ],
)
def test_what_was_done_to_the_repository_makes_no_difference(
    fresh: LocalEnvironment, tmp_path: Path, deed: str
) -> None:
    store = tmp_path / "store.git"
    base = worktree.pin_base(fresh, store)
    work = "printf 'three' >>a.py; printf 'x\\r\\nz\\r\\n' >crlf.txt; echo more >>keep.log; echo new >new.txt"
    assert fresh.execute(f"{work}; {deed}")["returncode"] == 0
    captured = worktree.capture(fresh, store, base)
    changed = {**{path.encode(): ("100644", content) for path, content in BASE.items()}}
    changed[b"a.py"] = ("100644", b"one\ntwo\nthree")
    changed[b"crlf.txt"] = ("100644", b"x\r\nz\r\n")
    changed[b"keep.log"] = ("100644", b"tracked though ignored\nmore\n")
    changed[b"new.txt"] = ("100644", b"new\n")
    assert entries_of(store, captured.tree) == changed
    assert applied(store, base, captured.patch, tmp_path) == captured.tree
    assert fresh.execute("ls /tmp/pwned")["returncode"] != 0


def test_attributes_of_the_work_tree_change_nothing(fresh: LocalEnvironment, tmp_path: Path) -> None:
    base = worktree.pin_base(fresh, tmp_path / "s.git")
    fresh.write_file(".gitattributes", b"* text eol=crlf ident working-tree-encoding=UTF-16 filter=lfs\n")
    fresh.write_file("lf.txt", b"$Id$\na\n")
    captured = worktree.capture(fresh, tmp_path / "s.git", base)
    assert entries_of(tmp_path / "s.git", captured.tree)[b"lf.txt"] == ("100644", b"$Id$\na\n")


def test_unreadable_and_huge_files_are_reported_and_cost_nothing_else(fresh: LocalEnvironment, tmp_path: Path) -> None:
    store = tmp_path / "s.git"
    base = worktree.pin_base(fresh, store)
    fresh.execute(
        "echo new >new.txt; echo s >secret; chmod 000 secret a.py; mkdir sealed; echo s >sealed/f; chmod 000 sealed sub;"
        "mkfifo pipe; head -c 70000000 /dev/zero >huge.bin; head -c 70000000 /dev/zero >vendor/lib.c"
    )
    captured = worktree.capture(fresh, store, base)
    assert set(captured.skipped) >= {"secret", "sealed", "huge.bin", "vendor/lib.c", "a.py"}
    before, after = entries_of(store, base), entries_of(store, captured.tree)
    assert after == {**before, b"new.txt": ("100644", b"new\n")}


def test_ignored_files_count_when_they_were_tracked_on_purpose(fresh: LocalEnvironment, tmp_path: Path) -> None:
    store = tmp_path / "s.git"
    base = worktree.pin_base(fresh, store)
    fresh.execute("mkdir build; echo o >build/object; echo n >noise.log; echo w >wanted.log; git add -f wanted.log")
    captured = worktree.capture(fresh, store, base)
    assert set(entries_of(store, captured.tree)) - set(entries_of(store, base)) == {b"wanted.log"}


def test_repositories_inside_the_work_tree_are_folders_like_others(fresh: LocalEnvironment, tmp_path: Path) -> None:
    store = tmp_path / "s.git"
    base = worktree.pin_base(fresh, store)
    fresh.execute(
        "(cd vendor && git init -q && echo more >>lib.c && git add -A && git commit -qm x && mkdir deep && cd deep"
        " && git init -q && echo d >d.txt); git init -q empty; git init -q 'sp ace'; echo f >'sp ace/f'; git add -A"
    )
    captured = worktree.capture(fresh, store, base)
    before, after = entries_of(store, base), entries_of(store, captured.tree)
    changed = {path: entry for path, entry in after.items() if before.get(path) != entry}
    assert changed == {
        b"vendor/lib.c": ("100644", b"int x;\nmore\n"),
        b"vendor/deep/d.txt": ("100644", b"d\n"),
        b"sp ace/f": ("100644", b"f\n"),
    }
    assert set(before) <= set(after)


def test_later_history_is_gone_by_object_id(fresh: LocalEnvironment) -> None:
    base = fresh.execute("git rev-parse HEAD")["output"].strip()
    secret = fresh.execute(
        "git tag -a v1 -m v1; git tag same; git tag -a nested v1 -m nested 2>/dev/null;"
        "git checkout -q -b solution && echo fixed >a.py && git commit -qam 'the real solution' && git rev-parse HEAD;"
        "git tag -a v2 -m v2; git notes add -m note; git update-ref refs/remotes/origin/main HEAD; git remote add origin u;"
        "git checkout -q main; echo stash >>a.py; git stash -q; echo built >build.log"
    )["output"].split()[0]
    assert fresh.execute(f"git cat-file -t {secret}")["output"] == "commit\n"
    worktree.strip_later_history(fresh, base)
    assert fresh.execute(f"git cat-file -t {secret}")["returncode"] != 0
    tag = fresh.execute("git rev-parse v1")["output"].strip()
    told = fresh.execute(
        "git for-each-ref; git remote; git status --porcelain; git reflog | wc -l; cat build.log; git fsck"
    )
    assert told["output"].splitlines()[1:5] == [
        f"{base} commit\trefs/tags/same",
        f"{tag} tag\trefs/tags/v1",
        "0",
        "built",
    ]
    everything = fresh.execute("git cat-file --batch-all-objects --batch-check='%(objecttype)' | sort | uniq -c")[
        "output"
    ]
    assert everything.split() == ["6", "blob", "1", "commit", "1", "tag", "3", "tree"]
    worktree.strip_later_history(fresh, base)


def test_later_history_of_a_partial_clone_is_gone_too(fresh: LocalEnvironment) -> None:
    done = fresh.execute(
        "set -e; for n in 1 2 3; do echo $n >a.py; git commit -qam $n; done; cp -r . /tmp/origin; rm -rf .git;"
        "git -C /tmp/origin config uploadpack.allowFilter true;"
        "git clone -q --no-checkout --filter=blob:none file:///tmp/origin /tmp/partial; mv /tmp/partial/.git .git;"
        "git checkout -q -f HEAD~1 && git rev-parse main HEAD; rm -rf /tmp/origin"
    )
    later, base = done["output"].split()[-2:]
    assert worktree.strip_later_history(fresh, base)
    assert fresh.execute(f"git cat-file -t {later}")["returncode"] != 0
    assert fresh.execute("git status --porcelain && git show HEAD:a.py")["output"] == "2\n"


@pytest.mark.parametrize(
    ("commands", "skipped"),
    [
        ("git worktree add -q .claude/worktrees/check", (".claude/worktrees/check/",)),
        ("git -c worktree.useRelativePaths=true worktree add -q wt; sed -i 's|/workspace/repo|..|' wt/.git", ("wt/",)),
        ("git clone -q . copy", ("copy/",)),
        (
            "git clone -q . copy; cd copy; echo y >y; git add y; git -c user.name=a -c user.email=a commit -qm y",
            ("copy/",),
        ),
        ("mkdir a; git clone -q . a/one; git worktree add -q a/two", ("a/one/", "a/two/")),
        ("git clone -q --bare . copy.git", ("copy.git/",)),
        ("git init -q --bare a/b.git; git push -q a/b.git HEAD:refs/heads/x", ("a/b.git/",)),
        (
            "git clone -q . copy; cd copy; git checkout -q --orphan own;"
            " git -c user.name=a -c user.email=a commit -qm own; git branch -qr -d origin/HEAD",
            ("copy/",),
        ),
    ],
    ids=[
        "work tree",
        "relative",
        "clone",
        "clone with a commit",
        "several",
        "bare",
        "bare, pushed to",
        "another branch",
    ],
)
def test_copies_that_agents_leave_are_no_work(
    fresh: LocalEnvironment, tmp_path: Path, commands: str, skipped: tuple[str, ...]
) -> None:
    base = worktree.pin_base(fresh, tmp_path / "store")
    done = fresh.execute(f"set -e; echo x >new; {commands}")
    assert done["returncode"] == 0, done["output"]
    taken = worktree.capture(fresh, tmp_path / "store", base)
    assert sorted(taken.skipped) == sorted(skipped)
    assert taken.patch.count(b"diff --git") == 1


@pytest.mark.parametrize(
    ("commands", "files", "foreign"),
    [
        ("git init -q made; echo x >made/x", 1, ["made/"]),
        ("mkdir empty; : >empty/.git; echo x >empty/x", 1, []),
        ("git clone -q . /tmp/c; rm -rf sub; mv /tmp/c sub; echo x >>sub/x.txt", 7, []),
        ("git init -q /tmp/other; cd /tmp/other; echo x >x; git add x; git -c user.name=a -c user.email=a commit -qm x;"
         " cd /workspace/repo; git clone -q /tmp/other other", 1, ["other/"]),
        ("git init -q --separate-git-dir=/tmp/git made; echo x >made/x", 1, ["made/"]),
        ("mkdir -p objects refs a/objects a/refs; echo x >a/HEAD; echo x >objects/x; echo x >a/objects/x", 3, []),
    ],
    ids=["begun by the agent", "not a repository", "in the place of a folder of the base", "clone of something else",
         "its files elsewhere", "named like parts of one"],
)  # fmt: skip
def test_other_repositories_are_work_and_said(
    fresh: LocalEnvironment, tmp_path: Path, commands: str, files: int, foreign: list[str]
) -> None:
    base = worktree.pin_base(fresh, tmp_path / "store")
    done = fresh.execute(f"set -e; {commands}")
    assert done["returncode"] == 0, done["output"]
    taken = worktree.capture(fresh, tmp_path / "store", base)
    assert taken.skipped == ()
    assert taken.patch.count(b"diff --git") == files
    assert [(finding.kind, finding.path) for finding in taken.findings] == [("foreign_repository", p) for p in foreign]


def test_files_that_a_sparse_checkout_takes_out_are_not_deleted(fresh: LocalEnvironment, tmp_path: Path) -> None:
    store = tmp_path / "store"
    base = worktree.pin_base(fresh, store)
    made = "rm a.py; mkdir more; echo x >more/x; git add -A; git -c user.name=a -c user.email=a commit -qm work"
    done = fresh.execute(f"set -e; {made}; git sparse-checkout set --no-cone /sub; ls")
    assert done["output"] == "sub\n"
    before, after = entries_of(store, base), entries_of(store, worktree.capture(fresh, store, base).tree)
    assert after == {path: entry for path, entry in before.items() if path != b"a.py"}


def test_a_repository_that_is_not_at_the_base_commit_is_an_error(fresh: LocalEnvironment) -> None:
    fresh.execute("git commit -q --allow-empty -m later")
    with pytest.raises(SandboxError, match="not the base commit"):
        worktree.strip_later_history(fresh, fresh.execute("git rev-parse HEAD~1")["output"].strip())


def test_what_is_left_out_is_said(fresh: LocalEnvironment, tmp_path: Path) -> None:
    base = worktree.pin_base(fresh, tmp_path / "store")
    deep = "/".join(["d" * 200] * 30)
    commands = [
        "printf '*.log\nbuild/\n' >.gitignore; echo x >a.log; mkdir -p build/x sub __pycache__; echo x >build/x/y",
        "echo x >sub/b.log; echo x >__pycache__/m.pyc; mkfifo pipe; truncate -s 65M large.bin; echo x >kept",
        f'python3 -c \'import os\nfor part in "{deep}".split("/"):\n os.mkdir(part); os.chdir(part)\nopen("f", "w")\'',
    ]
    done = fresh.execute("\n".join(commands))
    assert done["returncode"] == 0, done["output"]
    taken = worktree.capture(fresh, tmp_path / "store", base)
    assert {"pipe", "large.bin"} < set(taken.skipped)
    assert [path for path in taken.skipped if path.startswith("d" * 200)], "too long a path"
    assert sorted(path for path in taken.ignored if "pyc" not in path) == ["a.log", "build/", "sub/b.log"]
    assert not [path for path in taken.ignored if "pyc" in path]
    assert b"kept" in taken.patch
