"""What the server of `cooperbench view` gives to whom, and that it writes nothing but notes."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from cooperbench.records import RunDirectory
from cooperbench.records.episode_state import EpisodeState
from cooperbench.records.labels import read_labels
from cooperbench.viewer.server.episodes import EpisodeCache
from cooperbench.viewer.server.library import Library
from tests.command_line import cooperbench
from tests.viewer.serving import Served, serving

RECORDS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"
EPISODE = "parts_task/1/f1_f2"
HOSTILE = '<img src=x onerror="alert(1)">&\u202e\'..%2f'
KEY = "sk-" + "a1B2" * 8


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs, one of them under a hostile name, with a key in a trajectory, beside a secret outside of the log directory."""
    place = tmp_path_factory.mktemp("place")
    (place / "secret.json").write_text('"outside"')
    logs = place / "logs"
    shutil.copytree(RECORDS, logs)
    shutil.copytree(RECORDS / "alone", logs / HOSTILE)
    shutil.copytree(RECORDS / "alone", place / "elsewhere")
    (logs / "linked").symlink_to(place / "elsewhere")
    (logs / "broken").mkdir()
    (logs / "broken" / "config.json").write_text("{")
    episode = logs / "pairs" / "coop" / EPISODE
    trajectory = episode / "agent1_traj.json"
    trajectory.write_text(trajectory.read_text().replace("delivered to agent2", f"delivered to agent2 with {KEY}", 1))
    (episode / "linked_traj.json").symlink_to(place / "secret.json")
    return logs


@pytest.fixture(scope="module")
def served(logs: Path) -> Iterator[Served]:
    with serving(logs) as server:
        yield server


def snapshot(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


PAGES = [
    "",
    "index.html",
    "data/pairs/index.html",
    f"data/pairs/{EPISODE}.html",
    f"data/{quote(HOSTILE, safe='')}/index.html",
    "versus/pairs/alone/index.html",
    f"versus/pairs/pairs/{EPISODE}.html",
    f"api/parts/pairs/{EPISODE}/page",
    f"api/raw/pairs/{EPISODE}/result.json",
    "api/search?q=part",
]


@pytest.mark.parametrize("path", PAGES)
def test_everything_is_answered_under_a_policy(path: str, served: Served) -> None:
    answer = served.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers
    assert "<img" not in answer.text or answer.headers["content-type"] == "application/json"
    assert KEY not in answer.text


def test_strangers_are_refused(served: Served) -> None:
    """A page that has rebound its name to 127.0.0.1, a program without the token, a token that is almost right."""
    bare = f"http://127.0.0.1:{served.port}/"
    assert served.get(Host=f"evil.example:{served.port}").status_code == 403
    assert served.get(Host="127.0.0.1").status_code == 403
    assert served.get(Host=f"localhost:{served.port}").status_code == 200
    for path in ("", "index.html", "data/pairs/index.html", "api/search?q=part", served.root.split("/")[3][:-1] + "/"):
        answer = requests.get(bare + path, timeout=60)
        assert answer.status_code == 403
        assert "pairs" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "data/..%2f..%2fsecret/index.html",
        "data/%2e%2e/index.html",
        "data/../../secret.json",
        "data/linked/index.html",
        "data/pairs/..%2f..%2f/1/f1_f2.html",
        f"api/raw/pairs/{EPISODE}/..%2f..%2fconfig.json",
        f"api/raw/pairs/{EPISODE}/linked_traj.json",
        f"api/raw/pairs/{EPISODE}/agent1_logs",
        f"api/raw/linked/{EPISODE}/result.json",
        f"api/parts/pairs/{EPISODE}/..%2fpage",
        "api/search?q=part&run=linked",
        "api/events/linked",
        "static/secret.json",
    ],
)
def test_nothing_outside_of_the_log_directory_is_reached(path: str, served: Served) -> None:
    session = requests.Session()
    request = requests.Request("GET", served.root + "x").prepare()
    request.url = served.root + path  # as it is, with its dots
    answer = session.send(request, timeout=60)
    assert answer.status_code in (403, 404)
    assert "outside" not in answer.text


def test_only_runs_that_were_named_are_there(logs: Path) -> None:
    with serving(logs, "alone") as server:
        assert server.first == f"{server.root}data/alone/index.html"
        assert server.get("data/alone/index.html").status_code == 200
        assert server.get("data/pairs/index.html").status_code == 404
        assert server.get("api/search?q=part&run=pairs").status_code == 404


def test_search_finds_messages_commands_and_outputs(served: Served) -> None:
    found = served.get("api/search?q=PART+1+is+done&run=pairs").json()
    assert not found.get("more")
    first = [hit for hit in found["hits"] if hit["episode"] == EPISODE]
    assert {hit["place"] for hit in first} >= {"message.1", "agent1.1"}
    assert all(hit["match"].lower() == "part 1 is done" for hit in found["hits"])
    assert served.get("api/search?q=nobody+wrote+this").json()["hits"] == []
    assert served.get("api/search?q=p").json()["hits"] == []


