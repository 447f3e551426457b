"""The task board, on a real broker with the rights of members."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

from cooperbench.collaboration.board import TaskBoard, read_board
from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.presence import mark_finished
from cooperbench.errors import UsageError
from cooperbench.records import Ending

RACE = """
import sys, time
from cooperbench.collaboration.board import TaskBoard
board = TaskBoard(agent_id=sys.argv[1], url=sys.argv[2])
board.tasks()
print("ready", flush=True)
time.sleep(max(0, float(sys.stdin.readline()) - time.time()))
print(*[number for number in map(int, sys.argv[3:]) if board.claim(number).refused is None], flush=True)
"""

AGENTS = ["agent1", "agent2", "agent3", "agent4"]


@pytest.fixture
def urls(broker: Broker, request: pytest.FixtureRequest) -> dict[str, str]:
    return broker.open_episode(request.node.name, AGENTS)


@pytest.fixture
def boards(urls: dict[str, str]) -> Iterator[list[TaskBoard]]:
    opened = [TaskBoard(agent_id=agent, url=url) for agent, url in urls.items()]
    yield opened
    for board in opened:
        board.close()


def test_a_task_goes_its_way(boards: list[TaskBoard], broker: Broker, request: pytest.FixtureRequest) -> None:
    one, two, *_ = boards
    assert one.tasks() == []
    assert one.add("write the\n parser: 'quotes', \"more\", ü 🎉") == (1, None)
    assert two.add("test it") == (2, None)
    assert two.claim(1) == (1, None)
    assert two.claim(1) == (1, None)
    assert one.claim(1) == (1, "task 1 is taken by agent2")
    assert one.done(1) == (1, "task 1 is taken by agent2")
    assert two.done(1) == (1, None)
    assert two.done(1) == (1, None)
    assert one.claim(1) == (1, "task 1 is done already, by agent2")
    assert one.claim(7) == (0, "there is no task 7")
    assert one.done(2) == (2, None)
    first, second = one.tasks()
    assert (first.text, first.added_by, first.owner, first.done) == (
        "write the parser: 'quotes', \"more\", ü 🎉",
        "agent1",
        "agent2",
        True,
    )
    assert (second.added_by, second.owner, second.done) == ("agent2", "agent1", True)
    events = read_board(broker.episode_url(request.node.name))
    assert [(event.agent_id, event.action, event.number) for event in events[:3]] == [
        ("agent1", "add", 1),
        ("agent2", "add", 2),
        ("agent2", "claim", 1),
    ]
    assert [event.refused for event in events if event.number == 0] == ["there is no task 7"]
    assert sorted(event.time for event in events) == [event.time for event in events]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2001])
def test_a_task_needs_a_text(boards: list[TaskBoard], text: str) -> None:
    with pytest.raises(UsageError):
        boards[0].add(text)
    assert boards[0].tasks() == []


def test_of_processes_that_claim_at_the_same_time_one_wins_each_task(
    boards: list[TaskBoard], urls: dict[str, str], run_python: Callable[..., "Popen[str]"]
) -> None:
    numbers = [boards[0].add(f"task {index}").number for index in range(200)]
    processes = []
    for agent, url in urls.items():
        order = random.Random(7).sample(numbers, len(numbers))  # the same order for all: they meet at every task
        processes.append(run_python(RACE, agent, url, *map(str, order)))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    together = time.time() + 0.5
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{together}\n")
        process.stdin.flush()
    won = {
        agent: set(map(int, process.communicate()[0].split())) for agent, process in zip(AGENTS, processes, strict=True)
    }
    assert Counter(number for claims in won.values() for number in claims) == Counter(numbers)
    assert sum(bool(claims) for claims in won.values()) > 1, "the processes did not run at the same time"
    assert {task.number: task.owner for task in boards[1].tasks()} == {
        number: agent for agent, claims in won.items() for number in claims
    }


def test_what_somebody_left_behind_can_be_taken_over(
    boards: list[TaskBoard], broker: Broker, request: pytest.FixtureRequest
) -> None:
    boards[0].add("left")
    boards[0].claim(1)
    assert boards[1].claim(1).refused
    mark_finished(broker.episode_url(request.node.name), "agent1", Ending.CRASH)
    assert boards[1].claim(1).refused is None
    assert boards[2].claim(1).refused == "task 1 is taken by agent2"


def test_episodes_have_boards_of_their_own(broker: Broker, boards: list[TaskBoard]) -> None:
    boards[0].add("here")
    url = broker.open_episode("elsewhere", AGENTS)["agent1"]
    other = TaskBoard(agent_id="agent1", url=url)
    assert other.tasks() == []
    other.close()
