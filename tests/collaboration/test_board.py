"""The task board, on a real broker with the rights of members."""

from collections import Counter
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

from cooperbench.collaboration.board import TaskBoard, read_board
from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.presence import mark_finished
from cooperbench.errors import UsageError
from cooperbench.records import Ending

CLAIMS = """
import sys
from cooperbench.collaboration.board import TaskBoard
board = TaskBoard(agent_id=sys.argv[1], url=sys.argv[2])
for number in sys.stdin:
    print("lost" if board.claim(int(number)).refused else "won", flush=True)
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


@pytest.mark.slow
def test_of_processes_that_claim_at_the_same_time_one_wins_each_task(
    boards: list[TaskBoard], urls: dict[str, str], run_python: Callable[..., "Popen[str]"]
) -> None:
    numbers = [boards[0].add(f"task {index}").number for index in range(50)]
    processes = {agent: run_python(CLAIMS, agent, url) for agent, url in urls.items()}
    owners = {}
    for number in numbers:
        # Each is the first to hear of a task in its turn: on a busy machine the same one would win them all.
        hearing = AGENTS[number % 4 :] + AGENTS[: number % 4]
        for agent in hearing:
            tell(processes[agent], number)
        answers = {agent: hear(processes[agent]) for agent in hearing}
        [owners[number]] = [agent for agent, answer in answers.items() if answer == "won\n"]
        assert Counter(answers.values()) == {"won\n": 1, "lost\n": 3}
    assert len(set(owners.values())) > 1, "the processes did not run at the same time"
    assert {task.number: task.owner for task in boards[1].tasks()} == owners
    for process in processes.values():
        process.communicate()


def tell(process: "Popen[str]", number: int) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{number}\n")
    process.stdin.flush()


def hear(process: "Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


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
