"""The only module that imports the Modal SDK. It translates the SDK's errors to ours."""

import os
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

from pydantic import Field

from cooperbench.environments.configuration import BackendSettings, Prompt, read_config
from cooperbench.environments.translation import translated_by
from cooperbench.errors import (
    CapacityError,
    ImageError,
    MissingExtraError,
    QuotaError,
    SandboxCredentialsError,
    SandboxError,
    SandboxLostError,
    TransportError,
)

SETTINGS = {
    # Older builders run pip in every image, which fails in images without Python.
    "MODAL_IMAGE_BUILDER_VERSION": "2025.06",
    # Unbounded, the SDK waits as long as the server throttles. Our limiter can spread the creations; the SDK cannot.
    "MODAL_MAX_THROTTLE_WAIT": "20",
}
CONFIGURED = {"profile": "MODAL_PROFILE", "environment": "MODAL_ENVIRONMENT"}
"""The settings of `cooperbench config modal`, and the SDK's own names for them."""
SIGN_IN = "modal token new, or cooperbench config modal"


class ModalSettings(BackendSettings):
    """The table `[modal]`."""

    backend: ClassVar[str] = "modal"
    guide: ClassVar[str] = (
        "Set up Modal, which runs sandboxes in its cloud.\n\n"
        "Log in with `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET."
    )
    first_steps: ClassVar[str] = "Log in first, if necessary in another terminal:  modal token new"

    profile: Annotated[str, Prompt("Profile (empty: the active profile)")] = Field(
        "", description="Profile in ~/.modal.toml; see `modal profile list`."
    )
    environment: Annotated[str, Prompt("Environment (empty: the default)")] = Field(
        "", description="Environment in the Modal workspace."
    )


def modal_sdk() -> Any:
    """Import the SDK. Raises `MissingExtraError`."""
    if find_spec("modal") is None:
        raise MissingExtraError("the backend 'modal'", "modal")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    stored = read_config("modal")
    for name, variable in CONFIGURED.items():
        if stored.get(name):
            os.environ.setdefault(variable, stored[name])
    import modal

    return modal


def our_errors(subject: str) -> AbstractContextManager[None]:
    """Translate the SDK's errors to classes below `SandboxError`."""
    return translated_by(translate, subject)


def translate(error: Exception, subject: str) -> SandboxError | None:
    """Return our error for one of the SDK's, or `None` for one that is neither the SDK's nor the network's.

    `subject` is the image's name before there is a sandbox, then the sandbox's id.
    """
    known = modal_sdk().exception
    text = str(error) or type(error).__name__
    if isinstance(error, known.ImageBuildError | known.RemoteError):
        hint = "check the image's name, and that Modal may pull it"
        return ImageError(f"Modal cannot start from {subject}: {_last_line(text)}", subject=subject, hint=hint)
    if isinstance(error, known.AuthError | known.PermissionDeniedError):
        return SandboxCredentialsError(f"Modal rejected the credentials: {text}", subject="modal", hint=SIGN_IN)
    if isinstance(error, known.ResourceExhaustedError):
        if any(word in text.lower() for word in ("quota", "spend", "budget", "billing")):
            return QuotaError(
                f"Modal: {text}", subject="modal", hint="see the workspace's limits at modal.com/settings"
            )
        return CapacityError(f"Modal has no capacity at this moment: {text}", subject="modal")
    gone = (known.NotFoundError, known.SandboxTerminatedError, known.SandboxTimeoutError, known.ClientClosed)
    if isinstance(error, (*gone, known.ConflictError)):
        return SandboxLostError(f"the Modal sandbox is gone: {text}", subject=subject)
    broken = (known.ServiceError, known.InternalError, known.ConnectionError, known.TimeoutError, known.DataLossError)
    if isinstance(error, (*broken, ConnectionError, TimeoutError, OSError)):
        hint = "check the network, or use --backend local or --backend docker"
        return TransportError(f"cannot reach Modal: {text}", subject=subject, hint=hint)
    if isinstance(error, known.Error):
        return SandboxError(f"Modal refused: {text}", subject=subject)
    return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else text
