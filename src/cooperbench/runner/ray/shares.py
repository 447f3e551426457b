"""Divide the episodes that run at once between nodes."""

from collections.abc import Sequence

RESOURCE = "sandboxes"
"""Of a node, in Ray: how many members' sandboxes it holds at the same time. An episode takes one for each member."""


def shares(rooms: Sequence[int], wanted: int) -> list[int]:
    """Return how many episodes each node runs at once: `wanted` altogether, spread evenly, and none more than it has room for."""
    given = [0] * len(rooms)
    smallest_first = sorted(range(len(rooms)), key=lambda node: rooms[node])
    for place, node in enumerate(smallest_first):
        given[node] = min(rooms[node], -(-wanted // (len(rooms) - place)))
        wanted -= given[node]
    return given
