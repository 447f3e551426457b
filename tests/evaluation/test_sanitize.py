import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.evaluation.configuration import restore_sections, restore_unit_tests
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.rules import Rules
from cooperbench.evaluation.sanitize import CleanSubmission, apply_exactly, clean_submission
from cooperbench.evaluation.stand_ins import ImageModules
from cooperbench.evaluation.surroundings import Surroundings
from cooperbench.records import DropAction, DropRule
from tests.evaluation.trees import Checkout

BASE = {
    "src/pkg/core.py": b"x = 1\n",
    "tests/test_core.py": b"def test_x(): pass\n",
    "tests/data.json": b"{}\n",
    "conftest.py": b"# base\n",
    "pyproject.toml": b'[project]\nname = "p"\n[tool.pytest.ini_options]\naddopts = "-q"\n',
}


def reason_to_drop(path: str, content: Callable[[], bytes | None], in_base: Callable[[str], bool]) -> str | None:
    """The reason in words, in a work tree that has whatever is asked for."""
    reason = Rules(in_base, lambda _: True).reason(path, content)
    return reason.text if reason is not None else None


def clean(checkout: Checkout, patch: bytes, hidden: frozenset[str] = frozenset()) -> CleanSubmission:
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, patch, hidden)
        assert cleaned.tree is not None, cleaned.reason
        kept = {
            change.path: store.blob(change.new_blob)
            for change in store.changes(checkout.base, cleaned.tree)
            if not change.deleted
        }
        assert all(path not in dropped(cleaned) or path == "pyproject.toml" for path in kept)
    return cleaned


def clean_files(checkout: Checkout, patch: bytes, hidden: frozenset[str]) -> tuple[CleanSubmission, dict[str, bytes]]:
    """The changed files that are left, with their content."""
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, patch, hidden)
        assert cleaned.tree is not None, cleaned.reason
        return cleaned, {
            change.path: store.blob(change.new_blob) for change in store.changes(checkout.base, cleaned.tree)
        }


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "repo", BASE)


def dropped(cleaned: CleanSubmission) -> dict[str, str]:
    return {part.path: part.reason.text for part in cleaned.dropped}


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_new.py",
        "tests/helper.py",
        "pkg/tests/util.py",
        "test_root.py",
        "src/pkg/core_test.py",
        "pkg/a_test.go",
        "testdata/x.txt",
        "ui/button.test.tsx",
        "ui/a.spec.mjs",
        "__tests__/b.js",
        "ui/__snapshots__/a.snap",
        "tests/it.rs",
        "src/test/java/ATest.java",
        "app/FooTests.java",
        "conftest.py",
        "pkg/conftest.py",
        "pytest.ini",
        "tox.ini",
        "jest.config.js",
        "vitest.config.ts",
        "babel.config.json",
        ".mocharc.json",
        "go.work",
        ".cargo/config.toml",
        "rust-toolchain.toml",
        "setup.py",
        "src/sitecustomize.py",
        "pytest.py",
        "src/_pytest/runner.py",
        "pluggy/__init__.py",
        "src/p.egg-info/entry_points.txt",
        "node_modules/.bin/jest",
        ".gitattributes",
        "x.pth",
        "src/pkg/__pycache__/a.pyc",
    ],
)
def test_dropped(path: str) -> None:
    assert reason_to_drop(path, lambda: b"def test_a(): pass\nclass TestA: pass\n", lambda _: False)


@pytest.mark.parametrize(
    "path",
    [
        "contest/a.py",
        "latest.py",
        "src/test.py",
        "src/testing.py",
        "src/pkg/test/client.py",
        "src/contest.ts",
        "src/latest.go",
        "src/tests.rs",
        "src/parser/tests.rs",
        "src/main/java/LatestTest.java",
        "Contest.java",
        "attest.js",
        "src/types.ts",
        "docs/setup.py.md",
        "pkg/setup.py",
        "src/pkg/os.py",
        "README.md",
        "package.json",
        "src/protest/go.mod",
        "pkg/types.py",
    ],
)
def test_kept(path: str) -> None:
    assert reason_to_drop(path, lambda: b"x = 1\n", lambda _: False) is None


