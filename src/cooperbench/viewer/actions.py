"""Say in a word what a step is about, for its label in the picture."""

import re
from typing import NamedTuple

from cooperbench.viewer.models import Action

_READ = 1500
"""Characters of a command that are looked at: here-documents can be long, and what they are about stands at their beginning."""
_PATH = re.compile(r"[\w./-]+\.(?:py|pyi|js|jsx|ts|tsx|go|rs|md|c|h|cc|cpp|java|toml|ya?ml|json|txt|html|css|sh)\b")
_TESTS = re.compile(r"\b(?:pytest|tox|unittest|(?:npm|yarn|pnpm)(?: run)? test|jest|vitest|(?:go|cargo) test)\b")
_EDIT = re.compile(r"write_text|<<-?\s*[\"']?\w+|\bsed -i|\bapply_patch\b|\bgit apply\b|\bpatch -p|\btee\b|str_replace")
_READS = re.compile(
    r"^(?:cat|sed -n|grep|rg|ls|head|tail|find|wc|tree|nl|less|pwd|git (?:status|log|diff|show|config|branch))\b"
)
_SHELL = re.compile(r"^(?:/\S*/)?(?:ba|da|z)?sh -l?c [\"']?")
"""Agents of others wrap each command in a shell."""
_COOP = re.compile(r"^coop (send|recv|wait|ask|board|task|team|who)\b")


class Said(NamedTuple):
    """The kind of a step and its label."""

    action: Action
    label: str


def describe_tool(tool: str | None, command: str | None, arguments: dict[str, object]) -> Said:
    """Describe a call of a tool; `tool` is None when the model only answered."""
    if tool is None:
        return Said("answer", "answer")
    if command is not None:
        return describe_command(command)
    if tool in ("send_message", "broadcast") or tool.endswith("__send_message"):
        return Said("message", "message")
    if tool == "wait_for_message" or tool.endswith("__wait_for_message"):
        return Said("wait", f"wait for {arguments.get('from') or 'a message'}")
    if tool in ("submit", "finish"):
        return Said("submit", "submit")
    kind = tool.lower()
    path = next(
        (str(arguments[key]).split("/")[-1] for key in ("file_path", "path", "filename") if key in arguments), ""
    )
    if re.search(r"edit|write|patch|str_replace", kind):
        return Said("edit", f"edit {path}".strip())
    if re.search(r"^(?:read|view|grep|glob|ls|search|list|find)", kind):
        return Said("read", f"read {path}" if path else "look")
    return Said("run", tool or "tool")


def describe_command(command: str) -> Said:
    """Describe a shell command by what stands in its beginning."""
    inner = _SHELL.sub("", command[:_READ].strip())
    body = re.sub(r"^(?:cd \S+\s*(?:&&|;)\s*)+", "", inner)
    paths = list(dict.fromkeys(found.group().split("/")[-1] for found in _PATH.finditer(body)))
    if coop := _COOP.match(body):
        verb = coop.group(1)
        action: Action = {"send": "message", "ask": "message", "recv": "wait", "wait": "wait"}.get(verb, "run")  # type: ignore[assignment]
        return Said(
            action, "message" if action == "message" else "wait for a message" if action == "wait" else f"coop {verb}"
        )
    if re.search(r"COMPLETE_TASK_AND_SUBMIT", body):
        return Said("submit", "submit")
    if re.search(r"\bgit push\b", body):
        return Said("git", "commit, push" if "commit" in body else "push")
    if re.search(r"\bgit (?:fetch|pull|merge|rebase)\b", body):
        return Said("git", "fetch, merge, test" if _TESTS.search(body) else "fetch, merge")
    if _TESTS.search(body):
        return Said("edit", "edit, test") if _EDIT.search(body) else Said("run", "tests")
    if _EDIT.search(body) or re.search(r"(?<![<>0-9&=-])>{1,2}\s*[\w./]", body.split("\n")[0]):
        return Said("edit", f"edit {', '.join(paths[:2])}" if paths else "edit")
    if _READS.match(body):
        return Said("read", f"read {paths[0]}" if paths else "look")
    if re.match(r"git commit\b|git add\b", body):
        return Said("git", "commit")
    program = re.search(r"\bpython3? -m (\w+)", body)
    words = [word for word in body.split() if "=" not in word and word != "export"]
    name = words[0].split("/")[-1][:24] if words else ""
    return Said("run", f"try {program.group(1)}" if program else name or "command")
