"""Files that `.gitattributes` gives other bytes in the work tree: git's own patches and captured ones come to git's own tree."""

from pathlib import Path

import pytest

from cooperbench.evaluation.check_in import check_in
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.sanitize import apply_exactly, clean_submission
from tests.evaluation.trees import Checkout, Files, git

LINES = "# $Id: 0f1a $ $Id: no end\n[shop]\ncurrency = EUR\nrate = 1\nname = Caf\u00e9\n"
AS_THEY_ARE = "* -text !eol !working-tree-encoding -filter -ident\n"


class TwoViews:
    """A repository as git keeps it and, beside it, the bytes of its work tree."""

    def __init__(self, path: Path, attributes: str) -> None:
        self.git = Checkout(path / "git", {".gitattributes": attributes.encode(), "a.ini": b"", "code.py": b"x = 1\n"})
        self.bytes = Checkout(path / "bytes", {})
        (self.bytes.store / "info").mkdir(exist_ok=True)
        (self.bytes.store / "info" / "attributes").write_text(AS_THEY_ARE)

    def commit(self, files: Files) -> None:
        """Commit files with the bytes that a work tree has."""
        for checkout in (self.git, self.bytes):
            checkout.write(files)
            git("add", "-A", "-f", cwd=checkout.path)
            git("commit", "-qm", "base", "--allow-empty", cwd=checkout.path)
            checkout.base = checkout.read("rev-parse", "HEAD^{tree}")

    def tree_after(self, files: Files) -> str:
        """The tree that git itself makes of a changed work tree."""
        self.git.write(files)
        git("add", "-A", "-f", cwd=self.git.path)
        tree = self.git.read("write-tree")
        git("reset", "-q", "--hard", cwd=self.git.path)
        return tree


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attributes", "encoding", "line_end"),
    [
        ("*.ini text eol=crlf", "utf-8", "\r\n"),
        ("*.ini eol=crlf", "utf-8", "\r\n"),
        ("* text=auto eol=crlf", "utf-8", "\r\n"),
        ("[attr]windows text eol=crlf\n*.ini windows", "utf-8", "\r\n"),
        ("*.ini text working-tree-encoding=UTF-16LE-BOM eol=crlf", "utf-16", "\r\n"),
        ("*.ini text working-tree-encoding=ISO-8859-1", "iso-8859-1", "\n"),
        ("* text=auto", "utf-8", "\n"),
        ("*.ini text eol=lf", "utf-8", "\n"),
        ("*.ini -text eol=crlf", "utf-8", "\r\n"),
        ("*.py text", "utf-8", "\r\n"),
        ("*.ini ident", "utf-8", "\n"),
        ("*.ini text eol=crlf ident", "utf-8", "\r\n"),
    ],
)
def test_patches_of_git_and_of_bytes_come_to_the_same_tree(
    tmp_path: Path, attributes: str, encoding: str, line_end: str
) -> None:
    def in_the_work_tree(text: str) -> bytes:
        return text.replace("\n", line_end).encode(encoding)

    views = TwoViews(tmp_path, attributes)
    files = {".gitattributes": f"{attributes}\n".encode(), "a.ini": in_the_work_tree(LINES), "x.dat": b"\0a\r\nb\r\n"}
    views.commit(files | {"code.py": in_the_work_tree("x = 1\n") if "* text=auto eol" in attributes else b"x = 1\n"})
    changes = {"a.ini": in_the_work_tree(LINES + "vat = yes\n"), "new.ini": in_the_work_tree("[new]\nkey = 1\n")}
    wanted = views.tree_after(changes)
    by_git, captured = (checkout.patch(dict(changes)) for checkout in (views.git, views.bytes))
    git("fetch", "-q", str(views.git.path), cwd=views.bytes.path)  # only for a readable difference should this fail
    with open_store(views.bytes.store) as store:
        base = check_in(store, views.bytes.base)
        assert base == views.git.base
        for patch in (by_git, captured):
            assert apply_exactly(store, base, patch) == wanted
            assert clean_submission(store, base, patch, frozenset()).tree == wanted


def test_a_submission_does_not_change_how_files_are_converted(tmp_path: Path) -> None:
    views = TwoViews(tmp_path, "*.ini eol=crlf")
    views.commit({".gitattributes": b"*.ini eol=crlf\n", "a.ini": b"[a]\r\nx = 1\r\n"})
    patch = views.bytes.patch({".gitattributes": b"*.py eol=crlf\n", "a.ini": b"[a]\r\nx = 2\r\n", "b.py": b"x\r\n"})
    with open_store(views.bytes.store) as store:
        tree = apply_exactly(store, check_in(store, views.bytes.base), patch)
        assert tree is not None
        assert store.blob(f"{tree}:a.ini") == b"[a]\nx = 2\n"
        assert store.blob(f"{tree}:b.py") == b"x\r\n"
