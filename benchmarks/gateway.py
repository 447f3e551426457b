"""What the model gateway adds: time for each call, delay of the first token, and memory for members at work.

    python benchmarks/gateway.py [calls] [members]

A stand-in for the provider runs in a process of its own. Calls carry a history of 100 kB, as those of a command-line agent do. Memory is
what a process shares with no other. Members are forked from one that has imported what they need, as in a run: most of what they then
call their own are pages of code and objects that any Python work touches, so the built-in agent's call stands beside it.
"""

import gc
import json
import multiprocessing
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

HISTORY = "x" * 100_000
EVENTS = 200
"""In a streamed answer."""
THINKING = 0.02
"""Seconds until the stand-in's first token."""
USAGE = {"prompt_tokens": 25_000, "completion_tokens": EVENTS, "prompt_tokens_details": {"cached_tokens": 20_000}}


class Handler(BaseHTTPRequestHandler):
    """Answers chat completions."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:  # noqa: D102
        return

    def do_POST(self) -> None:  # noqa: D102
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(THINKING)
        if not body.get("stream"):
            message = {"role": "assistant", "content": "word " * EVENTS}
            data = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        delta = {"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        for event in [*[delta] * EVENTS, last, {"choices": [], "usage": USAGE}, "[DONE]"]:
            text = event if isinstance(event, str) else json.dumps(event)
            data = f"data: {text}\n\n".encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            if body.get("slow"):
                time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")


def serve_stand_in(ready: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    ready.put(f"http://127.0.0.1:{server.server_address[1]}/v1")
    server.serve_forever()


def serve_gateway(url: str, ready: Any) -> None:
    from cooperbench.agents import Budget
    from cooperbench.gateway import loopback_listener, open_gateway

    with tempfile.TemporaryDirectory() as folder:
        gateway = open_gateway("m", config(url, folder), log_dir=Path(folder), budget=Budget())
        with loopback_listener(gateway.handle) as address:
            ready.put(f"{address}/v1")
            threading.Event().wait()


def config(url: str, folder: str) -> dict[str, Any]:
    table = Path(folder) / "prices.json"
    if not table.exists():  # members of one process share it
        table.write_text('{"m": {"input": 1, "output": 2, "cached_input": 0.1}}')
    return {"model": {"base_url": url, "price_table": str(table)}}


def ask(connection: HTTPConnection, path: str, **fields: Any) -> tuple[float, float]:
    """Return the milliseconds to the first byte of the body, and to its end."""
    body = {"model": "m", "messages": [{"role": "user", "content": HISTORY}], **fields}
    data = json.dumps(body)
    began = time.perf_counter()
    connection.request("POST", path, data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read(1)
    first = time.perf_counter() - began
    answer.read()
    return 1000 * first, 1000 * (time.perf_counter() - began)


def compare(direct: str, through: str, calls: int, processes: list[int]) -> None:
    serving = psutil.Process(processes[1])
    places = {"direct": urlsplit(direct), "gateway": urlsplit(through)}
    connections = {name: HTTPConnection(place.netloc) for name, place in places.items()}
    for stream in (False, True):
        before = sum(serving.cpu_times()[:2])
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
        for _ in range(calls + 5):
            for name, place in places.items():
                taken[name].append(ask(connections[name], f"{place.path}/chat/completions", stream=stream))
        spent = 1000 * (sum(serving.cpu_times()[:2]) - before) / (calls + 5)
        kind = f"streamed, {EVENTS} events" if stream else "whole"
        for what, index in (("first byte", 0), ("whole answer", 1)):
            one, other = ([times[index] for times in taken[name][5:]] for name in places)
            added = [b - a for a, b in zip(one, other, strict=True)]
            worst = statistics.quantiles(added, n=20)[-1]
            print(
                f"{kind:22} {what:13} direct {statistics.median(one):6.1f} ms  gateway {statistics.median(other):6.1f} ms"
                f"  added: median {statistics.median(added):5.1f} ms, 95% {worst:5.1f} ms"
            )
        print(f"{kind:22} processor time of the gateway: {spent:.1f} ms a call")


def private_kb() -> int:
    """Memory of this process that it shares with nobody."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_\w+:\s+(\d+)", text, re.MULTILINE))


