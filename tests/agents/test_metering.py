"""The charge for a call arrives before the next call is made, whichever thread makes it."""

import threading
from types import SimpleNamespace

import pytest

from cooperbench.agents.budget import Budget
from cooperbench.agents.journal import Journal
from cooperbench.agents.metering import Meter
from cooperbench.records import Limits


def test_a_thread_that_has_ended_has_its_answer() -> None:
    meter = Meter(Budget(Limits(steps=1, tokens=None, cost=None)), Journal(None), lambda model, usage: 0.1)
    first, answer = {"litellm_call_id": "first"}, SimpleNamespace(model_dump=dict)
    thread = threading.Thread(target=meter.before, args=([], first))
    thread.start()
    thread.join()
    late = threading.Timer(0.1, meter.succeeded, (first, answer))
    late.start()
    with pytest.raises(KeyboardInterrupt, match="steps"):
        meter.before([], {"litellm_call_id": "second"})
    late.join()