def test_a_source_named_like_a_test_stays_when_it_holds_none() -> None:
    assert reason_to_drop("src/pkg/test_runner.py", lambda: b"class Runner: ...\n", lambda _: False) is None
    assert (
        reason_to_drop("src/pkg/test_runner.py", lambda: b"def test_it(): ...\n", lambda _: False)
        == "test file (Python)"
    )


def test_a_module_of_the_runner_may_change_where_the_base_has_it() -> None:
    assert reason_to_drop("src/_pytest/new.py", lambda: b"", lambda path: path == "src/_pytest") is None


def test_the_work_stays_and_the_rest_is_reported(checkout: Checkout) -> None:
    patch = checkout.patch(
        {
            "src/pkg/core.py": b"x = 2\n",
            "tests/test_core.py": None,
            "tests/data.json": b"[]\n",
            "conftest.py": b"collect_ignore = ['tests']\n",
            "src/pkg/new.bin": bytes(range(256)),
        }
    )
    cleaned = clean(checkout, patch)
    assert set(dropped(cleaned)) == {"tests/test_core.py", "tests/data.json", "conftest.py"}
    with open_store(checkout.store) as store:
        again = clean_submission(store, checkout.base, patch, frozenset())
        assert again.tree is not None
        assert [change.path for change in store.changes(checkout.base, again.tree)] == [
            "src/pkg/core.py",
            "src/pkg/new.bin",
        ]


def test_only_the_test_section_of_a_mixed_file_is_put_back(checkout: Checkout) -> None:
    new = b'[project]\nname = "p"\ndependencies = ["attrs"]\n[tool.pytest.ini_options]\naddopts = "--deselect tests"\n'
    cleaned = clean(checkout, checkout.patch({"pyproject.toml": new}))
    assert dropped(cleaned) == {"pyproject.toml": "test configuration in it"}
    with open_store(checkout.store) as store:
        tree = clean_submission(store, checkout.base, checkout.patch({"pyproject.toml": new}), frozenset()).tree
        text = store.run("cat-file", "blob", f"{tree}:pyproject.toml").stdout
    assert b"attrs" in text
    assert b'addopts = "-q"' in text
    assert b"deselect" not in text


RUST = b"pub fn one() -> u8 {\n    1\n}\n"
RUST_TESTS = b"\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn one_is_one() {\n        assert_eq!(one(), 1);\n    }\n}\n"


def test_work_in_a_source_stays_where_hidden_tests_come_into_its_unit_tests(tmp_path: Path) -> None:
    base = {"src/lib.rs": RUST + RUST_TESTS, "src/bare.rs": RUST, "src/a/tests.rs": b"fn t() {}\n"}
    checkout = Checkout(tmp_path / "rust", base)
    work = RUST + b"\npub fn two() -> u8 {\n    2\n}\n"
    own = RUST_TESTS.replace(b"}\n}\n", b"}\n\n    #[test]\n    fn mine() {}\n}\n")
    patch = checkout.patch({"src/lib.rs": work + own, "src/bare.rs": work + own, "src/a/tests.rs": b"fn mine() {}\n"})
    cleaned, files = clean_files(checkout, patch, frozenset(base))
    assert files == {"src/lib.rs": work + RUST_TESTS, "src/bare.rs": work}
    assert dropped(cleaned)["src/lib.rs"] == "unit tests in it"
    assert clean_files(checkout, patch, frozenset({"src/bare.rs"}))[1]["src/lib.rs"] == work + own
    removed = checkout.patch({"src/lib.rs": work})
    assert clean_files(checkout, removed, frozenset(base))[1]["src/lib.rs"] == work + RUST_TESTS


def test_files_of_the_hidden_tests_and_what_stands_in_their_way(checkout: Checkout) -> None:
    patch = checkout.patch({"src/pkg/fixtures/a.txt": b"mine\n", "src/hidden": b"a file where a folder belongs\n"})
    cleaned = clean(checkout, patch, frozenset({"src/pkg/fixtures/a.txt", "src/hidden/test_h.py"}))
    assert set(dropped(cleaned)) == {"src/pkg/fixtures/a.txt", "src/hidden"}


