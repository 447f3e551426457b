"""Runs exported tasks in the real Harbor: the oracle should get 1 everywhere, and an agent that does nothing 0.

    python benchmarks/harbor.py [--setting single] [--repo shelfdb] [--concurrent 2] [--keep FOLDER]

Needs Docker and `make images`. Harbor needs Python 3.12 and the compose plugin, which Debian 12 lacks, so it runs in a container that
is made of Debian 13's packages (some minutes, once) and talks to this engine. Tasks are built on `cooperbench-test/base`.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from cooperbench.task_formats import ExportedSetting, export_harbor
from cooperbench.tasks import discover_groups, discover_tasks

VERSION = "0.25.0"
IMAGE = "cooperbench-test/harbor"
DOCKERFILE = f"""
FROM cooperbench-test/base:latest
RUN . /etc/os-release && sed "s/$VERSION_CODENAME/trixie/" /etc/apt/sources.list >/etc/apt/sources.list.d/trixie.list \\
    && printf 'Package: *\\nPin: release n=trixie\\nPin-Priority: 100\\n' >/etc/apt/preferences.d/trixie \\
    && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends -t trixie \\
    python3.13-venv docker-compose docker-cli && rm -rf /var/lib/apt/lists/*
RUN python3 -m pip install -q -U pip && python3.13 -m venv --without-pip /opt/harbor \\
    && python3 -m pip --python /opt/harbor/bin/python install --no-cache-dir -q harbor=={VERSION}
ENV PATH=/opt/harbor/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""


def main() -> None:
    """Export, run both agents, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=list(ExportedSetting), default=ExportedSetting.SINGLE)
    parser.add_argument("--repo")
    parser.add_argument("--concurrent", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="Folder for the tasks and Harbor's jobs.")
    options = parser.parse_args()
    build = ["docker", "build", "--quiet", "--network", "host", "--tag", IMAGE, "-"]
    subprocess.run(build, input=DOCKERFILE.encode(), check=True)
    with tempfile.TemporaryDirectory(prefix="cooperbench-harbor-") as scratch:
        place = (options.keep or Path(scratch)).resolve()
        groups = discover_groups(discover_tasks(subset="demo", repo=options.repo), subset="demo")
        setting = ExportedSetting(options.setting)
        export_harbor(groups, place / "tasks", setting=setting, base_image="cooperbench-test/base")
        print("| agent | trials | without a reward | mean reward |\n|---|---|---|---|")
        for agent in ("oracle", "nop"):
            rewards = run(place, agent, options.concurrent)
            known = [reward for reward in rewards if reward is not None]
            mean = sum(known) / len(known) if known else float("nan")
            print(f"| {agent} | {len(rewards)} | {len(rewards) - len(known)} | {mean:.3f} |", flush=True)


def run(place: Path, agent: str, concurrent: int) -> list[float | None]:
    """Run all tasks with an agent, and return the reward of each trial."""
    mounts = ["-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", f"{place}:{place}"]
    command = ["harbor", "run", "--path", str(place / "tasks"), "--agent", agent, "--jobs-dir", str(place / "jobs")]
    command += ["--job-name", agent, "--n-concurrent", str(concurrent), "--yes", "--quiet"]
    subprocess.run(
        ["docker", "run", "--rm", "--network", "host", *mounts, IMAGE, *command], check=True, stdout=subprocess.DEVNULL
    )
    trials = [path for path in (place / "jobs" / agent).iterdir() if path.is_dir()]
    return [reward_of(trial / "verifier" / "reward.json") for trial in trials]


def reward_of(path: Path) -> float | None:
    """Return the reward in a file, if it is there."""
    return json.loads(path.read_text())["reward"] if path.is_file() else None


if __name__ == "__main__":
    main()
