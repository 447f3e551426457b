"""The guarantees of every backend, as tests that you can run on your own.

    from cooperbench.testing.conformance import CommandConformance, LifecycleConformance, ProgramConformance, Subject

    @pytest.fixture(scope="module")
    def subject() -> Subject:
        return Subject(backend="mine", image="python:3.12", kill=lambda handle: ...)

    class TestCommands(CommandConformance, ProgramConformance): ...  # in one sandbox
    class TestLifecycle(LifecycleConformance): ...

Needs pytest. The numbers in the names refer to the list in `docs/environments.md`.
"""

from cooperbench.testing.conformance.commands import CommandConformance
from cooperbench.testing.conformance.lifecycle import LifecycleConformance
from cooperbench.testing.conformance.programs import ProgramConformance
from cooperbench.testing.conformance.subject import CuttableTransport, Subject

__all__ = ["CommandConformance", "CuttableTransport", "LifecycleConformance", "ProgramConformance", "Subject"]
