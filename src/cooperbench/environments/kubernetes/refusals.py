"""What the API server and the network answer, as our errors.

Kubernetes says most things by a status code and a sentence. Where one code stands for several causes, the words of the sentence decide.
"""

import ssl
from contextlib import AbstractContextManager

from cooperbench.environments.translation import translated_by
from cooperbench.errors import (
    CapabilityError,
    CapacityError,
    QuotaError,
    SandboxCredentialsError,
    SandboxError,
    SandboxLostError,
    TransportError,
)

TOO_MANY_REQUESTS = 429
LONGEST_PAUSE = 30.0
BROKEN_ATTEMPTS = 3
RIGHTS = "give yourself the role of docs/scale.md; see: kubectl auth can-i --list -n NAMESPACE"
LOG_IN = "log in to the cluster again; try: kubectl get pods"
REACH = "check the network and the address in the kubeconfig file; try: kubectl get pods"


def our_errors(subject: str) -> AbstractContextManager[None]:
    """Translate errors of lightkube and its HTTP client to classes below `SandboxError`."""
    return translated_by(translate, subject)


def innermost(error: BaseException) -> BaseException:
    """Return the error itself: task groups wrap even a single one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def translate(raised: BaseException, subject: str) -> SandboxError | None:
    """Return our error for one of lightkube or the network, or `None` for one that is neither."""
    import httpx2
    import wsproto
    from httpx2 import websockets
    from lightkube.core.exceptions import ConfigError

    error = innermost(raised)
    if isinstance(error, websockets.WebSocketUpgradeError):
        said = "you cannot run commands in pods" if error.response.status_code == 403 else ""
        return refusal(error.response.status_code, said, subject)
    if isinstance(error, httpx2.HTTPStatusError):
        return refusal(error.response.status_code, said_by(error), subject)
    if isinstance(error, ConfigError | FileNotFoundError | PermissionError):  # the latter: its login program
        return SandboxCredentialsError(f"cannot log in: {one_line(error)}", subject=subject, hint=LOG_IN)
    if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
        return SandboxCredentialsError(
            f"the API server's certificate is not trusted: {one_line(error)}", subject=subject, hint=REACH
        )
    broken = (httpx2.RequestError, websockets.HTTPXWSException, wsproto.utilities.ProtocolError, OSError)
    if isinstance(error, broken):
        return TransportError(f"cannot reach the cluster: {one_line(error)}", subject=subject, hint=REACH)
    if isinstance(error, httpx2.InvalidURL):
        return SandboxCredentialsError(f"the server's address is wrong: {error}", subject=subject, hint=REACH)
    return None


def refusal(code: int, said: str, subject: str) -> SandboxError:
    """Return our error for a status code and what the server said with it."""
    if code == 401:
        return SandboxCredentialsError("the cluster rejects the credentials", subject=subject, hint=LOG_IN)
    if code == 403:
        return _forbidden(said, subject)
    if code == 404 and said.startswith("namespaces "):
        name = said.split('"')[1]
        return SandboxError(
            f"the namespace {name!r} does not exist", subject=name, hint=f"kubectl create namespace {name}"
        )
    if code == 404:
        return SandboxLostError(f"the pod is gone: {said or subject}", subject=subject)
    if code == TOO_MANY_REQUESTS:
        return CapacityError(f"the API server throttles: {said or 'too many requests'}", subject=subject)
    if code == 409 or code >= 500:
        return TransportError(f"the API server answers {code}: {said or 'no reason'}", subject=subject)
    return SandboxError(f"the cluster refuses {subject}: {said or code}", subject=subject)


def _forbidden(said: str, subject: str) -> SandboxError:
    if "exceeded quota" in said:
        hint = "lower -c, or ask for more: kubectl describe quota"
        return QuotaError(f"the namespace's quota is used up: {said}", subject=subject, hint=hint)
    if "violates PodSecurity" in said:
        hint = "allow baseline: kubectl label namespace NAME pod-security.kubernetes.io/enforce=baseline --overwrite"
        return CapabilityError(f"the namespace does not admit our pods: {said}", subject=subject, hint=hint)
    if " cannot " in said or not said:
        return SandboxCredentialsError(
            f"you may not do this in the cluster: {said or subject}", subject=subject, hint=RIGHTS
        )
    return SandboxError(f"the cluster refuses {subject}: {said}", subject=subject, hint="kubectl describe namespace")


def pause_before_retry(raised: BaseException, attempt: int) -> float | None:
    """Return the seconds after which to try again what may be done twice; `None` when that is of no use.

    A throttled request waits for as long as the server says, as kubectl does.
    """
    import httpx2

    error = innermost(raised)
    if isinstance(error, httpx2.HTTPStatusError):
        if error.response.status_code == TOO_MANY_REQUESTS:
            return retry_after(error.response.headers.get("Retry-After"))
        broken = error.response.status_code >= 500
    else:
        # A server that does not answer at all has been waited for.
        broken = isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.ConnectTimeout)
    return 0.2 * 2**attempt if broken and attempt < BROKEN_ATTEMPTS - 1 else None


def retry_after(header: str | None) -> float:
    """Return the seconds of a Retry-After header; one second without."""
    try:
        return min(LONGEST_PAUSE, max(0.0, float(header or 1)))
    except ValueError:  # a date, which API servers do not send
        return 1.0


def said_by(error: BaseException) -> str:
    """Return the sentence of a Status; empty for an answer that is not one, such as a proxy's page."""
    from lightkube import ApiError

    return " ".join((error.status.message or "").split()) if isinstance(error, ApiError) else ""


def one_line(error: BaseException) -> str:
    """Return an error's text in one line."""
    return " ".join(str(error).split()) or type(error).__name__
