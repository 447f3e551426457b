"""Small tasks in other languages, in the published layout: two features in one file, hidden tests, a runner of its own kind."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from cooperbench.environments import build_image
from cooperbench.records import ImageRecipe
from cooperbench.tasks import Task, read_task
from tests.evaluation.trees import Checkout, Files

RUNNER = """#!/bin/bash
set -e
cd /workspace/repo
git reset -q --hard
git clean -qfd
if [ -n "$2" ]; then git apply --ignore-whitespace --ignore-space-change "/patches/$2" || git apply --3way "/patches/$2"; fi
git apply --ignore-whitespace --ignore-space-change "/patches/$1" || git apply --3way "/patches/$1"
echo "Running tests..."
{command}
"""

DOCKERFILE = """FROM cooperbench-test/{toolchain}:latest
COPY base /workspace/repo
RUN cd /workspace/repo && git init -q && git add -A \\
    && git -c user.name=upstream -c user.email=upstream@example.org commit -qm base
RUN cd /workspace/repo && {prepare}
COPY runner.sh /usr/local/bin/runner.sh
WORKDIR /workspace/repo
ENTRYPOINT ["bash", "/usr/local/bin/runner.sh"]
"""


@dataclass(frozen=True)
class Language:
    """A repository with a basket of prices. Feature 1 adds a discount, feature 2 counts; both change `source`."""

    toolchain: str
    """The image is `cooperbench-test/<toolchain>`."""
    base: Files
    source: str
    top: bytes
    """Feature 1, put before everything in `source`."""
    bottom: bytes
    """Feature 2, put after everything in it."""
    tests: tuple[Files, Files]
    command: str
    report: str
    """Where the results are read from."""
    required: str
    """The name of a test of feature 1, as it is reported."""
    right: bytes
    wrong: bytes
    """What takes the place of `right` in the discount, so that its test fails."""
    quits: bytes
    """What takes the place of `right`, so that the test program ends at once and well."""
    no_test: str
    """A command that runs no test."""
    more_tests: tuple[str, bytes]
    """A test file of feature 1, and what makes its tests three: for fewer a proof runs four versions and not two."""
    prepare: str = "true"
    """What is done in the repository when the image is made, as published images have their packages compiled."""

    def changed(self, *, discount: bool = True, count: bool = True, body: bytes | None = None) -> bytes:
        """`source` with the features."""
        top = self.top if body is None else self.top.replace(self.right, body)
        # `package` and the like have to stay first.
        head, separator, rest = self.base[self.source].partition(b"\n\n")
        parts = [head, separator, top if discount else b"", rest, self.bottom if count else b""]
        return b"".join(parts)

    def with_more_tests(self) -> "Language":
        """The same with three tests of feature 1."""
        file, more = self.more_tests
        first, second = self.tests
        return replace(self, tests=({**first, file: first.get(file, b"") + more}, second))


def make_task(
    language: Language, folder: Path, name: str, command: str | None = None, prepare: str | None = None
) -> tuple[Task, Checkout]:
    """Write the task and build its image, in which `prepare` or the language's own was run in the repository."""
    checkout = Checkout(folder / "upstream", language.base)
    path = folder / "dataset" / f"{name}_task" / "task1"
    for place, data in language.base.items():
        _write(path / "base" / place, data)
    _write(
        path / "Dockerfile",
        DOCKERFILE.format(toolchain=language.toolchain, prepare=prepare or language.prepare).encode(),
    )
    _write(path / "runner.sh", RUNNER.replace("{command}", command or language.command).encode())
    for number, tests in enumerate(language.tests, start=1):
        gold = checkout.patch({language.source: language.changed(discount=number == 1, count=number == 2)})
        _write(path / f"feature{number}" / "feature.patch", gold)
        _write(path / f"feature{number}" / "feature.md", b"A basket.\n")
        _write(path / f"feature{number}" / "tests.patch", checkout.patch(dict(tests)))
    _write(path / "combined.patch", checkout.patch({language.source: language.changed()}))
    task = read_task(path)
    image = f"cooperbench-test/{name}:evaluation"
    recipe = ImageRecipe(name=image, context=path, dockerfile=path / "Dockerfile")
    build_image("docker", recipe)
    return Task(task.repo, task.task_id, path, image, recipe, task.features), checkout


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