@pytest.mark.parametrize("path", ["conftest.py", "pyproject.toml"])
@pytest.mark.parametrize("below", ["pyproject.toml", "setup.cfg", "x.py"])
def test_a_folder_in_the_place_of_what_was_put_back(path: str, below: str, checkout: Checkout) -> None:
    """What of a file in it was put back as well replaced the file."""
    section = {"pyproject.toml": b"[tool.pytest]\nx = 1\n", "setup.cfg": b"[tool:pytest]\nx = 1\n", "x.py": b"x = 1\n"}
    patch = checkout.patch({path: None}) + checkout.patch({f"new/{below}": section[below]}).replace(
        b"/new/", f"/{path}/".encode()
    )
    cleaned, kept = clean_files(checkout, patch, frozenset())
    assert set(dropped(cleaned)) == {path, f"{path}/{below}"}
    assert path not in kept or b"addopts" in kept[path]
    assert f"{path}/{below}" not in kept


def test_a_link_in_the_place_of_the_tests_folder(checkout: Checkout) -> None:
    (checkout.path / "tests/test_core.py").unlink()
    (checkout.path / "tests/data.json").unlink()
    (checkout.path / "tests").rmdir()
    patch = checkout.patch({}, links={"tests": "src"})
    cleaned = clean(checkout, patch)
    assert cleaned.tree == checkout.base
    assert dropped(cleaned)["tests"] == "stands where test files belong"


def test_links_out_of_the_tree_are_left_out(checkout: Checkout) -> None:
    patch = checkout.patch(
        {}, links={"src/a": "/etc/passwd", "src/b": "../../secret", "src/c": "pkg/core.py", "d": "src/../src"}
    )
    assert set(dropped(clean(checkout, patch))) == {"src/a", "src/b"}


SUBMODULE = """diff --git a/lib b/lib
{mode}
--- a/lib
+++ {after}
@@ -1 {lines} @@
-Subproject commit c219a9bd9bdc6367d9718b941f629b84e9bdc56d
"""
MOVED = SUBMODULE.format(mode="index c219a9b..fc21e2f 160000", after="b/lib", lines="+1")
MOVED += "+Subproject commit fc21e2f3ddb9d9a1d2a3aaaf3f1a9f7d5c2c9a11\n"
REMOVED = SUBMODULE.format(mode="deleted file mode 160000\nindex c219a9b..0000000", after="/dev/null", lines="+0,0")


@pytest.mark.parametrize("change", [MOVED, REMOVED])
def test_submodules_that_the_image_does_not_have_are_left_alone(checkout: Checkout, change: str) -> None:
    """A clone has them, and so has a patch that was made in one; images have no more than their files."""
    work = checkout.patch({"src/pkg/core.py": b"x = 2\n"})
    cleaned = clean(checkout, change.encode() + work)
    assert list(dropped(cleaned)) == ["lib"]
    with open_store(checkout.store) as store:
        assert cleaned.tree == apply_exactly(store, checkout.base, work)
        assert cleaned.tree == apply_exactly(store, checkout.base, work + change.encode())


def test_paths_outside_of_the_work_tree_are_cut_out(checkout: Checkout) -> None:
    evil = b"diff --git a/%s b/%s\nnew file mode 100755\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+evil\n"
    names = [b"../../x", b".git/hooks/post-checkout", b"/tmp/abs"]
    patch = b"".join(evil % (name, name, name) for name in names) + checkout.patch({"src/pkg/core.py": b"x = 3\n"})
    cleaned = clean(checkout, patch)
    assert set(dropped(cleaned).values()) == {"outside of the work tree"}
    assert len(cleaned.dropped) == 3
    assert cleaned.tree != checkout.base


def test_a_patch_that_names_one_file_in_its_header_and_another_below(checkout: Checkout) -> None:
    patch = checkout.patch({"src/pkg/core.py": b"x = 2\n"}) + (
        b"--- a/conftest.py\n+++ b/conftest.py\n@@ -1 +1 @@\n-# base\n+collect_ignore = ['tests']\n"
    )
    assert dropped(clean(checkout, patch)) == {"conftest.py": "test configuration"}


