"""Labels and annotations of pods. Labels are short and of few characters, and found by selectors; annotations hold the whole names."""

import hashlib
import re

from cooperbench.environments.contract import SandboxLabels

MARK = "cooperbench"
"""The label of everything of ours."""
RUN, EPISODE, AGENT, OWNER = (f"{MARK}-{name}" for name in ("run", "episode", "agent", "owner"))
NETWORK = f"{MARK}-network"
"""The label of pods that a policy selects: its name."""
_LABEL = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def label_value(text: str) -> str:
    """Return a name as a label; one that is too long or has other characters gets a digest in place of its end."""
    if not text or _LABEL.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{re.sub('[^A-Za-z0-9]+', '-', text)[:48].strip('-') or 'x'}-{digest}"


def labels_of(labels: SandboxLabels) -> dict[str, str]:
    """Return the labels of a pod."""
    return {MARK: "sandbox"} | {key: label_value(value) for key, value in annotations_of(labels).items() if value}


def annotations_of(labels: SandboxLabels) -> dict[str, str]:
    """Return the annotations of a pod."""
    return {RUN: labels.run, EPISODE: labels.episode, AGENT: labels.agent_id, OWNER: labels.owner}
