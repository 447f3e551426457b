"""`coop send`, `recv`, `ask`, `broadcast` and `team`: a member's mailbox as commands in its sandbox.

`coop hook EVENT` is for programs that run a hook after each tool, and before they end: it prints new messages in the JSON that Claude
Code, Codex, Gemini CLI and Qwen Code read from hooks, so their models see them without asking. `coop help` does not list it.
"""

import json

from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import HARNESS, Message, accepted, shown_message
from cooperbench.collaboration.rpc import Call, CoopTool, Reply, Service, options, parameter, refuse
from cooperbench.records.visible import quoted

LEEWAY = 10.0
"""Seconds by which `coop` stops waiting before the sandbox's limit of a command, so that it can still say so."""

ENDING_HOOKS = frozenset({"Stop", "AfterAgent"})
"""Events of hooks that run before a program ends: `Stop` of Claude Code, Codex and Qwen Code, `AfterAgent` of Gemini CLI."""

TIMED_OUT = 3
"""Exit code of `coop ask` and `coop recv --wait` when nothing came."""

_USAGE = {
    "send NAME TEXT": "send a message to a teammate; - reads TEXT from standard input",
    "broadcast TEXT": "send a message to all teammates",
    "recv": "print new messages",
    "recv --wait SECONDS [--from NAME]": "wait for new messages",
    "ask NAME TEXT [--wait SECONDS]": "send a question and wait for its answer",
    "team": "show who is here, what they do, who is waiting for you",
}

_NAME, _TEXT = parameter("string", "name of the teammate"), parameter("string", "what to say")
_WAIT = parameter("number", "seconds to wait")


def message_service(mailbox: MessagingConnector, command_timeout: float) -> Service:
    """Return the commands over a mailbox. `command_timeout` is the sandbox's limit of a command, in seconds."""
    verbs = _Verbs(mailbox, max(1.0, command_timeout - LEEWAY))
    return Service(
        handlers={
            "send": verbs.send,
            "broadcast": verbs.broadcast,
            "recv": verbs.receive,
            "ask": verbs.ask,
            "team": verbs.team,
            "hook": verbs.hook,
        },
        usage=_USAGE,
        tools=_tools(verbs),
        cancel=mailbox.wake,
        close=mailbox.close,
    )


def _tools(verbs: "_Verbs") -> tuple[CoopTool, ...]:
    return (*_tools_to_send(verbs), *_tools_to_read(verbs))


def _tools_to_send(verbs: "_Verbs") -> tuple[CoopTool, ...]:
    return (
        CoopTool(
            "send_message",
            "Send a message to a teammate. Fails with the reason when it cannot be delivered.",
            {"to": _NAME, "text": _TEXT},
            ("to", "text"),
            verbs.send,
            lambda given: Call([given["to"], "-"], _bytes(given["text"])),
        ),
        CoopTool(
            "broadcast",
            "Send a message to all teammates.",
            {"text": _TEXT},
            ("text",),
            verbs.broadcast,
            lambda given: Call(["-"], _bytes(given["text"])),
        ),
    )


def _tools_to_read(verbs: "_Verbs") -> tuple[CoopTool, ...]:
    return (
        CoopTool(
            "receive_messages",
            "Read new messages. With wait_seconds, wait until there are some, from one teammate or from anyone.",
            {"wait_seconds": _WAIT, "from_teammate": _NAME},
            (),
            verbs.receive,
            lambda given: Call(options(given, wait_seconds="--wait", from_teammate="--from")),
            (0, TIMED_OUT),
        ),
        CoopTool(
            "ask",
            "Send a question to a teammate and wait for its answer.",
            {"to": _NAME, "question": _TEXT, "wait_seconds": _WAIT},
            ("to", "question"),
            verbs.ask,
            lambda given: Call([given["to"], "-", *options(given, wait_seconds="--wait")], _bytes(given["question"])),
            (0, TIMED_OUT),
        ),
        CoopTool(
            "team",
            "Show who is here, what they do, and who is waiting for you.",
            {},
            (),
            verbs.team,
            lambda given: Call([]),
        ),
    )


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