GO = Language(
    toolchain="go",
    base={
        "go.mod": b"module example.org/basket\n\ngo 1.19\n",
        "basket.go": b"package basket\n\n// Total adds.\nfunc Total(prices []int) int {\n\tsum := 0\n\tfor _, p := range prices {\n\t\tsum += p\n\t}\n\treturn sum\n}\n",
        "basket_test.go": b'package basket\n\nimport "testing"\n\nfunc TestTotal(t *testing.T) {\n\tif Total([]int{1, 2}) != 3 {\n\t\tt.Fatal("total")\n\t}\n}\n',
    },
    source="basket.go",
    top=b'import "os"\n\nvar _ = os.Args\n\n// Discount takes a tenth off.\nfunc Discount(price int) int {\n\treturn price * 9 / 10\n}\n\n',
    bottom=b"\n// Count counts.\nfunc Count(prices []int) int {\n\treturn len(prices)\n}\n",
    tests=(
        {
            "discount_test.go": b'package basket\n\nimport "testing"\n\nfunc TestDiscount(t *testing.T) {\n\tt.Run("tenth", func(t *testing.T) {\n\t\tif Discount(100) != 90 {\n\t\t\tt.Fatal("discount")\n\t\t}\n\t})\n}\n'
        },
        {
            "count_test.go": b'package basket\n\nimport "testing"\n\nfunc TestCount(t *testing.T) {\n\tif Count([]int{4, 5}) != 2 {\n\t\tt.Fatal("count")\n\t}\n}\n'
        },
    ),
    command="go test -failfast ./...",
    report="go-guard",
    required="example.org/basket.TestDiscount/tenth",
    right=b"return price * 9 / 10",
    wrong=b"return price",
    quits=b"os.Exit(0)\n\treturn price",
    no_test="go test -run NoSuchTest ./...",
    more_tests=(
        "discount_test.go",
        b'\nfunc TestNothing(t *testing.T) {\n\tif Discount(0) != 0 {\n\t\tt.Fatal("nothing")\n\t}\n}\n'
        b'\nfunc TestTen(t *testing.T) {\n\tif Discount(10) != 9 {\n\t\tt.Fatal("ten")\n\t}\n}\n',
    ),
    prepare="go test ./...",
)

_LIB = b"//! A basket.\n\n/// Adds.\npub fn total(prices: &[i64]) -> i64 {\n    prices.iter().sum()\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() {\n        assert_eq!(super::total(&[1, 2]), 3);\n    }\n}\n"

RUST = Language(
    toolchain="rust",
    base={
        "Cargo.toml": b'[package]\nname = "basket"\nversion = "0.1.0"\nedition = "2021"\n',
        "Cargo.lock": b'# This file is automatically @generated by Cargo.\nversion = 3\n\n[[package]]\nname = "basket"\nversion = "0.1.0"\n',
        ".gitignore": b"/target\n",
        "src/lib.rs": _LIB,
        "tests/total.rs": b"#[test]\nfn nothing() {\n    assert_eq!(basket::total(&[]), 0);\n}\n",
    },
    source="src/lib.rs",
    top=b"/// A tenth off.\npub fn discount(price: i64) -> i64 {\n    price * 9 / 10\n}\n\n",
    bottom=b"\n/// Counts.\npub fn count(prices: &[i64]) -> usize {\n    prices.len()\n}\n",
    tests=(
        {
            "tests/discount.rs": b"#[test]\nfn tenth() {\n    assert_eq!(basket::discount(100), 90);\n}\n\n#[test]\n#[should_panic]\nfn panics() {\n    panic!();\n}\n"
        },
        # Inside the source that both features change, as unit tests are in Rust.
        {
            "src/lib.rs": _LIB.replace(
                b"mod tests {\n",
                b"mod tests {\n    #[test]\n    fn two() {\n        assert_eq!(super::count(&[4, 5]), 2);\n    }\n\n",
            )
        },
    ),
    command="cargo test --offline",
    report="cargo-guard",
    required="basket:discount:tenth",
    right=b"price * 9 / 10",
    wrong=b"price",
    quits=b"std::process::exit(if price > 0 { 0 } else { 1 })",
    no_test="cargo test --offline no_such_test",
    more_tests=("tests/discount.rs", b"\n#[test]\nfn ten() {\n    assert_eq!(basket::discount(10), 9);\n}\n"),
)

