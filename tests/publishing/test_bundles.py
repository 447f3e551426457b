"""Bundles of results: written, verified, and tampered with in every way that has a name. All through the command line."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cooperbench.publishing.rejudging import split_flaky
from cooperbench.publishing.writing import write_manifest
from cooperbench.records import Evaluation, Outcome, TestStatus, read_model, write_model
from cooperbench.records.published import Discrepancy, DiscrepancyKind, PublishedResult, Verification
from cooperbench.records.runs import read_run
from tests.command_line import cooperbench

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

EPISODE = "coop/ledgerkit_task/1/f2_f3"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one group: `good` passes, and in `half` one member does nothing."""
    place = tmp_path_factory.mktemp("publishing") / "logs"
    shared = ("-s", "demo", "-r", "ledgerkit", "-f", "2,3", "--backend", "local", "--log-dir", str(place))
    assert cooperbench("run", "-n", "good", "-a", "gold", "-m", "none", *shared).code == 0
    assert cooperbench("run", "-n", "half", "--team", "gold:none,nop:none", *shared).code == 0
    return place


@pytest.fixture(scope="module")
def written(logs: Path) -> Path:
    """The bundle of the run that passes."""
    place = logs.parent / "good-bundle"
    said = cooperbench("submit", "good", "--out", str(place), "--team", "Team <b>A</b>", "--log-dir", str(logs))
    assert said.code == 0, said.err
    return place


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_bundle_has_what_others_need_and_nothing_that_was_said(written: Path, logs: Path) -> None:
    names = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    episode = f"runs/good/{EPISODE}"
    files = ("result.json", "eval.json", "agent2.patch", "agent3.patch", "merged_naive.patch", "merged_union.patch")
    top = {"submission.json", "manifest.json", "README.md", "rows.jsonl", "members.jsonl", "runs/good/config.json"}
    assert names == top | {f"{episode}/{file}" for file in files}
    for file in json.loads((written / "manifest.json").read_text())["files"]:
        data = (written / file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert str(logs.parent).encode() not in data
    statement = read_model(written / "submission.json", PublishedResult)
    [run] = statement.runs
    assert (statement.team, statement.policy, statement.trajectories) == ("Team <b>A</b>", "naive@1", None)
    assert [(each.agent_id, each.agent, each.model) for each in run.members] == [
        ("agent1", "gold", "none"),
        ("agent2", "gold", "none"),
    ]
    assert (run.groups.rate, run.groups.groups, run.groups.pools, run.groups.method) == (1, 1, 1, "plain Wilson")
    [each] = run.episodes
    evaluation = read_run("good", logs).episodes[0].evaluation
    assert evaluation is not None
    assert (each.evaluation, each.image_digest) == (evaluation.key, evaluation.image_digest)
    assert [patch.sha256 for patch in each.patches] == [
        hashlib.sha256((written / episode / f"agent{number}.patch").read_bytes()).hexdigest() for number in (2, 3)
    ]


def test_the_same_run_gives_the_same_bytes(written: Path, logs: Path, tmp_path: Path) -> None:
    place = tmp_path / "again"
    command = ("submit", "--out", str(place), "--team", "Team <b>A</b>", "--log-dir", str(logs), "--json", "good")
    digest = cooperbench(*command).facts["digest"]
    assert digest == hashlib.sha256((written / "manifest.json").read_bytes()).hexdigest()
    for path in place.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (written / path.relative_to(place)).read_bytes()


def test_the_rows_load_as_the_card_says(written: Path, logs: Path) -> None:
    _, header, text = (written / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(header)
    rows = {
        each["config_name"]: list(map(json.loads, (written / each["data_files"][0]["path"]).read_text().splitlines()))
        for each in card["configs"]
    }
    run = read_run("good", logs)
    [row] = rows["episodes"]
    assert (row["outcome"], row["group"], row["passed"]) == ("passed", "ledgerkit_task/1/f2_f3", True)
    assert [each["agent_id"] for each in rows["members"]] == [each["agent_id"] for each in run.member_rows()]
    assert card["pretty_name"] == "CooperBench: Team <b>A</b>"
    assert "license" not in card
    assert "<b>" not in text


def test_a_bundle_that_says_the_truth_is_verified_also_when_packed(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(bundle, "bundle")
    said = cooperbench("verify", str(packed), "--record", "--sample", "5")
    assert (said.code, said.err) == (0, said.err), said.out
    assert "1 of 1 episode" in said.out
    assert said.out.splitlines()[-2] == "verified"
    found = read_model(tmp_path / "packed.verification.json", Verification)
    assert found.verified
    assert found.tests > 100
    assert found.bundle == hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()


def changed_patch(bundle: Path) -> str:
    edit(bundle / "runs/good" / EPISODE / "agent2.patch", "\n+", "\n+# \n+")
    return f"changed file: runs/good/{EPISODE}/agent2.patch"


def changed_verdict(bundle: Path) -> str:
    edit(bundle / "runs/good" / EPISODE / "eval.json", '"outcome": "passed"', '"outcome": "tests_failed"')
    return f"changed file: runs/good/{EPISODE}/eval.json"


def added_file(bundle: Path) -> str:
    (bundle / "runs/good/.hidden").write_text("")
    return "added file: runs/good/.hidden"


def added_link(bundle: Path) -> str:
    (bundle / "link").symlink_to("/etc")
    return "added file: link"


def missing_file(bundle: Path) -> str:
    (bundle / "rows.jsonl").unlink()
    return "missing file: rows.jsonl"


def file_behind_a_link(bundle: Path) -> str:
    (bundle / "rows.jsonl").rename(bundle.parent / "rows.jsonl")
    (bundle / "rows.jsonl").symlink_to(bundle.parent / "rows.jsonl")
    return "unreadable: rows.jsonl: cannot read rows.jsonl: it is a link"


def rate_with_its_digest(bundle: Path) -> str:
    edit(bundle / "submission.json", '"rate": 1.0', '"rate": 0.5')
    write_manifest(bundle)
    return "statement: submission.json: runs[0].groups.rate: it says 0.5, and the runs say 1.0"


def cost_with_its_digest(bundle: Path) -> str:
    edit(bundle / "submission.json", '"cost": 0.0', '"cost": null')
    write_manifest(bundle)
    return "statement: submission.json: runs[0].cost: it says None, and the runs say 0.0"


def row_with_its_digest(bundle: Path) -> str:
    edit(bundle / "rows.jsonl", '"messages":0', '"messages":9')
    write_manifest(bundle)
    return "statement: rows.jsonl: it is not what the runs say"


def patch_with_its_digest(bundle: Path) -> str:
    changed_patch(bundle)
    write_manifest(bundle)
    return (
        f"unreadable: good ledgerkit_task/1/f2_f3: runs/good/{EPISODE}/agent2.patch is not the patch that was submitted"
    )


def verdict_with_its_digest(bundle: Path) -> str:
    path = bundle / "runs/good" / EPISODE / "eval.json"
    evaluation = read_model(path, Evaluation)
    failed = evaluation.verdict.model_copy(update={"outcome": Outcome.TESTS_FAILED})
    verdicts = {"verdict": failed, "verdicts": {**evaluation.verdicts, "naive@1": failed}}
    write_model(path, evaluation.model_copy(update=verdicts))
    write_manifest(bundle)
    return "verdict: good ledgerkit_task/1/f2_f3: eval.json says tests_failed, and its tests say passed"


def statement_that_is_none(bundle: Path) -> str:
    (bundle / "submission.json").write_text('{"format": 1}')
    write_manifest(bundle)
    return "unreadable: submission.json: submission.json is not a readable PublishedResult"


TAMPERED: list[Callable[[Path], str]] = [
    changed_patch,
    changed_verdict,
    added_file,
    added_link,
    missing_file,
    file_behind_a_link,
    rate_with_its_digest,
    cost_with_its_digest,
    row_with_its_digest,
    patch_with_its_digest,
    verdict_with_its_digest,
    statement_that_is_none,
]


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_what_was_tampered_with_is_named_and_nothing_is_run(bundle: Path, tamper: Callable[[Path], str]) -> None:
    expected = tamper(bundle)
    said = cooperbench("verify", str(bundle))
    assert said.code == 1
    assert expected in said.out
    assert "no: the bundle is not as it says" in said.out
    assert said.out.splitlines()[-1] == "NOT verified"


def test_a_pass_that_was_made_up_with_all_digests_is_found_by_judging_again(logs: Path, tmp_path: Path) -> None:
    forged = tmp_path / "logs"
    shutil.copytree(logs / "half", forged / "half")
    path = forged / "half" / EPISODE / "eval.json"
    path.write_text(make_it_pass(read_model(path, Evaluation)).model_dump_json())
    said = cooperbench("submit", "half", "--out", str(tmp_path / "bundle"), "--log-dir", str(forged))
    assert (said.code, "100.0 % passed" in said.out) == (0, True), said.err
    said = cooperbench("verify", str(tmp_path / "bundle"), "--json")
    assert said.code == 1
    found: dict[str, Any] = said.facts
    assert found["verified"] is False
    places = {(each["kind"], each["place"]): each["detail"] for each in found["discrepancies"]}
    name = "half ledgerkit_task/1/f2_f3"
    assert places[("verdict", f"{name} feature 3")] == "passed in the bundle, no_patch here"
    assert any(kind == "test" and place.startswith(f"{name} naive feature 3: ") for kind, place in places)
    assert {kind for kind, _ in places} == {"verdict", "test"}
    assert found["flaky"] == []


def make_it_pass(evaluation: Evaluation) -> Evaluation:
    def passing(suite: Any) -> Any:
        tests = tuple(test.model_copy(update={"status": TestStatus.PASSED, "output": None}) for test in suite.tests)
        return suite.model_copy(update={"outcome": Outcome.PASSED, "tests": tests, "failed": (), "reason": ""})

    stages = tuple(
        stage.model_copy(update={"suites": tuple(map(passing, stage.suites))}) for stage in evaluation.stages
    )
    verdict = evaluation.verdict.model_copy(
        update={
            "outcome": Outcome.PASSED,
            "features": tuple(
                each.model_copy(update={"outcome": Outcome.PASSED, "reason": "", "tests": ()})
                for each in evaluation.verdict.features
            ),
        }
    )
    return evaluation.model_copy(update={"stages": stages, "verdict": verdict, "verdicts": {"naive@1": verdict}})


def test_what_only_some_attempts_show_is_flaky() -> None:
    always, sometimes = (Discrepancy(kind=DiscrepancyKind.TEST, place=place) for place in ("always", "sometimes"))
    assert split_flaky([[always, sometimes], [always], [always]]) == ([always], [sometimes])
    assert split_flaky([[always, sometimes], []]) == ([], [always, sometimes])
    assert split_flaky([[]]) == ([], [])


def test_other_data_gets_one_line(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "runs/good" / EPISODE / "result.json"
    revision = json.loads(path.read_text())["task_revision"]
    for file in (path, bundle / "submission.json", bundle / "rows.jsonl", bundle / "members.jsonl"):
        file.write_text(file.read_text().replace(revision, "0" * 64))
    write_manifest(bundle)
    said = cooperbench("verify", str(bundle))
    assert said.code == 2
    assert f"ledgerkit_task/1 is another revision here: {revision[:12]}, and 000000000000 in the bundle" in said.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("good", "half"), "runs good and half are both of the setting coop"),
        (("slurm", "--out", "x"), "`submit slurm` is about the scheduler; a run of that name goes last"),
        (("good", "--trajectories"), "--trajectories and --licence belong together"),
        (("good", "--policy", "cascade"), "verdicts of cascade@1 rest on merges by a model"),
        (("good", "--policy", "none"), "unknown policy 'none'"),
        (("good", "--team", "a\x1b[31m"), "is not a line of 1 to 200 characters"),
        (("god",), "unknown run 'god'; did you mean 'good'"),
        (("run",), "unknown run 'run'"),
    ],
)
def test_what_cannot_be_published_gets_one_line(
    arguments: tuple[str, ...], expected: str, logs: Path, tmp_path: Path
) -> None:
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "bundle")]
    said = cooperbench("submit", *arguments, *out, env={"COOPERBENCH_LOG_DIR": str(logs)})
    assert said.code == 2
    assert expected in said.err
    assert len(said.err.splitlines()) == 2
    assert not (tmp_path / "bundle").exists()


