"""The card of a bundle as a data set on the Hugging Face hub: its header lets `datasets` load the rows."""

import json
import re

from cooperbench.publishing.rows import EPISODES, MEMBERS
from cooperbench.records.published import PublishedResult, PublishedRun
from cooperbench.records.visible import one_line

_CARD = """---
pretty_name: {name}
{licence}tags:
- cooperbench
configs:
- config_name: episodes
  default: true
  data_files:
  - split: train
    path: {episodes}
- config_name: members
  data_files:
  - split: train
    path: {members}
---

# {title}

Results on CooperBench under the policy `{policy}`. `cooperbench verify` checks this folder and judges its patches again.

| run | setting | groups | passed | 95 % interval | cost |
|---|---|---|---|---|---|
{runs}

`{episodes}` has a row for each episode, `{members}` one for each member. {trajectories}
"""


def dataset_card(statement: PublishedResult) -> str:
    """Return the card as Markdown with a header in YAML."""
    licence = statement.trajectories
    about = f"Trajectories are under the licence {_cell(licence)}." if licence else "Trajectories are not included."
    return _CARD.format(
        name=json.dumps(f"CooperBench: {statement.team}"),  # a JSON text is one of YAML, too
        licence=f"license: {_hub_licence(licence)}\n" if licence else "",
        episodes=EPISODES,
        members=MEMBERS,
        title=_cell(statement.team),
        policy=statement.policy,
        runs="\n".join(map(_row, statement.runs)),
        trajectories=about,
    )


def _row(run: PublishedRun) -> str:
    found = run.groups
    cost = "?" if run.cost is None else f"${run.cost:,.2f}"
    interval = f"{100 * found.low:.1f} to {100 * found.high:.1f} %"
    return f"| {_cell(run.run)} | {run.setting} | {found.groups} | {100 * found.rate:.1f} % | {interval} | {cost} |"


def _cell(text: str) -> str:
    """Return a text in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&])", r"\\\1", one_line(text))


def _hub_licence(licence: str) -> str:
    """Return an SPDX identifier as the hub writes it, in lower case; other licences are `other`."""
    return licence.lower() if re.fullmatch(r"[A-Za-z0-9.+-]+", licence) else "other"
