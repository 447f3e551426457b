"""The setting `native`: one product gets all features of a group, with the budget of a team."""

from pathlib import Path

import pytest

from cooperbench.collaboration import TeamAccess, render_task
from cooperbench.errors import UsageError
from cooperbench.gateway.conversations import count_conversations
from cooperbench.gateway.dialects import ModelCall
from cooperbench.gateway.recording import CallRecorder, RecordedCall
from cooperbench.records import Limits, Setting, Usage, utc_now
from cooperbench.runner import RunRequest, make_plan, run
from tests.analysis.made_runs import Made, RunFacts, write_run
from tests.command_line import cooperbench


def planned(**more: object) -> list[object]:
    request = RunRequest(agent="nop", setting="native", **{"subset": "demo", **more})  # type: ignore[arg-type]
    plan = make_plan(request)
    [member] = plan.config.team
    return [member.agent_id, member.limits, plan.episodes[0].members[0].features]


def test_one_member_has_what_a_team_may_spend_in_the_time_of_one() -> None:
    one = Limits(steps=30, tokens=1000, cost=2.0, wall_time=600, command_time=7)
    both = Limits(steps=60, tokens=2000, cost=4.0, wall_time=600, command_time=7)
    assert planned(repo="shelfdb", features=(1, 2), limits=one) == ["native", both, (1, 2)]
    unlimited = Limits(steps=None, cost=None)
    assert planned(repo="shelfdb", features=(1, 2), limits=unlimited)[1] == unlimited
    assert planned(team="nop:model", repo="shelfdb", features=(1, 2))[0] == "native"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"git": True}, "--git shares a repository between agents, and native has one agent"),
        ({"team_budget": True}, "--team-budget needs the setting solo"),
        ({"team": "nop:a,nop:b"}, "a native episode of 2 features needs 1 members"),
    ],
)
def test_what_it_cannot_have_is_refused(choice: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(**choice)


def test_it_reads_what_one_agent_alone_reads() -> None:
    texts = {1: "Add one.", 2: "Add two."}
    prompts = [
        render_task(texts, TeamAccess(agent_id=name, agents=(name,)), Setting(name)) for name in ("solo", "native")
    ]
    assert prompts[0] == prompts[1]


def test_an_experiment_gives_each_setting_what_it_can_have(tmp_path: Path) -> None:
    words = (
        "--setting",
        "solo",
        "--setting",
        "native",
        "--setting",
        "coop",
        "--git",
        "--team-budget",
        "--dry-run",
        "--json",
    )
    said = cooperbench("run", "-n", "e", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-a", "nop", *words, cwd=tmp_path)
    configs = {each["config"]["setting"]: each["config"] for each in said.facts}
    assert {name: config["git"] for name, config in configs.items()} == {"solo": False, "native": False, "coop": True}
    assert [sum(member["limits"]["steps"] for member in configs[name]["team"]) for name in configs] == [200, 200, 200]


@pytest.mark.needs("sandbox")
def test_its_work_is_recorded_as_one_submission(surroundings: Path) -> None:
    done = run(
        "own", "gold", subset="demo", repo="shelfdb", features=(1, 2), setting="native", auto_eval=False, log_dir=surroundings
    )  # fmt: skip
    [episode] = done.episodes
    assert episode.directory == surroundings / "own/native/shelfdb_task/1/f1_f2"
    assert episode.result is not None
    assert episode.result.agents["native"].features == (1, 2)
    assert (episode.directory / "native.patch").stat().st_size > 0
    assert episode.trajectory("native").messages
    assert episode.conversation == ()


def test_it_is_compared_with_a_team_on_the_same_budget(tmp_path: Path) -> None:
    write_run(tmp_path, "own", [Made()], RunFacts(Setting.NATIVE, steps=200, model="m"))
    write_run(tmp_path, "coop", [Made()], RunFacts(model="m"))
    config = tmp_path / "own" / "config.json"
    config.write_text(config.read_text().replace('"cost": 3.0', '"cost": 6.0'))
    said = cooperbench("compare", "own", "coop", "--log-dir", str(tmp_path))
    assert said.code == 0, said.err
    assert "setting: native against coop" in said.out
    assert "Splitting the work" not in said.out
    rows = cooperbench("report", "own", "coop", "--log-dir", str(tmp_path), "--format", "json")
    assert rows.code == 0, rows.err


def test_conversations_of_its_own_agents_are_counted(tmp_path: Path) -> None:
    def recorded(number: int, content: object, *tools: str) -> RecordedCall:
        offered = [{"name": name, "input_schema": {}} for name in tools]
        body = {"messages": [{"role": "user", "content": content}], "tools": offered}
        call = ModelCall(dialect="anthropic", path="/v1/messages", model="m", stream=False, body=body)
        now = utc_now()
        usage = Usage(cost=0.25) if number < 5 else Usage()
        return RecordedCall(number=number, started_at=now, ended_at=now, call=call, status=200, usage=usage)

    path = tmp_path / "model_calls.jsonl.gz"
    recorder = CallRecorder(path)
    for number, text in enumerate(("lead", "lead", "helper one", "lead", "helper two"), 1):
        recorder.add(recorded(number, text, "Bash"))
    recorder.add(recorded(6, "name this conversation"))
    recorder.add(recorded(7, "refused", "Bash").model_copy(update={"usage": None}))
    assert count_conversations(path) == [(3, 0.75), (1, 0.25), (1, None)]