def call_through_gateway(url: str, folder: str, body: dict[str, Any]) -> None:
    """Make a call as a program does that reaches its gateway over a stream of its sandbox."""
    from cooperbench.agents import Budget
    from cooperbench.gateway import open_gateway

    gateway = open_gateway("m", config(url, folder), log_dir=Path(folder), budget=Budget())
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=gateway.handle, args=(theirs,))
    serving.start()
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    ours.sendall(head.encode() + data)
    ours.shutdown(socket.SHUT_WR)
    while ours.recv(65536):
        pass
    serving.join()
    ours.close()


def call_of_built_in_model(url: str, folder: str, body: dict[str, Any]) -> None:
    """Make the same call as the built-in agent does."""
    from cooperbench.agents.mini_swe_agent.models import make_model

    make_model("m", config(url, folder)).query(body["messages"])


def member(call: Callable[[str, str, dict[str, Any]], None], url: str, barrier: Any, results: Any) -> None:
    """Make a slow call, and say what memory it took."""
    body = {"model": "m", "stream": True, "slow": True, "messages": [{"role": "user", "content": HISTORY}]}
    with tempfile.TemporaryDirectory() as folder:
        before = private_kb()
        barrier.wait()
        call(url, folder, body)
        results.put(private_kb() - before)


def measure_processes(url: str, members: int) -> None:
    """Measure members with a process each, forked as in a run."""
    import cooperbench.agents.mini_swe_agent.adapter
    import cooperbench.gateway
    import cooperbench.runner.workers.worker  # noqa: F401

    gc.collect()
    gc.freeze()
    forking = multiprocessing.get_context("fork")
    taken = []
    for call in (call_through_gateway, call_of_built_in_model):
        barrier, results = forking.Barrier(members), forking.Queue()
        processes = [forking.Process(target=member, args=(call, url, barrier, results)) for _ in range(members)]
        for process in processes:
            process.start()
        grown = sum(results.get() for _ in processes) / 1024
        for process in processes:
            process.join()
        taken.append(grown)
        print(f"{members} processes, {call.__name__.replace('_', ' ')}: {grown:.1f} MB, {grown / members:.1f} MB each")
    print(f"{members} processes, added by the gateway: {taken[0] - taken[1]:.1f} MB")


def measure_one_process(url: str, members: int) -> None:
    """Measure what the gateways themselves hold: all members in one process, in the middle of their calls."""
    body = {"model": "m", "stream": True, "slow": True, "messages": [{"role": "user", "content": HISTORY}]}
    with tempfile.TemporaryDirectory() as folder:
        call_through_gateway(url, folder, {**body, "slow": False})
        before = private_kb()
        calls = [threading.Thread(target=call_through_gateway, args=(url, folder, body)) for _ in range(members)]
        for call in calls:
            call.start()
        time.sleep(3.0)
        during = private_kb()
        for call in calls:
            call.join()
    print(f"{members} gateways in one process, in the middle of their calls: {(during - before) / 1024:.1f} MB")


def main() -> None:
    words = sys.argv[1:]
    calls = int(words[0]) if words else 200
    members = int(words[1]) if len(words) > 1 else 40
    started: list[multiprocessing.Process] = []

    def start(target: Callable[..., None], *args: Any) -> str:
        ready: Any = multiprocessing.Queue()
        process = multiprocessing.Process(target=target, args=(*args, ready), daemon=True)
        process.start()
        started.append(process)
        return str(ready.get())

    try:
        direct = start(serve_stand_in)
        through = start(serve_gateway, direct)
        compare(direct, through, calls, [int(process.pid or 0) for process in started])
        measure_one_process(direct, members)
        measure_processes(direct, members)
    finally:
        for process in started:
            process.terminate()


if __name__ == "__main__":
    main()
