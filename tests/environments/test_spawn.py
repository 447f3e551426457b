"""Programs in a sandbox end with whoever started them."""

import json
import signal
import subprocess
import sys

import pytest

from cooperbench.environments import SandboxHandle, attach
from cooperbench.testing import sample_image
from cooperbench.testing.conformance.commands import running, unique_seconds, until

HARNESS = """
import json, signal, sys
from cooperbench.environments import Environment, EnvironmentOptions
backend, image, seconds = json.loads(sys.argv[1])
def stop(number, frame):
    raise SystemExit(3)
signal.signal(signal.SIGTERM, stop)
environment = Environment(backend, image, options=EnvironmentOptions(cwd="/", network="none", lifetime=120))
environment.serve(lambda connection: None)
with environment.spawn(f"echo up; trap '' HUP TERM; (setsid sleep {seconds} &); sleep {seconds}") as program:
    for line in program:
        print(environment.handle().model_dump_json(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "sent"),
    [
        pytest.param("local", signal.SIGKILL, marks=pytest.mark.needs("sandbox")),
        pytest.param("local", signal.SIGINT, marks=pytest.mark.needs("sandbox")),
        pytest.param("docker", signal.SIGKILL, marks=pytest.mark.docker),
    ],
)
def test_a_program_ends_with_the_harness(backend: str, sent: signal.Signals) -> None:
    image = sample_image("test:spawn") if backend == "local" else "cooperbench-test/sandbox"
    seconds = unique_seconds()
    given = json.dumps([backend, image, seconds])
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, given], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as harness:
        assert harness.stdout is not None
        handle = SandboxHandle.model_validate_json(harness.stdout.readline())
        harness.send_signal(sent)
        harness.wait(timeout=60)
    with attach(handle) as environment:
        assert until(lambda: running(environment, seconds) == 0, 60)
