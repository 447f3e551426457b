"""What the paper printed: counts of 652 pairs for five models, areas under the difficulty curve, the pooled curve of its site."""

import re
from dataclasses import dataclass

PAIRS = 652


@dataclass(frozen=True)
class PublishedModel:
    """One model's row in the paper."""

    name: str
    pattern: str
    """Names of this model in runs, without the provider's prefix."""
    solo: int
    """Passed of 652."""
    coop: int
    auc_solo: float
    auc_coop: float


MODELS = (
    PublishedModel("GPT-5", r"gpt-?5(-20\d\d.*)?", 315, 183, 0.506, 0.325),
    PublishedModel("Claude 4.5", r"claude-(sonnet-)?4[.-]5.*", 307, 168, 0.469, 0.283),
    PublishedModel("MiniMax-M2", r"minimax-?m2", 236, 91, 0.374, 0.171),
    PublishedModel("Qwen3-Coder", r"qwen-?3-coder.*", 141, 87, 0.236, 0.148),
    PublishedModel("Qwen3-Instruct", r"qwen-?3(?!-coder).*instruct.*", 41, 30, 0.106, 0.072),
)
AUC_POOLED = (0.338, 0.200)
"""Solo and coop over the five models, as printed in Table 5; the curve of the site gives .343 and .199."""
CURVE = {
    0.05: (0.75, 0.72),
    0.25: (0.58, 0.30),
    0.35: (0.45, 0.18),
    0.45: (0.42, 0.20),
    0.55: (0.35, 0.11),
    0.65: (0.28, 0.13),
    0.75: (0.18, 0.12),
    0.85: (0.10, 0.05),
    0.95: (0.05, 0.05),
}
"""Solo and coop rates by midpoint of the bucket; no pair fell into the bucket around .15."""


def published_model(name: str) -> PublishedModel | None:
    """Find the published row of a model by the name that a run gave it, such as `openai/gpt-5`."""
    plain = name.rsplit("/", 1)[-1].lower().replace("_", "-").replace(" ", "-")
    return next((model for model in MODELS if re.fullmatch(model.pattern, plain)), None)


def of_pairs(passed: int) -> str:
    """Write a published count."""
    return f"{100 * passed / PAIRS:.1f} % ({passed}/{PAIRS})"