@pytest.mark.parametrize(
    ("name", "base", "submitted", "contains", "lacks"),
    [
        (
            "pyproject.toml",
            b"[project]\nname='a'\n",
            b"[project]\nname='b'\n[tool.pytest.ini_options]\naddopts='-x'\n",
            b"name='b'",
            b"-x",
        ),
        (
            "pyproject.toml",
            b"[project]\nname='a'\n",
            b"tool.pytest.ini_options.addopts='-x'\n[project]\nname='b'\n",
            b"name='a'",
            b"-x",
        ),
        (
            "pyproject.toml",
            b"",
            b"[project.entry-points.pytest11]\na='b'\n[project]\nname='b'\n",
            b"name='b'",
            b"pytest11",
        ),
        ("pyproject.toml", b"", b"[build-system]\nbuild-backend='evil'\nbackend-path=['.']\n", b"", b"evil"),
        ("setup.cfg", b"[tool:pytest]\nx=1\n", b"[metadata]\nname=b\n[tool:pytest]\naddopts=-k no\n", b"x=1", b"-k no"),
        (
            "package.json",
            b'{"scripts": {"test": "jest"}}',
            b'{"scripts": {"test": "true"}, "version": "2"}',
            b'"version"',
            b'"true"',
        ),
        (
            "pnpm-workspace.yaml",
            b"packages:\n- a\noverrides:\n  x: 1\n",
            b"# both\npackages:\n- a\n- b\nnodeOptions: --require ./mine.cjs\noverrides:\n  x: 1\n",
            b"- b\noverrides:\n  x: 1\n",
            b"mine",
        ),
        ("pnpm-workspace.yaml", b"", b"packages: []\rscriptShell: mine\n", b"packages: []\n", b"mine"),
        ("pnpm-workspace.yaml", b"", b"packages: []\n---\n  scriptShell: mine\n", b"packages: []\n", b"mine"),
        ("pnpm-workspace.yaml", b"catalog:\n  a: 1\n", b"catalog:\n  a: npm:mine@1\n", b"a: 1", b"mine"),
        (
            "Cargo.toml",
            b"[package]\nname='a'\n",
            b"[package]\nname='b'\n[[test]]\nname='t'\nharness=false\n",
            b"name='b'",
            b"harness",
        ),
        (
            "Cargo.toml",
            b"[package]\nname='a'\n",
            b"[package]\nname='b'\n[patch.crates-io]\nassert_cmd={path='mine'}\n",
            b"name='b'",
            b"assert_cmd",
        ),
        (
            "go.mod",
            b"module a\n\nreplace x => ./x\n",
            b"module a\n\nrequire y v1.0.0\n\nreplace (\n\tx => ./x\n\ttestify => ./mine\n)\nreplace z => ./z\n",
            b"require y v1.0.0\nreplace x => ./x\n",
            b"mine",
        ),
        (
            "src/lib.rs",
            b"fn a() {}\n",
            b"macro_rules! assert_eq { ($($t:tt)*) => {} }\nfn a() { b() }\n",
            b"fn a() {}",
            b"macro_rules",
        ),
    ],
)
def test_sections_of_mixed_files(name: str, base: bytes, submitted: bytes, contains: bytes, lacks: bytes) -> None:
    result = restore_sections(name, base, submitted)
    assert result is not None
    assert contains in result
    assert lacks not in result


@pytest.mark.parametrize(
    ("name", "base", "submitted"),
    [
        (
            "pyproject.toml",
            b"[project]\nname='a'\n[tool.pytest]\nx=1\n",
            b"[tool.pytest]\nx=1 # same\n[project]\nname='b'\n",
        ),
        ("package.json", b'{"scripts": {}, "a": 1}', b'{"a": 2, "scripts": {}}'),
        ("other.toml", b"", b"[tool.pytest]\nx=1\n"),
        ("pnpm-workspace.yaml", b"a: 1\npackages: []\n", b"# more\npackages:\n  - b\n\na: 1\n"),
        ("go.mod", b"module a\nreplace x => ./x\n", b"module a\nrequire y v1.0.0\nreplace x => ./x\n"),
        ("src/lib.rs", b"macro_rules! assert_eq { () => {} }\n", b"macro_rules! assert_eq { (1) => {} }\n"),
    ],
)
def test_files_whose_test_sections_are_the_same_stay_as_they_are(name: str, base: bytes, submitted: bytes) -> None:
    assert restore_sections(name, base, submitted) is None


