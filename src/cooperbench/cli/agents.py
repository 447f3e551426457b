"""`cooperbench agents`: list, show, check and create agents."""

import os
from pathlib import Path
from typing import Any

import click

from cooperbench.cli import layers
from cooperbench.cli.failures import failure_lines
from cooperbench.cli.options import (
    dataset_option,
    json_option,
    load_environment_file,
    parse_features,
    subset_option,
)
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.typed import print_next
from cooperbench.records.visible import one_line


@click.group("agents")
def command() -> None:
    """List, install, check and create agents."""


command.add_command(layers.install)


@command.command("list")
@json_option
def list_agents(as_json: bool) -> None:
    """List all agents, where each comes from, and which programs are installed."""
    from cooperbench.agents import agent_names, describe

    found = [describe(name) for name in agent_names()]
    states = {agent.name: state for agent in found if (state := layers.layer_state(agent.name)) is not None}
    if as_json:
        programs = {name: state.facts() for name, state in states.items()}
        print_json([{**agent.model_dump(), "program": programs.get(agent.name)} for agent in found])
        return
    width = max(len(agent.name) for agent in found)
    for agent in found:
        about = f"unusable: {agent.error}" if agent.error else agent.summary
        program = f" ({states[agent.name].words()})" if agent.name in states else ""
        click.echo(f"{agent.name:<{width}}  {agent.origin:<{len('built-in')}}  {about}{program}")
    if any(state.layer is None for state in states.values()):
        click.echo("install a program once, for all runs: cooperbench agents install NAME")


@command.command("show")
@click.argument("name")
@json_option
def show_agent(name: str, as_json: bool) -> None:
    """Show the agent NAME, or package.module:Class."""
    from cooperbench.agents import describe

    agent, state = describe(name), layers.layer_state(name)
    if as_json:
        print_json({**agent.model_dump(mode="json"), "program": None if state is None else state.facts()})
        return
    for label, text in (
        ("name", agent.name),
        ("from", agent.origin),
        ("file" if Path(agent.target).is_file() else "class", agent.target),
        ("about", agent.summary),
    ):
        click.echo(f"{label:<6} {text}")
    if state is not None:
        click.echo(f"needs  {state.words()}")
        for source in state.sources():
            click.echo(f"       {source}")
    if agent.error:
        click.echo(f"error  {agent.error}")


@command.command("check")
@click.argument("name")
@click.option("-m", "--model", help="Model to pass to the agent.  [default: a scripted one]")
@click.option("--backend", default="local", show_default=True, help="Backend that runs the sandboxes.")
@click.option("--agent-config", type=click.Path(path_type=Path), help="YAML file with the agent's configuration.")
@click.option("--deadline", type=float, default=60.0, show_default=True, help="Time limit of a trial, in seconds.")
@json_option
def check(name: str, model: str | None, backend: str, agent_config: Path | None, deadline: float, as_json: bool) -> int:
    """Check that the agent NAME implements the interface, on a bundled task.

    Each trial runs in its own process. A failed trial says how to fix the agent, and makes the exit code 1.
    """
    from cooperbench.agent_check import check_agent
    from cooperbench.agents import describe
    from cooperbench.agents.command_line.catalogue import AGENTS_DIR
    from cooperbench.agents.registry import EXTERNAL_AGENTS
    from cooperbench.runner.planning.team import read_agent_config

    describe(name)  # a name that does not exist is a mistake on the command line, not a fault of the agent
    config = read_agent_config(agent_config, None)
    report = check_agent(
        name,
        backend=backend,
        model_name=model,
        config=config.values or None,
        agent_config=config.path,
        deadline=deadline,
        show=(lambda finding: None) if as_json else _show_finding,
    )
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        click.echo(f"{name} {'implements' if report.passed else 'does not implement'} the agent interface.")
        variables = [each for each in (EXTERNAL_AGENTS, AGENTS_DIR) if os.environ.get(each)]
        found_by = "".join(f"{each}={os.environ[each]} " for each in variables)
        played = f"-m {model} -f 5,6" if model else "-m scripted/solo_passes --setting solo -f 4,5"
        run = f"run -a {name} -s demo -r ledgerkit {played}"
        print_next(f"{found_by}cooperbench {run if report.passed else f'agents run {name} ledgerkit_task/1 --debug'}")
    return 0 if report.passed else 1


