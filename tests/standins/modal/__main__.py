"""`python -m tests.standins.modal [containers|processes]`: print the environment to use as JSON, and serve until stdin ends."""

import json
import sys

from tests.standins.modal import Containers, ModalStandin, Processes

if __name__ == "__main__":
    machine = Containers() if "containers" in sys.argv else Processes()
    with ModalStandin(machine) as standin:
        print(json.dumps(standin.environment), flush=True)
        sys.stdin.read()
        print(json.dumps({"calls": standin.calls.count, "unwritten": standin.calls.unwritten}), flush=True)