def test_runs_that_lack_verdicts_are_refused_or_said(logs: Path, tmp_path: Path) -> None:
    place = tmp_path / "logs"
    shutil.copytree(logs / "good", place / "good")
    config = json.loads((place / "good/config.json").read_text())
    config["groups"].append({**config["groups"][0], "features": [1, 2]})
    (place / "good/config.json").write_text(json.dumps(config))
    out, rest = str(tmp_path / "bundle"), ("--log-dir", str(place))
    said = cooperbench("submit", "good", "--out", out, *rest)
    assert said.code == 2
    assert "run good lacks 1 of 2 verdicts; ledgerkit_task/1/f1_f2: new" in said.err
    said = cooperbench("submit", "good", "--out", out, "--incomplete", *rest)
    assert (said.code, "left out: ledgerkit_task/1/f1_f2: new" in said.out) == (0, True)
    (place / "good" / EPISODE / "eval.json").unlink()
    said = cooperbench("submit", "good", "--out", f"{out}2", "--incomplete", *rest)
    assert said.code == 2
    assert "has no verdict under naive@1 that can be published" in said.err
    assert "cooperbench eval -n good" in said.err


def test_no_key_leaves_with_a_bundle(logs: Path, tmp_path: Path) -> None:
    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
    place = tmp_path / "logs"
    shutil.copytree(logs / "good", place / "good")
    trajectory = place / "good" / EPISODE / "agent2_traj.json"
    edit(trajectory, '"messages": [', f'"messages": [{{"message": {{"role": "user", "content": "{key}"}}}},')
    licence = ("--trajectories", "--licence", "CC-BY-4.0")
    said = cooperbench("submit", "good", "--out", str(tmp_path / "b"), *licence, "--log-dir", str(place))
    assert (said.code, "replaced by ***: 1 possible secret" in said.out) == (0, True), said.err
    shipped = tmp_path / "b/runs/good" / EPISODE / trajectory.name
    assert "***" in shipped.read_text()
    assert key not in shipped.read_text()
    assert yaml.safe_load((tmp_path / "b/README.md").read_text().split("---\n")[1])["license"] == "cc-by-4.0"


