"""Opening environments by the name of their backend, and attaching to running ones."""

from cooperbench.environments.contract import Environment, EnvironmentOptions, SandboxHandle, SandboxLabels
from cooperbench.environments.supervised import SupervisedEnvironment


def open_environment(
    backend: str, image: str, *, options: EnvironmentOptions | None = None, labels: SandboxLabels | None = None
) -> Environment:
    """Start a sandbox from an image. An active scope may choose another backend, options and labels.

    Raises `UnknownNameError`, `CapabilityError`, `ImageError` and the other classes below `SandboxError`.
    """
    return SupervisedEnvironment(backend, image, options=options, labels=labels)


def attach(handle: SandboxHandle) -> Environment:
    """Connect to a sandbox that another process started. Raises `SandboxLostError` when it is gone."""
    return SupervisedEnvironment.attached(handle)
