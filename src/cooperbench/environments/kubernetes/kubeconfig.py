"""The cluster that kubectl would use: `$KUBECONFIG`, then `~/.kube/config`, then the one in which this program runs.

lightkube looks into the pod's service account first, and reads one file; kubectl prefers what the user has set, and takes several.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cooperbench.errors import SandboxCredentialsError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from lightkube import KubeConfig
    from lightkube.config.kubeconfig import SingleConfig
    from lightkube.config.models import User

LOGIN_REQUEST = "KUBERNETES_EXEC_INFO"
LOGIN, OLDER_LOGIN = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"
"""Versions of the protocol of login programs, which differ in nothing that lightkube reads; it takes only the older one."""
NO_CLUSTER = "set KUBECONFIG, or make ~/.kube/config with your provider's tool; then try: kubectl get pods"


def find_config(context: str) -> "SingleConfig":
    """Return a context, the current one for an empty name. Raises `UsageError`, `SandboxCredentialsError`."""
    files = _files()
    configs = [_read(path) for path in files]
    if not configs:
        return _of_this_pod()
    wanted = context or next((config.current_context for config in configs if config.current_context), None)
    place = os.pathsep.join(map(str, files))
    if wanted is None:
        raise UsageError(f"{place} has no current context", subject=place, hint="kubectl config use-context NAME")
    for path, config in zip(files, configs, strict=True):
        if wanted in config.contexts:
            return _chosen(path, config, wanted)
    names = [name for config in configs for name in config.contexts]
    raise UnknownNameError("context", wanted, names, hint="see: kubectl config get-contexts")


def _files() -> list[Path]:
    named = [Path(path).expanduser() for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    found = [path for path in named or [Path("~/.kube/config").expanduser()] if path.is_file()]
    if named and not found:
        raise UsageError(f"KUBECONFIG names {named[0]}, which does not exist", subject=str(named[0]), hint=NO_CLUSTER)
    return found


def _read(path: Path) -> "KubeConfig":
    import msgspec
    import yaml
    from lightkube import KubeConfig

    try:
        return KubeConfig.from_file(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, msgspec.MsgspecError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"{path} is not a kubeconfig file: {reason}", subject=str(path), hint="try: kubectl config view"
        ) from error


def _chosen(path: Path, config: "KubeConfig", name: str) -> "SingleConfig":
    from lightkube.core.exceptions import ConfigError

    try:
        found = config.get(name)
    except (KeyError, ConfigError) as error:
        raise UsageError(
            f"the context {name!r} in {path} names {error}, which is not there",
            subject=name,
            hint="kubectl config get-contexts",
        ) from error
    assert found is not None, "a context that exists"
    return found._replace(user=_with_login_program(found.user))


def _with_login_program(user: "User | None") -> "User | None":
    """Let lightkube ask a login program as kubectl does: also in version 1 of its protocol, and with what the program expects."""
    import msgspec
    from lightkube.config.models import NameValue

    program = user.exec if user is not None else None
    if user is None or program is None:
        return user
    asked = {"kind": "ExecCredential", "apiVersion": program.apiVersion, "spec": {"interactive": False}}
    variables = [*(program.env or ()), NameValue(name=LOGIN_REQUEST, value=json.dumps(asked))]
    version = OLDER_LOGIN if program.apiVersion == LOGIN else program.apiVersion
    return msgspec.structs.replace(user, exec=msgspec.structs.replace(program, apiVersion=version, env=variables))


def _of_this_pod() -> "SingleConfig":
    from lightkube import KubeConfig
    from lightkube.core.exceptions import ConfigError

    try:
        found = KubeConfig.from_service_account().get()
    except (ConfigError, KeyError) as error:
        raise SandboxCredentialsError(
            "no cluster is set up here: KUBECONFIG is not set, and ~/.kube/config does not exist",
            subject="kubernetes",
            hint=NO_CLUSTER,
        ) from error
    assert found is not None, "the service account's own context"
    return found