@command.command("run")
@click.argument("name")
@click.argument("task")
@click.option("-f", "--features", help="Features to implement, such as 1,2.  [default: the first]")
@click.option("-m", "--model", help="Model to pass to the agent.  [default: a scripted one]")
@click.option("--backend", help="Backend that runs the sandbox.  [default: local for -s demo, else docker]")
@click.option("--agent-config", type=click.Path(path_type=Path), help="YAML file with the agent's configuration.")
@click.option("--debug", is_flag=True, help="Open the debugger where the agent raises an exception.")
@subset_option
@dataset_option
def run(
    name: str, task: str, features: str | None, subset: str | None, dataset_dir: Path | None, debug: bool, **given: Any
) -> int:
    """Run the agent NAME alone on TASK, such as ledgerkit_task/1, in this process, and print its patch.

    What it prints appears here, and breakpoint() opens the debugger. Nothing is recorded or evaluated.
    """
    load_environment_file()
    from cooperbench.agent_check import run_here
    from cooperbench.records import Ending
    from cooperbench.runner import RunRequest
    from cooperbench.runner.engine.signals import EXIT_INTERRUPTED
    from cooperbench.tasks import find_task

    found = find_task(task, dataset_dir, subset)
    request = RunRequest(
        agent=name,
        model_name=given["model"],
        agent_config=given["agent_config"],
        repo=found.repo,
        task=found.task_id,
        features=parse_features(features) or (min(found.features),),
        dataset_dir=found.dataset_dir,
        backend=given["backend"],
    )
    result = run_here(request, debug=debug)
    click.echo(result.patch.decode(errors="replace"), nl=False)
    outcome = result.outcome
    steps, lines = counted(outcome.steps, "step"), counted(len(result.patch.splitlines()), "line")
    click.echo(
        f"{outcome.ending} as {outcome.status!r} after {steps} and {result.seconds:.1f} s, patch of {lines}", err=True
    )
    for line in failure_lines(outcome.error) if outcome.error else ():
        click.echo(one_line(line), err=True)
    if outcome.ending is Ending.INTERRUPTED:
        return EXIT_INTERRUPTED
    return 0 if outcome.error is None else 1


@command.command("new")
@click.argument("name")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Parent directory of the package.  [default: the current one]",
)
@click.option(
    "--cli", "command_line", is_flag=True, help="A command-line agent: a file that describes it, test, README."
)
def new(name: str, directory: Path, command_line: bool) -> None:
    """Create a small package with a working agent NAME: adapter, configuration, test, README."""
    from cooperbench.agents.command_line.catalogue import AGENTS_DIR
    from cooperbench.agents.registry import EXTERNAL_AGENTS
    from cooperbench.agents.scaffold import COMMAND_LINE_TEMPLATE, TEMPLATE, write_agent

    folder = write_agent(name, directory, template=COMMAND_LINE_TEMPLATE if command_line else TEMPLATE)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            click.echo(path)
    click.echo()
    found_by = f"{AGENTS_DIR}=$PWD" if command_line else f"{EXTERNAL_AGENTS}={name}.adapter"
    print_next(f"cd {folder} && {found_by} cooperbench agents check {name}")


def _show_finding(finding: Any) -> None:
    sign = {"passed": "ok  ", "failed": "FAIL", "note": "note"}[finding.grade]
    seconds = f"  ({finding.seconds:.1f} s)" if finding.seconds else ""
    click.echo(f"{sign}  {finding.check:<13} {finding.message}{seconds}")
    if finding.hint:
        click.echo(f"      {'':<13} -> {finding.hint}")