def test_copies_of_modules_in_go_stay_as_they_are() -> None:
    there = {"go.mod", "vendor/modules.txt", "vendor/testify/assert.go"}
    assert reason_to_drop("vendor/testify/assert.go", lambda: b"", there.__contains__) == "copy of a module"
    assert reason_to_drop("vendor/new/new.go", lambda: b"", there.__contains__) is None
    assert reason_to_drop("vendor/testify/assert.go", lambda: b"", {"go.mod"}.__contains__) == "copy of a module"
    assert reason_to_drop("vendor/testify/assert.go", lambda: b"", lambda _: False) is None


THERE = {
    "pyproject.toml",
    "src",
    "src/pkg",
    "src/pkg/__init__.py",
    "go.mod",
    "sub/go.mod",
    "crate/Cargo.toml",
    "run_tests.sh",
    "scripts/check.py",
}
IMAGE = ImageModules(names=("click", "yaml"), folders=("tools/python",))
RUNNER = "#!/bin/sh\ncd /workspace/repo\n./run_tests.sh scripts/check.py\npip install -r requirements.txt\n"


def rule_for(path: str, *more: str, gold: frozenset[str] = frozenset(), is_link: bool = False) -> DropRule | None:
    """The rule for one of some new files."""
    surroundings = Surroundings(gold, RUNNER, lambda: IMAGE)
    work = {path, *more, *THERE}
    reason = Rules(THERE.__contains__, work.__contains__, surroundings).reason(path, lambda: b"", is_link=is_link)
    return reason.rule if reason is not None else None


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("shlex.py", DropRule.STAND_IN),
        ("src/logging.py", DropRule.STAND_IN),
        ("difflib.cpython-311-x86_64-linux-gnu.so", DropRule.STAND_IN),
        ("src/bdb.abi3.so", DropRule.STAND_IN),
        ("bdb.pyc", DropRule.STARTS_BY_ITSELF),
        ("click.py", DropRule.STAND_IN),
        ("yaml/__init__.py", DropRule.STAND_IN),
        ("tools/python/textwrap.py", DropRule.STAND_IN),
        ("Evil-1.0.DIST-INFO/entry_points.txt", DropRule.PACKAGE_METADATA),
        ("src/evil.Egg-Info/PKG-INFO", DropRule.PACKAGE_METADATA),
        ("lib/x.egg/EGG-INFO/entry_points.txt", DropRule.PACKAGE_METADATA),
        ("sitecustomize/__init__.py", DropRule.STARTS_BY_ITSELF),
        ("usercustomize.cpython-311.so", DropRule.STARTS_BY_ITSELF),
        ("vendor/modules.txt", DropRule.INSTALLED_PACKAGE),
        ("sub/vendor/testify/assert.go", DropRule.INSTALLED_PACKAGE),
        ("wheels/pytest-9.0-py3-none-any.whl", DropRule.INSTALLED_PACKAGE),
        ("native/a.node", DropRule.INSTALLED_PACKAGE),
        ("crate/build.rs", DropRule.BUILD_HOOK),
        (".env", DropRule.ENVIRONMENT),
        ("web/.env.test", DropRule.ENVIRONMENT),
        (".python-version", DropRule.ENVIRONMENT),
        ("pip.conf", DropRule.ENVIRONMENT),
        ("run_tests.sh", DropRule.RUNNER_SCRIPT),
        ("scripts/check.py", DropRule.RUNNER_SCRIPT),
        (".mvn/maven.config", DropRule.TEST_CONFIGURATION),
        ("postcss.config.mjs", DropRule.TEST_CONFIGURATION),  # vitest runs it in its main process
        ("web/.postcssrc.cjs", DropRule.TEST_CONFIGURATION),
    ],
)
def test_rules(path: str, rule: DropRule) -> None:
    assert rule_for(path) is rule
    if rule in (DropRule.STAND_IN, DropRule.INSTALLED_PACKAGE, DropRule.BUILD_HOOK, DropRule.ENVIRONMENT):
        assert rule_for(path, gold=frozenset({path})) is None


@pytest.mark.parametrize(
    "path",
    [
        "src/pkg/shlex.py",
        "src/pkg/click.py",
        "scripts/json.py",
        "tools/json/data.txt",
        "json/data.txt",
        "src/test.py",
        "vendored/x.go",
        "src/vendor/x.py",
        "docs/build.rs",
        ".env.example",
        "requirements.txt",
        "src/environment.py",
        "assets/a.tar.gz",
    ],
)
def test_honest_paths(path: str) -> None:
    assert rule_for(path) is None


