"""Time pushes and fetches: from a clone over plain HTTP, and from sandboxes without a network over the bridge.

python benchmarks/shared_git.py [--docker IMAGE] [--episodes 50]
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cooperbench.collaboration import GitConnector, GitServer
from cooperbench.environments import DockerEnvironment, Environment, LocalEnvironment
from cooperbench.testing import sample_image

AGENTS = ["agent1", "agent2"]
ROUNDS = 10
AUTHOR = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
Shell = Callable[[str, str], None]


def measure(title: str, shell: Shell, megabytes: int = 20) -> None:
    """Time pushes of one small commit, fetches of it, fetches of nothing, and random bytes both ways."""
    pushes, fetches, nothings = [], [], []
    for number in range(ROUNDS):
        shell("agent1", f"echo {number} >file.txt && git add . && git commit -qm {number}")
        pushes.append(timed(shell, "agent1", "git push -q origin HEAD:agent1"))
        fetches.append(timed(shell, "agent2", "git fetch -q origin"))
        nothings.append(timed(shell, "agent2", "git fetch -q origin"))
    shell("agent1", f"head -c {megabytes}000000 /dev/urandom >big && git add . && git commit -qm big")
    big = [
        timed(shell, "agent1", "git push -q origin HEAD:agent1"),
        timed(shell, "agent2", "git fetch -q origin"),
    ]
    small = [statistics.median(times) for times in (pushes, fetches, nothings)]
    print(f"{title:<22}" + "".join(f"{1000 * seconds:10.0f}" for seconds in [*small, *big]))


def timed(shell: Shell, agent: str, command: str) -> float:
    begun = time.perf_counter()
    shell(agent, command)
    return time.perf_counter() - begun


def over_http(server: GitServer, folder: Path) -> None:
    repository = folder / "base"
    subprocess.run(
        f"git init -q {repository} && cd {repository} && git commit -q --allow-empty -m base", shell=True, check=True
    )
    urls = server.create_repository("plain", AGENTS, base=repository)
    for agent, url in urls.items():
        subprocess.run(["git", "clone", "-q", url, folder / agent], check=True)
    measure("plain HTTP, no sandbox", lambda agent, line: run(folder / agent, line))


def run(where: Path, command: str) -> None:
    subprocess.run(["sh", "-c", command], cwd=where, check=True)


def over_the_bridge(server: GitServer, title: str, make: Callable[[], Environment]) -> None:
    urls = server.create_repository(title, AGENTS)
    environments = {agent: make() for agent in AGENTS}
    try:
        begun = time.perf_counter()
        for agent, environment in environments.items():
            GitConnector(agent_id=agent, agents=AGENTS, server_url=urls[agent]).setup(environment)
        print(f"{title}: setup {1000 * (time.perf_counter() - begun) / 2:.0f} ms for each agent")

        def shell(agent: str, command: str) -> None:
            done = environments[agent].execute(command)
            if done["returncode"]:
                raise SystemExit(done["output"])

        measure(title, shell)
    finally:
        for environment in environments.values():
            environment.cleanup()


def many_episodes(server: GitServer, folder: Path, count: int) -> None:
    """Every episode pushes and fetches at the same time."""

    def episode(number: int) -> None:
        urls = server.create_repository(f"many{number}", AGENTS, base=folder / "base")
        for agent, url in urls.items():
            place = folder / f"many{number}-{agent}"
            subprocess.run(["git", "clone", "-q", url, place], check=True)
            run(place, f"git commit -q --allow-empty -m x && git push -q origin HEAD:{agent} && git fetch -q")

    begun = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(episode, range(count)))
    print(
        f"{count} episodes at once: {2 * count / (time.perf_counter() - begun):.0f} clones + pushes + fetches a second"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docker", metavar="IMAGE", help="measure in containers of this image as well")
    parser.add_argument("--episodes", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, GitServer(Path(name) / "server") as server:
        os.environ["COOPERBENCH_CACHE_DIR"] = f"{name}/cache"
        os.environ |= AUTHOR
        print(
            f"{'milliseconds':<22}"
            + "".join(f"{word:>10}" for word in ("push", "fetch", "nothing", "20MB push", "20MB fetch"))
        )
        over_http(server, Path(name))
        image = sample_image()
        over_the_bridge(server, "local, no network", lambda: LocalEnvironment(image, network="none"))
        if options.docker:
            over_the_bridge(server, "docker, no network", lambda: DockerEnvironment(options.docker, network="none"))
        many_episodes(server, Path(name), options.episodes)


if __name__ == "__main__":
    main()
