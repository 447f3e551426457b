"""A small agent that speaks the Agent Client Protocol: what each word of a prompt says it does. Standard library alone; runs in a sandbox."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

BEHAVIOUR = sys.argv[1] if len(sys.argv) > 1 else "works"
number = 0
servers: list[Any] = []


def send(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def read() -> Any:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def ask(method: str, **params: Any) -> Any:
    global number
    number += 1
    send(id=number, method=method, params={"sessionId": "s", **params})
    while True:
        message = read()
        if message.get("id") == number and "method" not in message:
            return message.get("result") if "result" in message else message["error"]


def update(what: str, /, **more: Any) -> None:
    send(method="session/update", params={"sessionId": "s", "update": {"sessionUpdate": what, **more}})


def think() -> str:
    body = json.dumps(
        {
            "model": "any",
            "messages": [{"role": "user", "content": "?"}],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "bash",
                        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
                    },
                }
            ],
        }
    )
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    try:
        return str(json.load(urllib.request.urlopen(request))["choices"][0]["message"].get("content"))
    except urllib.error.HTTPError as error:
        return f"refused: {error.code}"


def tool(identifier: str, command: str, output: str, code: int = 0) -> None:
    update("tool_call", toolCallId=identifier, title="bash", kind="execute", status="pending")
    update("tool_call_update", toolCallId=identifier, status="in_progress", rawInput={"command": command})
    content = [{"type": "content", "content": {"type": "text", "text": output}}]
    update("tool_call_update", toolCallId=identifier, status="completed", content=content, rawOutput={"exitCode": code})


def first_prompt(cwd: str) -> None:
    update("agent_message_chunk", content={"type": "text", "text": "I will "})
    update("agent_message_chunk", content={"type": "text", "text": "write. "})
    update("future_kind", detail=1)
    options = [
        {"optionId": "n", "name": "No", "kind": "reject_once"},
        {"optionId": "y", "name": "Yes", "kind": "allow_once"},
    ]
    chosen = ask("session/request_permission", toolCall={"toolCallId": "t0"}, options=options)["outcome"]["optionId"]
    ask("fs/write_text_file", path=f"{cwd}/by_acp.txt", content=f"{chosen}\n2\n3\n")
    part = ask("fs/read_text_file", path=f"{cwd}/by_acp.txt", line=2, limit=1)["content"]
    missing = ask("fs/read_text_file", path=f"{cwd}/missing.txt")["code"]
    terminal = ask(
        "terminal/create",
        command="sh",
        args=["-c", "echo $WORD; pwd; exit 3"],
        env=[{"name": "WORD", "value": "hi"}],
        cwd=cwd,
    )
    code = ask("terminal/wait_for_exit", **terminal)["exitCode"]
    shown = ask("terminal/output", **terminal)["output"]
    ask("terminal/release", **terminal)
    unknown = ask("session/unheard_of")["code"]
    tool("t1", "sh -c", shown, code)
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})
    [server] = servers
    served = subprocess.run([server["command"], *server["args"]], input=hello + "\n", capture_output=True, text=True)
    name = json.loads(served.stdout)["result"]["serverInfo"]["name"]
    found = [part, missing, shown, code, unknown, think(), name]
    ask("fs/write_text_file", path=f"{cwd}/found.json", content=json.dumps(found))


def work(text: str, cwd: str) -> str:
    if BEHAVIOUR == "crashes":
        print("out of luck", file=sys.stderr, flush=True)
        sys.exit(7)
    if BEHAVIOUR == "hangs":
        time.sleep(600)
    if BEHAVIOUR == "spends":
        while not (said := think()).startswith("refused"):
            update("agent_message_chunk", content={"type": "text", "text": said})
        return "refusal"
    if "Message from" in text:
        if BEHAVIOUR == "tells":  # agent2 may ask before this one has finished, or after
            return "end_turn"
        subprocess.run(["sh", "-c", f'printf %s "$1" > {cwd}/news.txt', "sh", text])
        return "end_turn"
    first_prompt(cwd)
    if BEHAVIOUR == "tells":
        subprocess.run(["coop", "send", "agent2", "hello"], check=True, capture_output=True)
    while (
        BEHAVIOUR == "listens" and subprocess.run(["coop", "send", "agent1", "?"], capture_output=True).returncode == 0
    ):
        time.sleep(0.2)  # until agent1 has finished
    return "end_turn"


def main() -> None:
    print("starting up: not a message")
    cwd = "/"
    while True:
        message = read()
        method, identifier = message.get("method"), message.get("id")
        if method == "initialize":
            send(id=identifier, result={"protocolVersion": 1, "agentCapabilities": {}, "authMethods": []})
        elif method == "session/new":
            cwd, servers[:] = message["params"]["cwd"], message["params"]["mcpServers"]
            if BEHAVIOUR == "needs a login":
                send(id=identifier, error={"code": -32000, "message": "Authentication required"})
            else:
                send(id=identifier, result={"sessionId": "s"})
        elif method == "session/prompt":
            text = message["params"]["prompt"][0]["text"]
            send(id=identifier, result={"stopReason": work(text, cwd)})


main()
