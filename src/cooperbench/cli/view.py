"""`cooperbench view`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click

from cooperbench.cli.options import log_dir_option
from cooperbench.cli.output import counted, print_json
from cooperbench.errors import MissingExtraError, UsageError


@click.command("view")
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port on 127.0.0.1.  [default: any free one]")
@click.option("--open/--no-open", "opens", default=None, help="Open a browser.  [default: at a terminal]")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write pages instead, for RUNs into a new folder, or for RUN EPISODE into one file that ends in .html.",
)
@log_dir_option
def command(
    runs: tuple[str, ...], port: int | None, opens: bool | None, target: Path | None, log_dir: Path | None
) -> None:
    """See runs in a browser: all of the log directory, or only each RUN. Pages follow runs that go on.

    The server listens on 127.0.0.1 until Ctrl-C. Its address has a secret in it, so no other page or user can read your runs.
    What is exported needs no server, and is without secrets.
    """
    if target is not None:
        if port is not None or opens is not None:
            raise UsageError("--export writes files, and takes no --port or --open")
        _export(runs, target, log_dir)
        return
    _serve(runs, port, opens, log_dir)


def export_pages(names: Sequence[str], target: Path, log_dir: Path | None, *, as_json: bool = False) -> None:
    """Write runs into a folder of pages, and say where to begin."""
    from cooperbench.records.runs import read_run, run_names
    from cooperbench.viewer.export_folder import export_folder

    chosen = list(dict.fromkeys(names)) or run_names(log_dir)
    if not chosen:
        raise UsageError("there are no runs to export", hint="cooperbench run -s demo, or --log-dir")
    written = export_folder([read_run(name, log_dir) for name in chosen], target)
    if as_json:
        print_json([str(page) for page in written])
        return
    size = sum(page.stat().st_size for page in written) / 1e6
    click.echo(f"{target}: {counted(len(chosen), 'run')}, {counted(len(written), 'page')}, {size:.1f} MB")
    click.echo(f"open {target / 'index.html'} in a browser")


def _export(names: tuple[str, ...], target: Path, log_dir: Path | None) -> None:
    # Runs are folders, so only the name of an episode has a slash.
    if target.suffix.lower() in (".html", ".htm") or (names and "/" in names[-1]):
        _export_episode(names, target, log_dir)
    else:
        export_pages(names, target, log_dir)


def _export_episode(names: tuple[str, ...], target: Path, log_dir: Path | None) -> None:
    from cooperbench.records.runs import read_run
    from cooperbench.viewer import export_episode

    if len(names) not in (1, 2):
        raise UsageError("one file shows one episode", hint="cooperbench view RUN EPISODE --export episode.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{target} does not end in .html", subject=str(target), hint="one episode is one file")
    if target.exists():
        raise UsageError(f"{target} exists", subject=str(target), hint="name a new file")
    run = read_run(names[0], log_dir)
    if len(names) == 1 and len(run.episodes) > 1:
        first = run.episodes[0].group
        raise UsageError(
            f"run {names[0]!r} has {len(run.episodes)} episodes",
            subject=names[0],
            hint=f"cooperbench view {names[0]} {first} --export {target}, or --export FOLDER for all",
        )
    episode = run.episode(names[1]) if len(names) == 2 else run.episodes[0]
    written = export_episode(run, episode, target)
    click.echo(f"{target}: {episode.group} of {names[0]}, {written.stat().st_size / 1e3:.0f} kB")


def _serve(names: tuple[str, ...], port: int | None, opens: bool | None, log_dir: Path | None) -> None:
    from cooperbench.viewer.list_pages import group_path
    from cooperbench.viewer.server.library import Library

    try:
        from cooperbench.viewer.server.serve import serve
    except ImportError as error:
        raise MissingExtraError("cooperbench view", "view") from error

    runs, episode = (names[:-1], names[-1]) if names and "/" in names[-1] else (names, None)
    if episode is not None and len(runs) != 1:
        raise UsageError("an episode is shown with its run", hint=f"cooperbench view RUN {episode}")
    library = Library(log_dir, runs)
    known = library.names()
    for name in runs:
        if name not in known:
            from cooperbench.records.runs import open_run

            open_run(name, log_dir)  # says which runs there are
            raise UsageError(
                f"{library.log_dir / name} is a link, which may lead out of the log directory", subject=name
            )
    page = "" if episode is None else group_path(library.run(runs[0]).episode(episode).group)
    first = quote(f"data/{runs[0]}/{page or 'index.html'}") if len(runs) == 1 else ""
    serve(library, port=port, ready=lambda root: _announce(f"{root}{first}", opens))


def _announce(address: str, opens: bool | None) -> None:
    click.echo(f"serving runs at {address}")
    click.echo("Ctrl-C ends it; the address has a secret in it: do not share it")
    sys.stdout.flush()
    if opens or (opens is None and sys.stdout.isatty() and _has_desktop()):
        import webbrowser

        webbrowser.open(address)


def _has_desktop() -> bool:
    # Without one, Python would start a browser for terminals such as lynx.
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