def note(
    served: Served, path: str = f"pairs/{EPISODE}", origin: str | None = None, **values: object
) -> requests.Response:
    headers = {"Origin": origin or served.root[: served.root.index("/", 7)], "Content-Type": "application/json"}
    return requests.post(f"{served.root}api/labels/{path}", data=json.dumps(values), headers=headers, timeout=60)


def test_notes_are_all_that_is_written(served: Served, logs: Path) -> None:
    before = snapshot(logs)
    for path in PAGES:
        served.get(path)
    answer = requests.get(served.root + f"api/events/pairs/{EPISODE}", timeout=60, stream=True)
    assert next(answer.iter_lines()) == b"retry: 2000"
    answer.close()
    assert snapshot(logs) == before
    assert note(served, comment="They split the work.", labeller="ann").status_code == 201
    assert note(served, comment="Pushes at once.", place="agent1.1").status_code == 201
    assert note(served, kind="speech_act", label="status", place="message.1", labeller="ann").status_code == 201
    after = snapshot(logs)
    assert {name for name in after if after[name] != before.get(name)} == {"pairs/labels.jsonl"}
    first, second, third = read_labels(RunDirectory(logs / "pairs"))
    assert (first.episode, first.comment, first.labeller) == (EPISODE, "They split the work.", "ann")
    assert (second.agent_id, second.step) == ("agent1", 2)
    assert second.labeller
    assert (third.message, third.label) == (1, "status")
    page = served.get(f"api/parts/pairs/{EPISODE}/page").json()
    assert [label["comment"] for label in page["labels"] if "comment" in label] == [first.comment, second.comment]
    said = cooperbench("label", "pairs", "--log-dir", str(logs))
    assert "3 labels" in said.out


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"comment": "x", "origin": "http://evil.example"}, 403),
        ({"comment": "x", "origin": "null"}, 403),
        ({"comment": ""}, 400),
        ({"comment": "x", "place": "agent9.1"}, 400),
        ({"comment": "x", "place": "agent1.99"}, 400),
        ({"comment": "x", "place": "message.99"}, 400),
        ({"comment": "x", "place": "../../x"}, 400),
        ({"comment": "x", "label": "../x"}, 400),
        ({"comment": "x", "kind": "else"}, 400),
        ({"kind": "speech_act", "label": "plan"}, 400),
        ({"comment": "x" * 70_000}, 413),
        ({"comment": "x", "episode": "parts_task/1/f9_f9"}, 400),
        ({"comment": "x", "path": "linked/parts_task/1/f1_f2"}, 404),
        ({"comment": "x", "path": "pairs/parts_task/1/f9_f9"}, 404),
    ],
)
def test_what_is_not_a_note_is_refused(values: dict[str, str], status: int, served: Served, logs: Path) -> None:
    before = snapshot(logs)
    answer = note(served, **values)
    assert answer.status_code == status
    assert "\n" not in answer.text.strip()
    assert snapshot(logs) == before


def test_a_form_of_another_page_cannot_write(served: Served, logs: Path) -> None:
    before = snapshot(logs)
    body = json.dumps({"comment": "x"})
    address = f"{served.root}api/labels/pairs/{EPISODE}"
    assert requests.post(address, data=body, headers={"Content-Type": "text/plain"}, timeout=60).status_code == 403
    assert requests.post(address, json={"comment": "x"}, timeout=60).status_code == 403
    assert requests.put(address, json={"comment": "x"}, timeout=60).status_code == 403
    assert snapshot(logs) == before


def test_mistakes_are_one_line(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for runs, text in (
        (("nothing",), "unknown run 'nothing'"),
        (("linked",), "is a link, which may lead out of the log directory"),
        (("pairs", "parts_task/1/f9_f9"), "unknown episode"),
        ((EPISODE,), "an episode is shown with its run"),
        (("pairs", "--export", "x", "--port", "1"), "--export writes files"),
    ):
        said = cooperbench("view", *runs, "--log-dir", str(logs))
        assert said.code == 2
        assert text in said.err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "cooperbench.viewer.server.serve", raising=False)
    said = cooperbench("view", "pairs", "--log-dir", str(logs))
    assert said.code == 2
    assert "cooperbench view needs the extra 'view', which is not installed" in said.err
    assert "[view]'" in said.err


def test_an_episode_that_ends_while_it_is_read_is_not_kept_as_unfinished(logs: Path, tmp_path: Path) -> None:
    """A page that asks in the middle of the end gets, the next time, what the episode has become."""
    place = tmp_path / "logs" / "pairs"
    shutil.copytree(logs / "pairs", place, symlinks=True)
    result = place / "coop" / EPISODE / "result.json"
    ended = result.read_bytes()
    result.unlink()
    (result.parent / ".work").mkdir()
    before = Library(tmp_path / "logs").episode("pairs", EPISODE)
    result.write_bytes(ended)
    cache = EpisodeCache()
    cache.parts(*before)
    after = Library(tmp_path / "logs").episode("pairs", EPISODE)
    assert before[1].state is EpisodeState.UNFINISHED
    assert after[1].state is EpisodeState.FINISHED
    assert dict(cache.parts(*after)) == dict(EpisodeCache().parts(*after))
