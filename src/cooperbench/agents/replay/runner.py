"""`replay:RUN`: the agent that plays recorded answers through the loop that had asked for them."""

import tempfile
from pathlib import Path
from typing import Any

from cooperbench.agents.assignment import Assignment
from cooperbench.agents.budget import current_budget
from cooperbench.agents.call import AgentArguments, run_agent
from cooperbench.agents.journal import current_journal
from cooperbench.agents.reading import read_section
from cooperbench.agents.registry import get_runner
from cooperbench.agents.replay.comparison import compare
from cooperbench.agents.replay.reads import recorded_reads
from cooperbench.agents.replay.recording import Recording, find_recording
from cooperbench.agents.result import AgentResult
from cooperbench.collaboration.arrivals import RecordedArrivals, activate_arrivals
from cooperbench.errors import UsageError
from cooperbench.records import Trajectory, TrajectoryMessage, Usage, read_model, write_model
from cooperbench.records.replay import FILE, ReplayReport

SECTION = "replay"


class ReplayRunner:
    """Plays the recorded answers of an earlier run again in fresh sandboxes, and reports where outputs differ."""

    default_model = "recorded"

    def __init__(self, run: str) -> None:
        self._run = run

    def episode_config(self, assignment: Assignment) -> dict[str, Any]:
        """Return where the recorded answers of the member are. Raises `UsageError` when there are none to play."""
        return {SECTION: find_recording(self._run, assignment).model_dump(mode="json")}

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        config: dict[str, Any] | None = None,
        log_dir: str | None = None,
        **others: Any,
    ) -> AgentResult:
        """Let the recorded agent work with its recorded answers, and write the report into `log_dir`."""
        if SECTION not in (config or {}):
            raise UsageError("answers are replayed in a run", hint=f"cooperbench run -a replay:{self._run}")
        recording = read_section(SECTION, Recording, (config or {})[SECTION])
        recorded = read_model(recording.trajectory, Trajectory)
        backend = {name: value for name, value in (config or {}).items() if name == "backend"}
        with tempfile.TemporaryDirectory(prefix="cooperbench-replay-") as folder:
            answers = Path(folder) / "answers.json"
            write_model(answers, _without_costs(recorded))
            arguments = AgentArguments.model_validate(
                {
                    **{name: value for name, value in others.items() if name in AgentArguments.model_fields},
                    "task": task,
                    "image": image,
                    "agent_id": agent_id,
                    "model_name": f"replay/{recording.calls or answers}",
                    "config": {**recording.config, **backend},
                    "agent_config": None,
                    "log_dir": log_dir,
                }
            )
            with activate_arrivals(_arrivals(recording, agent_id)):
                result = run_agent(get_runner(recording.agent, arguments.config), arguments)
        if log_dir is not None:
            write_model(Path(log_dir) / FILE, _report(recording, agent_id, recorded, result))
        return result


def _arrivals(recording: Recording, agent_id: str) -> RecordedArrivals | None:
    reads, budget = recorded_reads(recording.episode, agent_id), current_budget()
    return None if reads is None else RecordedArrivals(reads, lambda: budget.steps)


def _without_costs(recorded: Trajectory) -> Trajectory:
    """Return a history whose answers cost nothing: nobody is asked."""
    free = Usage(cost=0.0, input_tokens=0, output_tokens=0).model_dump()

    def without(entry: TrajectoryMessage) -> TrajectoryMessage:
        message = entry.message
        return entry.model_copy(
            update={"message": {**message, "extra": {**(message.get("extra") or {}), "usage": free}}}
        )

    return recorded.model_copy(update={"messages": tuple(map(without, recorded.messages))})


def _report(recording: Recording, agent_id: str, recorded: Trajectory, result: AgentResult) -> ReplayReport:
    replayed = current_journal().read() or result.messages
    compared = compare((entry.message for entry in recorded.messages), replayed)
    if not compared.answers and recording.calls is not None:  # a program that reports no answers
        from cooperbench.gateway import read_recording  # brings HTTP and the dialects with it

        answers = sum(call.usage is not None for call in read_recording(recording.calls))
        compared = compared._replace(answers=answers, played=min(answers, current_budget().steps))
    return ReplayReport(run=recording.run, agent_id=agent_id, agent=recording.agent, **compared._asdict())