WORKSPACE = replace(
    RUST,
    base={
        **RUST.base,
        "Cargo.toml": RUST.base["Cargo.toml"] + b'\n[workspace]\nmembers = ["shelf"]\n',
        "Cargo.lock": RUST.base["Cargo.lock"]
        + b'\n[[package]]\nname = "shelf"\nversion = "0.1.0"\ndependencies = [\n "basket",\n]\n',
        "shelf/Cargo.toml": b'[package]\nname = "shelf"\nversion = "0.1.0"\nedition = "2021"\n\n[lib]\ntest = false\ndoctest = false\n\n[dev-dependencies]\nbasket = { path = ".." }\n',
        "shelf/src/lib.rs": b"//! A shelf.\n",
    },
    command="cargo test --offline --workspace",
    more_tests=("shelf/tests/ten.rs", b"#[test]\nfn ten() {\n    assert_eq!(basket::discount(10), 9);\n}\n"),
)
"""Two crates. Tests of feature 1 are in both."""

TYPESCRIPT = Language(
    toolchain="node",
    base={
        "package.json": b'{\n  "name": "basket",\n  "version": "1.0.0",\n  "private": true,\n  "scripts": {"test": "jest"}\n}\n',
        "babel.config.js": b'module.exports = {\n  presets: [["@babel/preset-env", { targets: { node: "current" } }], "@babel/preset-typescript"],\n};\n',
        "src/basket.ts": b'"use strict";\n\nexport function total(prices: number[]): number {\n  return prices.reduce((sum, price) => sum + price, 0);\n}\n',
        "tests/basket.test.ts": b'import { total } from "../src/basket";\n\ntest("total adds", () => expect(total([1, 2])).toBe(3));\n',
    },
    source="src/basket.ts",
    top=b"export function discount(price: number): number {\n  return (price * 9) / 10;\n}\n\n",
    bottom=b"\nexport function count(prices: number[]): number {\n  return prices.length;\n}\n",
    tests=(
        {
            "tests/discount.test.ts": b'import { discount } from "../src/basket";\n\ndescribe("discount", () => {\n  test("takes a tenth", () => expect(discount(100)).toBe(90));\n});\n'
        },
        {
            "tests/count.test.ts": b'import { count } from "../src/basket";\n\ntest("count", () => expect(count([4, 5])).toBe(2));\n'
        },
    ),
    command="jest --ci --bail -- tests",
    report="jest-guard",
    required="tests/discount.test.ts:discount takes a tenth",
    right=b"return (price * 9) / 10;",
    wrong=b"return price;",
    quits=b"process.exit(0);",
    no_test="jest --ci --passWithNoTests no-such-file",
    more_tests=(
        "tests/discount.test.ts",
        b'\ntest("nothing", () => expect(discount(0)).toBe(0));\n\ntest("ten", () => expect(discount(10)).toBe(9));\n',
    ),
    prepare="jest --ci",
)

_IMPORT = b'import { describe, expect, test } from "vitest";\n'


def _for_vitest(files: Files) -> Files:
    """Import what jest has as globals."""
    return {path: _IMPORT + (data or b"") if path.endswith(".test.ts") else data for path, data in files.items()}


VITEST = replace(
    TYPESCRIPT,
    toolchain="vitest",
    base={
        **_for_vitest({path: data for path, data in TYPESCRIPT.base.items() if path.endswith(".ts")}),
        "package.json": b'{\n  "name": "basket",\n  "private": true,\n  "type": "module",\n  "scripts": {"test": "vitest run"}\n}\n',
    },
    tests=(_for_vitest(TYPESCRIPT.tests[0]), _for_vitest(TYPESCRIPT.tests[1])),
    command="vitest run --bail=1",
    report="vitest-guard",
    no_test="vitest run no-such-file",
    prepare="true",
)
"""In an image that `build_vitest` makes: vitest comes from npm, not from Debian."""
_VITEST_IMAGE = """FROM cooperbench-test/node
COPY node_modules /node_modules
ENV PATH=/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""


def build_vitest(folder: Path) -> None:
    """Make the image of vitest with this machine's npm and its registry; nothing is fetched while it runs."""
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(_VITEST_IMAGE)
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, "vitest@1.6"], check=True)
    subprocess.run(["docker", "build", "-q", "-t", "cooperbench-test/vitest", folder], check=True)


LANGUAGES = {"go": GO, "rust": RUST, "typescript": TYPESCRIPT}
