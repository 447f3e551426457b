"""The backend `modal`: sandboxes in Modal's cloud, by the unmodified SDK (extra `modal`)."""

from typing import Any

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.modal.backend import ModalBackend
from cooperbench.environments.supervised import SupervisedEnvironment

__all__ = ["ModalBackend", "ModalEnvironment"]


class ModalEnvironment(SupervisedEnvironment):
    """A sandbox at Modal. `timeout` is its lifetime in seconds; `options` are further fields of `EnvironmentOptions`."""

    def __init__(self, image: str, cwd: str = "/workspace/repo", timeout: float = 3600, **options: Any) -> None:
        super().__init__("modal", image, options=EnvironmentOptions(cwd=cwd, lifetime=timeout, **options))
