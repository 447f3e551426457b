import threading
from contextlib import suppress
from pathlib import Path

import pytest

from cooperbench.agents import (
    Budget,
    Journal,
    activate_budget,
    activate_journal,
    current_budget,
    current_journal,
)
from cooperbench.errors import LimitReachedError
from cooperbench.records import Limits, Usage
from cooperbench.records.ledger import RunLedger
from cooperbench.records.member_files import read_progress
from cooperbench.records.trajectory import read_journal


def unlimited(**limits: float | None) -> Limits:
    return Limits.model_validate({"steps": None, "tokens": None, "cost": None, **limits})


@pytest.mark.parametrize(
    ("limits", "calls", "kind"),
    [
        (unlimited(steps=3), 3, "steps"),
        (unlimited(tokens=250), 3, "tokens"),
        (unlimited(cost=0.25), 3, "cost"),
    ],
)
def test_the_call_after_the_limit_is_refused(limits: Limits, calls: int, kind: str) -> None:
    budget = Budget(limits)
    for _ in range(calls):
        budget.before_call()
        budget.charge(Usage(cost=0.1, input_tokens=90, output_tokens=10, cached_tokens=50))
    with pytest.raises(LimitReachedError) as caught:
        budget.before_call()
    assert caught.value.kind == kind
    assert budget.reached is caught.value
    assert budget.usage.cached_tokens == 150


def test_an_unknown_price_makes_the_total_unknown_but_keeps_the_limit() -> None:
    budget = Budget(unlimited(cost=1.0))
    budget.charge(Usage(cost=None, input_tokens=5))
    budget.charge(Usage(cost=1.5, output_tokens=7))
    assert budget.usage == Usage(cost=None, input_tokens=5, output_tokens=7)
    with pytest.raises(LimitReachedError, match="cost"):
        budget.before_call()


def test_members_of_a_run_share_a_ledger(tmp_path: Path) -> None:
    budgets = [Budget(ledger=RunLedger(tmp_path / "ledger", limit=1.0)) for _ in range(4)]

    def work(budget: Budget) -> None:
        with suppress(LimitReachedError):
            while True:
                budget.before_call()
                budget.charge(Usage(cost=0.01))

    threads = [threading.Thread(target=work, args=(budget,)) for budget in budgets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(budget.reached and budget.reached.kind == "run cost" for budget in budgets)
    spent = RunLedger(tmp_path / "ledger", limit=1.0).total()
    assert 1.0 - 1e-9 <= spent < 1.0 + 4 * 0.01, "at most one call of each member past the limit"


def test_a_half_written_line_of_the_ledger_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = RunLedger(path, limit=1.0)
    assert ledger.total() == 0.0
    path.write_bytes(b"0.25\n0.")
    assert ledger.total() == 0.25
    path.write_bytes(b"0.25\n0.5\n")
    assert ledger.total() == 0.75


def test_progress_can_be_read_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    with activate_budget(Budget(progress=path)):
        current_budget().charge(Usage(cost=0.2, input_tokens=10, output_tokens=2))
        current_budget().note_action("bash: pytest\n-q \udc80 " + "x" * 500)
    progress = read_progress(path)
    assert progress is not None
    assert (progress.steps, progress.usage.cost, progress.usage.input_tokens) == (1, 0.2, 10)
    assert progress.last_action.startswith("bash: pytest -q ? xxx")
    assert len(progress.last_action) <= 200


def test_outside_a_run_there_is_no_limit() -> None:
    budget = current_budget()
    for _ in range(1000):
        budget.before_call()
        budget.charge(Usage(cost=100.0))


def test_the_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    with activate_journal(Journal(path)):
        current_journal().add({"role": "user", "content": "first \udc80"})
        current_journal().add({"role": "assistant", "content": None})
    path.write_bytes(path.read_bytes() + b'{"time": "2026')
    entries = read_journal(path)
    assert [entry.message for entry in entries] == [
        {"role": "user", "content": "first ?"},
        {"role": "assistant", "content": None},
    ]
    assert entries[0].time is not None
    assert entries[1].time is not None
    assert entries[0].time <= entries[1].time
    current_journal().add({"role": "user", "content": "kept nowhere"})
    assert read_journal(tmp_path / "none") == ()
