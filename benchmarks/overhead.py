"""What the harness adds to a scripted episode: time that is neither the model's nor a command's.

python benchmarks/overhead.py [turns] [delay]
"""

import sys
import tempfile
from pathlib import Path

from teams import write_script

from cooperbench import run


def main() -> None:
    turns, delay = int(sys.argv[1]) if len(sys.argv) > 1 else 10, float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with tempfile.TemporaryDirectory() as folder:
        model = write_script(Path(folder) / "script.yaml", turns=turns, delay=delay)
        for attempt in ("cold", "warm"):
            result = run(
                f"overhead-{attempt}",
                model_name=model,
                subset="demo",
                repo="shelfdb",
                features=(1, 2),
                log_dir=folder,
                auto_eval=False,
            )
            episode = result.episodes[0].result
            assert episode is not None
            waiting = turns * delay
            whole = episode.duration_seconds
            ends = [member.ended_at for member in episode.agents.values()]
            starts = [member.started_at for member in episode.agents.values()]
            agents = max((end - start).total_seconds() for start, end in zip(starts, ends, strict=True))
            share = 100 * (whole - waiting) / whole
            print(
                f"{attempt}: {whole:.2f} s, of which the model {waiting:.2f} s; an agent {agents:.2f} s; harness {share:.1f}%"
            )


if __name__ == "__main__":
    main()