def test_modules_of_a_package_that_is_called_src_stay() -> None:
    there = {"src/__init__.py", "src"}
    assert Rules(there.__contains__, lambda _: True).reason("src/queue.py", lambda: b"x") is None
    assert Rules(lambda _: False, lambda _: True).reason("src/queue.py", lambda: b"x") is not None


def test_links_and_packages_stand_in_for_modules() -> None:
    assert rule_for("platform", is_link=True) is DropRule.STAND_IN
    assert rule_for("src/platform", is_link=True) is DropRule.STAND_IN
    assert rule_for("json/tool.py", "json/__init__.py") is DropRule.STAND_IN
    assert rule_for("json/tool.py") is None


def test_configuration_that_was_deleted_comes_back(checkout: Checkout) -> None:
    cleaned, files = clean_files(checkout, checkout.patch({"pyproject.toml": None}), frozenset())
    assert files == {"pyproject.toml": b'[tool.pytest.ini_options]\naddopts = "-q"\n'}
    assert [(part.reason.rule, part.action) for part in cleaned.dropped] == [
        (DropRule.TEST_CONFIGURATION, DropAction.PARTLY_RESTORED)
    ]


@pytest.mark.parametrize(
    ("name", "base", "submitted", "expected"),
    [
        (
            "setup.cfg",
            b"",
            b"[metadata]\nname = x\x0c[tool:pytest]\x0caddopts = -p evil\n",
            b"[metadata]\nname = x\x0c\n",
        ),
        ("setup.cfg", b"[metadata]\nname=a\n", b"\xef\xbb\xbf[tool:pytest]\naddopts=-x\n", b"[metadata]\nname=a\n"),
        ("setup.cfg", b"", b"[tool:pytest] # c\naddopts=-x\n[metadata]\nname=b\n", b"[metadata]\nname=b\n"),
        ("setup.cfg", b"[metadata]\nname=a\n", b"[metadata]\nname=pytest\n", b"[metadata]\nname=a\n"),
        ("setup.cfg", b"", b"[tool:pytest]\n\taddopts = -x\n[tool:pytest]\naddopts=-k no\n", b""),
        ("pyproject.toml", b"[project]\nname='a'\n", b"[project]\nname='pytest'\n", b"[project]\nname='a'\n"),
        ("pyproject.toml", b"", b"[project.scripts]\npytest='evil:main'\n", b""),
        ("pyproject.toml", b"", b"[tool.uv.sources]\npytest={path='x'}\n", b""),
        ("pyproject.toml", b"[project]\nname='a'\n", b"[project]\nname='a'\ndependencies=['pytest @ file:x']\n", None),
        ("pyproject.toml", b"a=1\n", b"[tool.poetry.dependencies]\npytest={path='x'}\n", b"a=1\n"),
        ("Cargo.toml", b"[dependencies]\na='1'\n", b"[dependencies]\na={path='x'}\n", b"[dependencies]\na='1'\n"),
        ("Cargo.toml", b"[package]\nname='a'\n", b"[package]\nname='a'\nautotests=false\n", b"[package]\nname='a'\n"),
        ("Cargo.toml", b"[package]\nname='a'\n", b"[workspace]\nmembers=['b']\n", b"[package]\nname='a'\n"),
        (
            "Cargo.toml",
            b"[package]\nname='a'\n",
            b"[package]\nname='b'\n[workspace]\ndefault-members=['c']\n",
            b"[package]\nname='a'\n",
        ),
        ("requirements-dev.txt", b"pytest\n", b"pytest\nattrs\n./evil\n-e x\nb @ file:x\nc.whl\n", b"pytest\nattrs\n"),
        ("package-lock.json", b"{}", b'{"a": {"resolved": "file:x.tgz"}}', b"{}"),
        ("yarn.lock", b"", b'resolved "https://evil.example/a.tgz"\n', b""),
        ("uv.lock", b"", b'source = { path = "x" }\n', b""),
        ("go.mod", b"module a\n", b"module a\n\ntoolchain go1.99\n", b"module a\n"),
    ],
)
def test_configuration_in_odd_forms(name: str, base: bytes, submitted: bytes, expected: bytes | None) -> None:
    assert restore_sections(name, base, submitted) == (base if expected is None else expected)