class _Verbs:
    """The handlers of the commands."""

    def __init__(self, mailbox: MessagingConnector, longest_wait: float) -> None:
        self._mailbox = mailbox
        self._longest_wait = longest_wait

    def send(self, call: Call) -> Reply:
        text = _text(call.arguments[1:], call.input)
        if not text:
            return _wrong("send NAME TEXT")
        receipt = accepted(self._mailbox.send(call.arguments[0], text))
        return Reply(stdout=f"delivered to {receipt.to}\n".encode())

    def broadcast(self, call: Call) -> Reply:
        text = _text(call.arguments, call.input)
        if not text:
            return _wrong("broadcast TEXT")
        receipts = self._mailbox.broadcast(text)
        lines = [
            f"not delivered: {receipt.refused}" if receipt.refused else f"delivered to {receipt.to}"
            for receipt in receipts
        ]
        failed = all(receipt.refused for receipt in receipts)
        return Reply(int(failed), stdout="".join(f"{line}\n" for line in lines).encode())

    def receive(self, call: Call) -> Reply:
        words, options = _options(call.arguments, "--wait", "--from")
        if words or options is None:
            return _wrong("recv [--wait SECONDS] [--from NAME]")
        wait = self._seconds(options.get("--wait", "0"))
        if wait is None:
            return refuse("--wait needs a number of seconds", 2)
        messages = self._mailbox.take(options.get("--from"), timeout=wait, wait=wait > 0, stop=call.cancelled)
        if not messages:
            return (
                Reply(TIMED_OUT, stderr=f"no message within {wait:g} s\n".encode())
                if wait
                else Reply(stdout=b"no new messages\n")
            )
        return self._hand_over(messages)

    def ask(self, call: Call) -> Reply:
        words, options = _options(call.arguments, "--wait")
        text = _text(words[1:], call.input)
        if not text or options is None:
            return _wrong("ask NAME TEXT [--wait SECONDS]")
        wait = self._seconds(options.get("--wait", f"{self._longest_wait}"))
        if wait is None:
            return refuse("--wait needs a number of seconds", 2)
        receipt = self._mailbox.send_question(words[0], text)
        answers = self._mailbox.take_answer(words[0], receipt.id, timeout=wait, stop=call.cancelled)
        if answers:
            return self._hand_over(answers)
        state = "has read your question" if self._mailbox.was_read(receipt) else "has not read your question yet"
        return Reply(
            TIMED_OUT,
            stderr=f"no answer within {wait:g} s; {words[0]} {state}. The answer will come with `coop recv`\n".encode(),
        )

    def team(self, call: Call) -> Reply:
        me = self._mailbox.agent_id
        lines = [f"you are {me}", *(teammate.sentence(me) for teammate in self._mailbox.team())]
        unread = len(self._mailbox.peek())
        if unread:
            lines.append(f"unread messages for you: {unread} (coop recv)")
        return Reply(stdout="".join(f"{line}\n" for line in lines).encode())

    def hook(self, call: Call) -> Reply:
        if len(call.arguments) != 1:
            return _wrong("hook EVENT")
        [event] = call.arguments
        messages = self._mailbox.take()
        if event in ENDING_HOOKS and all(message.sender == HARNESS for message in messages):
            self._mailbox.release(messages)  # a notice is not worth another turn
            return Reply()
        if not messages:
            return Reply()
        text = "\n\n".join(shown_message(message.received()) for message in messages)
        return self._hand_over(messages, json.dumps(_hook_output(event, text)).encode())

    def _hand_over(self, messages: list[Message], printed: bytes = b"") -> Reply:
        return Reply(
            stdout=printed or b"".join(_printed(message) for message in messages),
            received=lambda: self._mailbox.acknowledge(messages),
            dropped=lambda: self._mailbox.release(messages),
        )

    def _seconds(self, text: str) -> float | None:
        try:
            seconds = float(text)
        except ValueError:
            return None
        return min(seconds, self._longest_wait) if seconds >= 0 else None


def _hook_output(event: str, text: str) -> dict[str, object]:
    """Return what a hook prints: a text for the model, or the reason to go on where the program was about to end."""
    if event in ENDING_HOOKS:
        return {"decision": "block", "reason": text}
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def _printed(message: Message) -> bytes:
    kind = (
        " (question: the sender waits for your answer)" if message.question else " (answer)" if message.reply_to else ""
    )
    head = f"--- from {message.sender} at {message.time:%H:%M:%S} UTC{kind}\n"
    return f"{head}{quoted(message.text)}".encode()


def _text(words: list[str], given: bytes) -> bytes:
    """Return the message: standard input when there are no words or only `-`, else the words."""
    if words in ([], ["-"]):
        return given
    return " ".join(words).encode(errors="surrogateescape")


def _options(words: list[str], *names: str) -> tuple[list[str], dict[str, str] | None]:
    """Split options from the rest; the options are `None` when one lacks its value.

    Options stand before or after the text, never within it: a text may begin with dashes.
    """
    rest, found = list(words), {}
    while len(rest) >= 2 and rest[0] in names:
        found[rest[0]] = rest[1]
        del rest[:2]
    while len(rest) >= 2 and rest[-2] in names:
        found[rest[-2]] = rest[-1]
        del rest[-2:]
    missing = rest == [] and not found and bool(words)
    return rest, None if missing or (rest and rest[-1] in names) else found


def _wrong(usage: str) -> Reply:
    return refuse(f"usage: coop {usage}", 2)
