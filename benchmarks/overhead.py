"""What the harness adds to a scripted episode: time that is neither the model's nor a command's.

    python benchmarks/overhead.py [turns] [delay] [episodes]

Runs the episodes one after the other and prints the share of each, the median, and what the run took beside its episodes: that is
paid once (imports, broker, images, a first look at the run directory, the summary).
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from teams import write_script

from cooperbench import run


def main() -> None:
    words = sys.argv[1:]
    turns = int(words[0]) if words else 10
    delay = float(words[1]) if len(words) > 1 else 2.0
    episodes = int(words[2]) if len(words) > 2 else 3
    waiting = turns * delay
    with tempfile.TemporaryDirectory() as folder:
        model = write_script(Path(folder) / "script.yaml", turns=turns, delay=delay)
        shares = []
        inside = 0.0
        began = time.monotonic()
        for number, pair in enumerate(((1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7))[:episodes]):
            result = run(
                f"overhead-{number}",
                model_name=model,
                subset="demo",
                repo="shelfdb",
                features=pair,
                log_dir=folder,
                auto_eval=False,
            )
            episode = result.episodes[0].result
            assert episode is not None
            whole = episode.duration_seconds
            inside += whole
            ends = [member.ended_at for member in episode.agents.values()]
            starts = [member.started_at for member in episode.agents.values()]
            agents = max((end - start).total_seconds() for start, end in zip(starts, ends, strict=True))
            shares.append(100 * (whole - waiting) / whole)
            print(
                f"{whole:.2f} s, of which the model {waiting:.2f} s; an agent {agents:.2f} s; harness {shares[-1]:.1f}%"
            )
        beside = (time.monotonic() - began - inside) / episodes
        print(f"median {statistics.median(shares):.1f}% of an episode; {beside:.2f} s for each run beside its episode")


if __name__ == "__main__":
    main()
