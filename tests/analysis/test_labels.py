"""Labels beside a run: what is taken, what is refused, what is counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.errors import RecordError
from cooperbench.records.labels import Label, LabelKind, parse_labels
from cooperbench.runner.packages import export_run
from tests.agents.standin_llm import says, serve
from tests.analysis.recorded import CONFLICT, Recorded, record_run
from tests.command_line import Said, cooperbench

EPISODE = "shelfdb_task/1/f1_f2"
TALK = (
    ("agent1", "agent2", "I will change src/a.py, lines 3 to 9."),
    ("agent2", "agent1", "May I rename find()?"),
    ("agent1", "agent2", "Yes."),
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    episodes = [
        Recorded(messages=TALK),
        Recorded(features=(1, 3), outcomes=(CONFLICT, CONFLICT), conflicts=("a.py",)),
    ]
    record_run(tmp_path / "logs", "run", episodes)
    return tmp_path / "logs"


def act(label: str, message: int, labeller: str = "ann", **more: Any) -> dict[str, Any]:
    return {"episode": EPISODE, "kind": "speech_act", "label": label, "labeller": labeller, "message": message, **more}


def label(logs: Path, *labels: dict[str, Any] | str, options: tuple[str, ...] = ()) -> Said:
    source = logs.parent / "labels.jsonl"
    source.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in labels))
    return cooperbench("label", "run", "--file", str(source), "--log-dir", str(logs), *options)


def test_labels_are_counted_and_labellers_compared(logs: Path) -> None:
    mine = [act("plan", 0, quote="I will change"), act("question", 1), act("answer", 2)]
    others = [act("plan", 0, "bob"), act("question", 1, "bob"), act("status", 2, "bob")]
    assert label(logs, *mine).code == 0
    said = label(logs, *others, options=("--json",))
    facts = said.facts
    assert len(facts["labels"]) == 6
    [pair] = facts["agreement"]
    assert (pair["n"], pair["agreement"]) == (3, pytest.approx(2 / 3))
    assert pair["kappa"] == pytest.approx((2 / 3 - 2 / 9) / (1 - 2 / 9))
    everything, clean, conflict = facts["messages"]
    assert (everything["episodes"], everything["silent"], everything["messages"]) == (2, 1, 3)
    assert (everything["line_mentions"], everything["path_mentions"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (everything["plans"], everything["questions"], everything["first_message_plans"]) == (1, 1, 1)
    assert (clean["subset"], clean["messages"]) == ("clean", 3)
    assert (conflict["subset"], conflict["messages"], conflict["labelled"]) == ("conflict", 0, 0)


def test_a_new_answer_replaces_the_same_labellers_old_one(logs: Path) -> None:
    label(logs, act("plan", 0), act("plan", 0, "bob"))
    facts = label(logs, act("status", 0), options=("--json",)).facts
    assert {(each["labeller"], each["label"]) for each in facts["labels"]} == {("ann", "status"), ("bob", "plan")}


def test_labels_go_with_a_package(logs: Path) -> None:
    label(logs, act("plan", 0))
    export_run("run", logs.parent / "package", log_dir=logs)
    assert (logs.parent / "package" / "labels.jsonl").read_bytes() == (logs / "run" / "labels.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (act("plan", 0, quote="I will not"), "label 1: the quote 'I will not' does not stand in message 0"),
        (act("plan", 9), f"{EPISODE} has no message 9"),
        ({**act("plan", 0), "episode": "x/1/f1"}, "run run has no episode x/1/f1"),
        ({**act("plan", 0), "message": None, "agent_id": "agent9"}, "has no member agent9"),
        ({**act("plan", 0), "message": None, "agent_id": "agent1", "step": 5}, "has no step 5 of agent1"),
        (act("A plan", 0), "line 1: label: String should match pattern"),
        ({**act("plan", 0), "more": 1}, "line 1: more: Extra inputs"),
        ("not json", "line 1: the line: Invalid JSON"),
        ("[" * 10_000, "line 1: the line:"),
    ],
)
def test_a_wrong_label_is_refused_in_one_line_and_none_is_kept(
    logs: Path, wrong: dict[str, Any] | str, words: str
) -> None:
    said = label(logs, wrong, act("plan", 0))
    assert said.code != 0
    assert words in said.err
    assert not (logs / "run" / "labels.jsonl").exists()


def test_a_judge_labels_messages_and_cannot_make_up_quotes(logs: Path) -> None:
    answer = [
        {"sequence": 0, "label": "plan", "quote": "I will change"},
        {"sequence": 1, "label": "question", "quote": "invented"},
        {"sequence": 2, "label": "shouting", "quote": "Yes"},
    ]
    with serve(says(f"Here you are:\n```json\n{json.dumps(answer)}\n```")) as provider:
        said = cooperbench(
            *("label", "run", "--log-dir", str(logs), "--judge", "small-model", "--base-url", provider.url, "--json"),
            env={"OPENAI_API_KEY": "sk-of-the-test"},
        )
    assert len(provider.requests) == 1  # nobody spoke in the other episode
    assert "I will change src/a.py" in json.dumps(provider.requests[0]["messages"])
    [kept] = said.facts["labels"]
    assert (kept["labeller"], kept["message"], kept["label"]) == ("small-model", 0, "plan")
    assert "not taken: 2 answers" in said.err


@given(
    st.lists(
        st.builds(
            Label,
            episode=st.text(),
            kind=st.sampled_from(LabelKind),
            label=st.just("plan"),
            labeller=st.just("a"),
            quote=st.text(),
        )
    )
)
def test_labels_survive_their_file(labels: list[Label]) -> None:
    data = b"".join(each.model_dump_json(exclude_defaults=True).encode() + b"\n" for each in labels)
    assert parse_labels(data, Path("labels.jsonl")) == tuple(labels)


def test_a_file_of_labels_has_to_be_one(tmp_path: Path) -> None:
    from cooperbench.records.labels import read_label_file

    with pytest.raises(RecordError, match="not a file of labels"):
        read_label_file(tmp_path)
