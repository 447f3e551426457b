"""All attacks in Python."""

from tests.evaluation.attacks import (
    python_dodges,
    python_files,
    python_guesses,
    python_lies,
    python_machine,
    python_memory,
    python_names,
    python_plausible,
    python_process,
    python_sandbox,
)

ATTACKS = {
    **python_files.ATTACKS,
    **python_process.ATTACKS,
    **python_lies.ATTACKS,
    **python_memory.ATTACKS,
    **python_guesses.ATTACKS,
    **python_names.ATTACKS,
    **python_sandbox.ATTACKS,
    **python_machine.ATTACKS,
    **python_plausible.ATTACKS,
    **python_dodges.ATTACKS,
}
