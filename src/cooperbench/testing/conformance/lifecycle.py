"""Beginning, end and everything that goes wrong in between: each test has sandboxes of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from cooperbench.environments import Capability, SandboxHandle, attach, orphans, reap, remove
from cooperbench.environments.layers import LayerFile, LayerRecipe, cpu_of, install_layer
from cooperbench.errors import CapabilityError, ImageError, SandboxLostError
from cooperbench.testing.conformance.commands import unique_seconds, until
from cooperbench.testing.conformance.subject import Subject

RUNNER = """
import json, signal, sys, time
from cooperbench._interrupts import keep_interrupts
keep_interrupts()
from cooperbench.environments import EnvironmentOptions, SandboxLabels, Environment
given = json.loads(sys.argv[1])
print("starting", flush=True)
environment = Environment(
    given["backend"], given["image"], options=EnvironmentOptions.model_validate(given["options"]),
    labels=SandboxLabels(run=given["run"]), settings=given["settings"],
)
print(environment.handle().model_dump_json(), flush=True)
with environment:
    environment.execute("sleep 600", timeout=600)
"""


class LifecycleConformance:
    """Behaviours 16 to 24, and 32."""

    def test_16_snapshots_are_independent(self, subject: Subject) -> None:
        with subject.open() as first:
            if Capability.SNAPSHOT not in subject.capabilities:
                with pytest.raises(CapabilityError):
                    first.snapshot()
                return
            first.execute("echo forked >/tmp/fork")
            name = first.snapshot()
            with subject.open(image=name) as second:
                assert second.execute("cat /tmp/fork")["output"] == "forked\n"
                second.execute("echo changed >/tmp/fork")
                assert first.execute("cat /tmp/fork")["output"] == "forked\n"
        for orphan in orphans("conformance", backends=[subject.backend]):
            if orphan.identifier == name:
                remove(orphan)

    def test_17_no_network(self, subject: Subject) -> None:
        if Capability.NETWORK_OFF not in subject.capabilities:
            with pytest.raises(CapabilityError):
                subject.open(network="none")
            return
        with subject.open(network="none") as environment:
            devices = environment.execute("tail -n +3 /proc/net/dev | cut -d: -f1")["output"].split()
            assert devices == ["lo"]

    def test_18_memory_limit(self, subject: Subject) -> None:
        if Capability.MEMORY_LIMIT not in subject.capabilities:
            with pytest.raises(CapabilityError):
                subject.open(memory_mb=128)
            return
        with subject.open(memory_mb=128) as environment:
            try:
                done = environment.execute("head -c 400000000 /dev/zero | tail -c 390000000 >/dev/null", timeout=60)
            except SandboxLostError:
                return
            assert done["returncode"] == 137

    def test_18_process_limit(self, subject: Subject) -> None:
        if Capability.PROCESS_LIMIT not in subject.capabilities:
            with pytest.raises(CapabilityError):
                subject.open(processes=32)
            return
        with subject.open(processes=32) as environment:
            command = "for n in $(seq 100); do sleep 2 & done 2>/dev/null; ls -d /proc/[0-9]* | wc -l"
            done = environment.execute(command, timeout=30)
            assert "100" not in done["output"]
            assert until(lambda: environment.execute("true")["returncode"] == 0, 60)

    def test_18_processor_limit(self, subject: Subject) -> None:
        if Capability.CPU_LIMIT not in subject.capabilities:
            with pytest.raises(CapabilityError):
                subject.open(cpus=0.25)
            return
        with subject.open(cpus=0.25) as environment:
            command = "(sleep 2; : >/tmp/done) & while [ ! -e /tmp/done ]; do :; done; times | head -n 1"
            spent = environment.execute(command, timeout=60)["output"].split()
            seconds = sum(float(part.partition("m")[2].rstrip("s")) for part in spent)
            assert seconds < 1

    def test_32_layers_are_read_only(self, subject: Subject, tmp_path: Path) -> None:
        if Capability.LAYERS not in subject.capabilities:
            with pytest.raises(CapabilityError):
                subject.open(layers=("conformance",))
            return
        program = b"#!/bin/sh\necho shown $*\n"
        (tmp_path / "shown").write_bytes(program)
        file = LayerFile(url=(tmp_path / "shown").as_uri(), sha256=sha256(program).hexdigest(), path="shown")
        layer = install_layer("conformance", LayerRecipe(files=(file,), program="shown"), cpu_of(None))
        with subject.open(layers=("conformance",)) as environment:
            done = environment.execute(f"{layer.program_path} here; touch {layer.place}/new")
            assert done["output"].startswith("shown here\n")
            assert done["returncode"] != 0

    def test_19_killed_behind_our_back(self, subject: Subject) -> None:
        environment = subject.open()
        environment.execute("true")
        subject.kill(environment.handle())
        with pytest.raises(SandboxLostError):
            environment.execute("echo still here")
        environment.cleanup()

    def test_20_cleanup_twice(self, subject: Subject) -> None:
        environment = subject.open()
        environment.cleanup()
        environment.cleanup()
        with pytest.raises(SandboxLostError):
            environment.execute("true")
        with pytest.raises(SandboxLostError):
            environment.read_file("/etc/passwd")

    def test_20_stopping_does_not_wait(self, subject: Subject) -> None:
        environment = subject.open()
        environment.execute(f"trap '' TERM; sleep {unique_seconds()} & true")
        environment.cleanup()

    def test_21_connection_cut_in_mid_command(self, subject: Subject) -> None:
        environment, transport = subject.cuttable()
        with environment:
            for attempt in range(2):
                timer = threading.Timer(0.5, transport.cut)
                timer.start()
                done = environment.execute("echo once >>/tmp/ran; sleep 1; echo result", timeout=30)
                timer.join()
                assert (done["output"], done["returncode"]) == ("result\n", 0)
                assert environment.execute("cat /tmp/ran")["output"] == "once\n" * (attempt + 1)

    def test_22_unknown_image(self, subject: Subject) -> None:
        with pytest.raises(ImageError) as caught:
            subject.open(image=subject.missing_image)
        assert caught.value.subject == subject.missing_image
        assert not caught.value.retryable

    def _runner(self, subject: Subject, run: str, lifetime: float) -> "subprocess.Popen[str]":
        given = {
            "backend": subject.backend,
            "image": subject.image,
            "options": subject.options(lifetime=lifetime).model_dump(mode="json"),
            "settings": dict(subject.settings),
            "run": run,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        return process

    def test_23_the_runner_is_killed_and_another_takes_over(self, subject: Subject) -> None:
        run = f"conformance-{uuid4().hex[:8]}"
        with self._runner(subject, run, lifetime=600) as process:
            assert process.stdout is not None
            handle = SandboxHandle.model_validate_json(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        with attach(handle) as environment:
            assert environment.execute("echo here")["output"] == "here\n"
            assert [orphan.running for orphan in orphans(run, backends=[subject.backend])] == [True]
        assert orphans(run, backends=[subject.backend]) == []

    @pytest.mark.parametrize("seconds", [0.02, 0.2])
    def test_23_killed_while_starting_is_found_and_removed(self, subject: Subject, seconds: float) -> None:
        run = f"conformance-{uuid4().hex[:8]}"
        with self._runner(subject, run, lifetime=600) as process:
            time.sleep(seconds)  # where in the start it strikes is the point, not a wait for something
            os.kill(process.pid, signal.SIGKILL)

        def removed() -> bool:
            for orphan in orphans(run, backends=[subject.backend]):
                remove(orphan)
            return orphans(run, backends=[subject.backend]) == []

        # An engine may still be making what a killed client asked for when it is first looked for.
        assert until(removed, subject.removal_seconds)

    def test_23_the_lifetime_ends_what_nobody_ends(self, subject: Subject) -> None:
        run = f"conformance-{uuid4().hex[:8]}"
        with self._runner(subject, run, lifetime=2) as process:
            assert process.stdout is not None
            process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)

        def gone() -> bool:
            left = orphans(run, backends=[subject.backend])
            if subject.keeps_ended and left and all(orphan.expired and not orphan.running for orphan in left):
                reap(subject.backend, "somebody-else")
                left = orphans(run, backends=[subject.backend])
            return left == []

        assert until(gone, subject.removal_seconds)

    def test_23_removing_touches_one_run_only(self, subject: Subject) -> None:
        ours, theirs = (f"conformance-{uuid4().hex[:8]}" for _ in range(2))
        with subject.open(run=ours) as first, subject.open(run=theirs) as second:
            for orphan in orphans(ours, backends=[subject.backend]):
                remove(orphan)
                remove(orphan)
            with pytest.raises(SandboxLostError):
                first.execute("true")
            assert second.execute("echo here")["output"] == "here\n"

    @pytest.mark.parametrize("seconds", [0.0, 0.15, 0.4])
    def test_24_interrupted_start_leaves_nothing(self, subject: Subject, seconds: float) -> None:
        run = f"conformance-{uuid4().hex[:8]}"
        with self._runner(subject, run, lifetime=600) as process:
            time.sleep(seconds)  # where in the start it strikes is the point, not a wait for something
            os.kill(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=60)
            finally:
                process.kill()  # if it has not ended, else nobody would ever end it
        assert process.returncode != 0
        handles = [orphan for orphan in orphans(run, backends=[subject.backend]) if orphan.kind != "snapshot"]
        assert handles == []