@pytest.mark.parametrize(
    ("name", "base", "submitted"),
    [
        ("setup.cfg", b"[metadata]\nname=a\n", b"[metadata]\nname=b\n[options]\ninstall_requires=attrs\n"),
        ("pyproject.toml", b"[project]\nname='a'\n", b"[project]\nname='a'\ndependencies=['attrs>=23', 'x[y]<2']\n"),
        ("pyproject.toml", b"", b"[project.scripts]\nshelf='a:main'\n[tool.ruff]\nx=1\n"),
        ("Cargo.toml", b"[package]\nname='a'\n", b"[package]\nname='a'\n[dependencies]\nb={path='b'}\nc='1'\n"),
        ("requirements.txt", b"-r base.txt\n", b"-r base.txt\nattrs>=23 ; python_version > '3.8'\n"),
        ("package-lock.json", b"{}", b'{"a": {"resolved": "https://registry.npmjs.org/a/-/a-1.tgz"}}'),
        ("package-lock.json", b"{}", b'{"funding": {\n"url": "https://opencollective.com/a"}}'),
        ("uv.lock", b"", b'[[package]]\nname = "a"\nsource = { registry = "https://pypi.org/simple" }\n'),
        ("package.json", b"{}", b'{"dependencies": {"a": "^1.0.0", "b": "workspace:*"}, "type": "module"}'),
    ],
)
def test_dependencies_are_work(name: str, base: bytes, submitted: bytes) -> None:
    assert restore_sections(name, base, submitted) is None


def test_dependencies_out_of_files_are_not() -> None:
    base = b'{"dependencies": {"a": "^1.0.0"}}'
    new = b'{"dependencies": {"a": "file:./a", "b": "github:x/b", "c": "2"}, "overrides": {"jest": "1"}}'
    restored = restore_sections("package.json", base, new)
    assert restored is not None
    assert json.loads(restored) == {"dependencies": {"a": "^1.0.0", "c": "2"}}


HOSTILE: dict[str, tuple[bytes, bytes]] = {
    "Cargo.toml": (b"[package]\nname='a'\n", b"a=" + b"[" * 100_000),
    "pyproject.toml": (b"[project]\nname='a'\n", b"x.y" + b".a" * 3000 + b"=1\n"),
    "a/pyproject.toml": (b"", b"[tool.pytest.x]\ny=1\n[project]\nz='''\n[" + b" " * 100_000 + b"\n'''\n"),
    "b/pyproject.toml": (b"[project]\nname='a'\n", b"x.y" + b".a" * 100_000 + b"=1\n"),
    "c/pyproject.toml": (
        b"[project]\nname='a'\n",
        b"[project]\nname='a'\ndependencies=['" + b"a" * 1_000_000 + b"']\n",
    ),
    "package.json": (b"{}", b'{"a":' + b"[" * 100_000),
    "package-lock.json": (b"{}", b"url " * 500_000),
    "go.mod": (b"module a\n", b"module a\n" + b"replace (\n" * 100_000),
    "src/lib.rs": (b"", b"macro_rules! assert_eq\n" * 10_000),
}


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.timeout(60)
def test_hostile_files_are_read_at_once(path: str) -> None:
    """They are read on the host, where no limit ends that: no depth ends it with an error, no length takes minutes."""
    base, submitted = HOSTILE[path]
    restored = restore_sections(path, base, submitted)
    assert restored in (None, base) or len(restored) <= len(submitted)


@pytest.mark.timeout(60)
def test_test_modules_without_an_end_are_read_at_once() -> None:
    assert restore_unit_tests(b"", b"#[cfg(test)]\nmod a {\n" * 200_000) is None
    assert restore_unit_tests(b"", b"#[cfg(test)]\n" * 200_000) is None


@pytest.mark.timeout(60)
def test_a_source_of_blank_lines_is_read_at_once() -> None:
    assert reason_to_drop("src/pkg/test_runner.py", lambda: b"\n" * 1_000_000, lambda _: False) is None


@pytest.mark.parametrize("before", [b"\n", b"\t", b"\f", b"\r\r", b"\n\n \f"])
def test_whatever_space_stands_before_it_a_test_is_one(before: bytes) -> None:
    content = before + b"def test_it():\n    pass\n"
    assert reason_to_drop("src/pkg/test_runner.py", lambda: content, lambda _: False) is not None