def test_a_patch_with_a_key_is_not_published(logs: Path, tmp_path: Path) -> None:
    secret = {"MY_API_KEY": "diff --git", "COOPERBENCH_LOG_DIR": str(logs)}
    for options in ((), ("--incomplete",)):
        said = cooperbench("submit", "good", "--out", str(tmp_path / "b"), *options, env=secret)
        assert said.code == 2
        assert "ledgerkit_task/1/f2_f3: agent2.patch holds what looks like a key" in said.err
    assert list(tmp_path.iterdir()) == []


def test_archives_that_lead_elsewhere_are_refused(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "evil.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(bundle / "README.md", "../README.md")
    said = cooperbench("verify", str(packed))
    assert (said.code, "which would lie elsewhere" in said.err) == (2, True)
    (bundle / "link").symlink_to("/etc/passwd")
    subprocess.run(["tar", "-czf", packed, "-C", bundle.parent, "bundle"], check=True)
    said = cooperbench("verify", str(packed))
    assert (said.code, "which is not an ordinary file" in said.err) == (2, True)
    packed.write_bytes(b"no archive")
    assert cooperbench("verify", str(packed)).code == 2
    for wrong in (tmp_path / "bundle" / "runs", tmp_path / "nothing"):
        assert cooperbench("verify", str(wrong)).code == 2
