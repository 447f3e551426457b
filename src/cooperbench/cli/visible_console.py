"""A console that commands its terminal, while the texts that it prints cannot. Apart, because rich takes 60 ms to import."""

from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from cooperbench.cli.output import unfiltered
from cooperbench.records.visible import visible


class VisibleConsole(Console):
    """Makes control characters in every text visible."""

    def __init__(self, stream: IO[str], *, width: int | None = None) -> None:
        super().__init__(file=unfiltered(stream), width=width, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render to segments, of which only those that rich itself adds are commands."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
