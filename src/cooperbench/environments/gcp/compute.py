"""The part of the Compute Engine API that we need, through the unmodified SDK.

Two facts shape this module. The SDK's `insert().result()` polls the public endpoint even when another is configured, so our own
`ZoneOperationsClient` waits for operations. A zone without capacity accepts the request and reports it in the operation's
errors; an exhausted quota is refused at once with HTTP 403.
"""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from cooperbench.errors import (
    CapacityError,
    CooperBenchError,
    MissingExtraError,
    QuotaError,
    SandboxCredentialsError,
    SandboxError,
    TransportError,
)

NETWORK = "check the network, or use --backend local or --backend docker"
ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
NO_ROOM = (
    "ZONE_RESOURCE_POOL_EXHAUSTED",
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
    "STOCKOUT",
    "RESOURCE_EXHAUSTED",
)
OUT_OF_QUOTA = ("QUOTA_EXCEEDED", "QUOTA_LIMIT_EXCEEDED")
QUOTA_REASONS = ("quotaExceeded", "Quota ", "QUOTA")
SIGN_IN = "gcloud auth application-default login"


def compute_sdk() -> Any:
    """Import the SDK. Raises `MissingExtraError`."""
    try:
        installed = find_spec("google.cloud.compute_v1") is not None and find_spec("asyncssh") is not None
    except ModuleNotFoundError:  # not even the package `google` around it
        installed = False
    if not installed:
        raise MissingExtraError("the backend 'gcp'", "gcp")
    from google.cloud import compute_v1

    return compute_v1


class Compute:
    """One project's virtual machines."""

    def __init__(self, project: str) -> None:
        from google.api_core.client_options import ClientOptions

        self.project = project
        sdk = compute_sdk()
        endpoint = os.environ.get(ENDPOINT_VARIABLE, "").rstrip("/").removesuffix("/compute/v1") or None
        options = ClientOptions(api_endpoint=endpoint) if endpoint else None
        with our_errors(project):
            self._instances = sdk.InstancesClient(client_options=options)
            self._operations = sdk.ZoneOperationsClient(client_options=options)

    def create(self, zone: str, instance: Any) -> None:
        """Create a machine and wait until it runs. Raises `CapacityError` when the zone has no capacity, `QuotaError`."""
        sdk = compute_sdk()
        request = sdk.InsertInstanceRequest(
            project=self.project,
            zone=zone,
            instance_resource=instance,
            request_id=str(uuid.uuid4()),  # makes a repeated delivery by the SDK create nothing
        )
        with our_errors(f"{self.project}/{zone}"):
            self._wait(self._instances.insert_unary(request=request), zone)

    def get(self, zone: str, name: str) -> Any | None:
        """Return a machine as the provider describes it; `None` when it does not exist."""
        from google.api_core.exceptions import NotFound

        with our_errors(name):
            try:
                return self._instances.get(project=self.project, zone=zone, instance=name)
            except NotFound:
                return None

    def delete(self, zone: str, name: str, *, wait: bool = True) -> None:
        """Delete a machine. One that is already gone is fine."""
        from google.api_core.exceptions import NotFound

        with our_errors(name):
            try:
                operation = self._instances.delete_unary(project=self.project, zone=zone, instance=name)
                if wait:
                    self._wait(operation, zone)
            except NotFound:
                return

    def host_keys(self, zone: str, name: str) -> list[tuple[str, str]]:
        """Return kind and key of the machine's SSH host keys, as the provider reports them; empty until it has started."""
        from google.api_core.exceptions import NotFound

        request = compute_sdk().GetGuestAttributesInstanceRequest(
            project=self.project, zone=zone, instance=name, query_path="hostkeys/"
        )
        with our_errors(name):
            try:
                answer = self._instances.get_guest_attributes(request=request)
            except NotFound:
                return []
        return [(item.key, item.value) for item in answer.query_value.items]

    def list(self, labels: str) -> Iterator[tuple[str, Any]]:
        """Yield zone and machine of everything that matches a filter such as `labels.cooperbench=1`."""
        request = compute_sdk().AggregatedListInstancesRequest(project=self.project, filter=labels)
        with our_errors(self.project):
            for scope, found in self._instances.aggregated_list(request=request):
                for instance in found.instances:
                    yield scope.removeprefix("zones/"), instance

    def _wait(self, operation: Any, zone: str) -> None:
        done = compute_sdk().Operation.Status.DONE
        while operation.status != done:
            operation = self._operations.wait(project=self.project, zone=zone, operation=operation.name)
        errors = list(operation.error.errors)
        if not errors:
            return
        text = "; ".join(f"{error.code}: {error.message}" for error in errors)
        codes = {error.code for error in errors}
        if codes & set(NO_ROOM):
            raise CapacityError(f"{zone} has no capacity: {text}", subject=zone)
        if codes & set(OUT_OF_QUOTA):
            raise _quota(text, zone)
        raise SandboxError(f"Compute Engine: {text}", subject=zone)


@contextmanager
def our_errors(subject: str) -> Iterator[None]:
    """Translate the SDK's errors to classes below `SandboxError`."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.auth.exceptions import TransportError as AuthTransportError

    try:
        yield
    except CooperBenchError:
        raise
    except AuthTransportError as error:
        raise TransportError(f"cannot reach Google Cloud: {error}", subject=subject, hint=NETWORK) from error
    except (GoogleAuthError, exceptions.Unauthorized) as error:
        raise SandboxCredentialsError(
            f"Google Cloud rejected the credentials: {_text(error)}", subject=subject, hint=SIGN_IN
        ) from error
    except exceptions.Forbidden as error:
        if any(word in str(error) for word in QUOTA_REASONS):
            raise _quota(_text(error), subject) from error
        raise SandboxCredentialsError(
            f"Google Cloud refused: {_text(error)}",
            subject=subject,
            hint="the account needs the role roles/compute.instanceAdmin.v1 in this project",
        ) from error
    except exceptions.TooManyRequests as error:
        raise CapacityError(f"Compute Engine throttled the request: {_text(error)}", subject=subject) from error
    except (exceptions.ServerError, exceptions.RetryError, ConnectionError, TimeoutError) as error:
        raise TransportError(f"cannot reach Compute Engine: {_text(error)}", subject=subject, hint=NETWORK) from error
    except exceptions.GoogleAPICallError as error:
        raise SandboxError(f"Compute Engine refused: {_text(error)}", subject=subject) from error


def _quota(text: str, subject: str) -> QuotaError:
    return QuotaError(
        f"the project's quota is exhausted: {text}",
        subject=subject,
        hint="request more at https://console.cloud.google.com/iam-admin/quotas, or lower --concurrency",
    )


def _text(error: Exception) -> str:
    message = " ".join((getattr(error, "message", None) or str(error)).split())
    return re.sub(r"^[A-Z]+ https?://\S+: ", "", message)[:500]
