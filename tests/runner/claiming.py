"""A process that claims folders, works in them for a moment and publishes: `python claiming.py ROOT LOG SEED GROUPS PATIENCE`."""

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

from cooperbench.records import EpisodeDirectory
from cooperbench.records.claims import Claimant
from cooperbench.runner.engine.claims import ClaimLost, ClaimOptions, Claims

PARTS = 3
SPANS = (0.02, 0.1, 0.4)
"""Seconds that a group takes."""


def main(root: Path, log: Path, seed: int, groups: int, patience: float) -> None:
    drawn = random.Random(seed)
    # A clock of its own, up to an hour off: worse than a file server's.
    skew = drawn.uniform(-3600, 3600)
    real = os.utime
    os.utime = lambda path, times=None, **more: real(path, (time.time() + skew,) * 2)
    claims = Claims(ClaimOptions(patience), Claimant.of_this_process())
    left = [f"g{number:03}" for number in range(groups)]
    drawn.shuffle(left)
    while left:
        idle = True
        for name in list(left):
            episode = EpisodeDirectory(root / name)
            if (episode.path / "part0").exists():
                left.remove(name)
            elif number := claims.take(episode):
                idle = False
                say(log, "took", name, number)
                if work(claims, episode, name, number, drawn):
                    say(log, "published", name, number)
                    left.remove(name)
        if idle:
            time.sleep(claims.options.beat)


def work(claims: Claims, episode: EpisodeDirectory, name: str, number: int, drawn: random.Random) -> bool:
    over = threading.Event()

    def beat() -> None:
        while not over.wait(claims.options.beat):
            try:
                claims.beat(episode, number)
            except ClaimLost:
                return

    beating = threading.Thread(target=beat)
    beating.start()
    folder, span = episode.attempt(number).path, drawn.choice(SPANS)
    folder.mkdir()
    for part in range(PARTS):
        (folder / f"part{part}").write_text(json.dumps([name, number, os.getpid()]))
        time.sleep(span / PARTS)
    over.set()
    beating.join()
    try:
        claims.publish(episode, number, episode.attempt(number))
    except ClaimLost:
        return False
    return True


def say(log: Path, event: str, name: str, number: int) -> None:
    with log.open("a") as stream:
        stream.write(json.dumps([time.time(), os.getpid(), event, name, number]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
