"""An agent whose program in the sandbox asks its model through the gateway, in the dialect of Anthropic, and knows no limit."""

import shlex
from typing import Any

from cooperbench.agents import AgentResult, AgentSession
from cooperbench.agents.registry import register

PROGRAM = """
import json, sys, urllib.error, urllib.request
address, count = sys.argv[1], int(sys.argv[2])
messages = []
for number in range(count):
    messages.append({"role": "user", "content": f"Question {number}"})
    body = {"model": "claude", "max_tokens": 99, "stream": True, "messages": messages}
    headers = {"content-type": "application/json", "x-api-key": "placeholder", "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(f"{address}/v1/messages", json.dumps(body).encode(), headers)
    try:
        answer = urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error:
        sys.exit(f"status {error.code}: {error.read().decode()}")
    assert "message_stop" in answer, answer
    messages.append({"role": "assistant", "content": "All done."})
"""


@register("asks_through_gateway")
class AsksThroughGateway:
    """Writes a file, asks as often as it is to, and fails when its program does."""

    def __init__(self, count: int = 1_000) -> None:
        self.count = count

    def run(
        self, task: str, image: str, *, model_name: str = "gpt-4o", config: dict[str, Any] | None = None, **kwargs: Any
    ) -> AgentResult:
        with AgentSession(image, model_name=model_name, config=config, **kwargs) as session:
            session.env.write_file("/workspace/repo/work.txt", b"done\n")
            address = session.serve_gateway()
            ran = session.env.execute(f"python3 -c {shlex.quote(PROGRAM)} {address} {self.count}")
            error = None if ran["returncode"] == 0 else ran["output"]
            return session.result("Submitted" if error is None else "Error", error=error)
