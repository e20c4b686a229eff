"""What runs: the containers of pods and the processes of one machine, read alike."""

from __future__ import annotations

import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies import tokens
from policies.model import UNKNOWN, Resource, Stack, items

TEMPLATES = {
    tokens.DEPLOYMENT: "spec.template",
    tokens.JOB: "spec.template",
    tokens.CRON_JOB: "spec.jobTemplate.spec.template",
}
DATABASE_VARIABLES = ("MLFLOW_BACKEND_STORE_URI", "MLOPS_AUTH_DATABASE_URI")
PROXY_FILE, IDENTITY_FILE = "oauth2-proxy.cfg", "identity.json"


@dataclass(frozen=True)
class Container:
    """One process: of a pod (`raw` is its Kubernetes definition) or of this machine (`raw` is None)."""

    resource: Resource
    name: str
    image: Any
    command: tuple[Any, ...]
    env: Mapping[str, Any]
    ports: tuple[Any, ...]
    raw: Mapping[str, Any] | None = None

    @property
    def is_server(self) -> bool:
        """The MLflow tracking server: MLflow's own command, the platform's, or anything that keeps a backend store."""
        other_task = self._runs("mlops", "tracking") and not self._runs("mlops", "tracking", "serve")
        return (
            self._runs("mlflow", "server")
            or ("MLFLOW_BACKEND_STORE_URI" in self.env and not other_task)
            or (self._runs("mlops", "tracking", "serve"))
        )

    @property
    def is_proxy(self) -> bool:
        """The OAuth2 proxy."""
        return any("oauth2-proxy" in str(part) for part in (*self.command[:1], self.image))

    @property
    def is_model_server(self) -> bool:
        """A served model: the platform's server or MLflow's."""
        return (
            self._runs("mlops", "serving", "serve")
            or self._runs("mlflow", "models", "serve")
            or ("MLOPS_MODEL_NAME" in self.env)
        )

    def _runs(self, *words: str) -> bool:
        parts = [str(part).rpartition("/")[2] for part in self.command]
        return tuple(parts[: len(words)]) == words


def pod(resource: Resource) -> Mapping[str, Any]:
    """The pod's spec; empty for what makes no pods."""
    spec = resource.get(f"{TEMPLATES[resource.type]}.spec") if resource.type in TEMPLATES else None
    return spec if isinstance(spec, Mapping) else {}


def pod_labels(resource: Resource) -> Mapping[str, Any]:
    """The labels that the pods of `resource` carry."""
    labels = resource.get(f"{TEMPLATES[resource.type]}.metadata.labels") if resource.type in TEMPLATES else None
    return labels if isinstance(labels, Mapping) else {}


def containers(resource: Resource) -> list[Container]:
    """The containers of one resource, init containers too."""
    if resource.type in TEMPLATES:
        spec = pod(resource)
        return [
            _of_pod(resource, each) for key in ("initContainers", "containers") for each in items(spec.get(key) or ())
        ]
    if resource.type in (tokens.LOCAL_PROCESS, tokens.LOCAL_TASK):
        return [
            Container(
                resource=resource,
                name=str(resource.get("name")),
                image=None,
                command=tuple(resource.every("definition.command")),
                env=_mapping(resource.get("definition.env")),
                ports=tuple(resource.every("ports")),
            )
        ]
    return []


def running(stack: Stack) -> Iterator[Container]:
    """Every container of the stack."""
    return (container for resource in stack.of(*tokens.WORKLOADS) for container in containers(resource))


def servers(stack: Stack) -> list[Container]:
    """The MLflow tracking servers."""
    return [container for container in running(stack) if container.is_server]


def model_servers(stack: Stack) -> list[Container]:
    """The served models."""
    return [container for container in running(stack) if container.is_model_server]


def is_platform(stack: Stack) -> bool:
    """Whether the stack runs anything of MLflow; nothing is missing from one that does not."""
    return any("MLFLOW_TRACKING_URI" in each.env or each.is_server or each.is_model_server for each in running(stack))


def selects(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector (its `matchLabels`; none selects everything) picks a pod with these labels."""
    return isinstance(selector, Mapping) and all(labels.get(key) == value for key, value in selector.items())


def proxy_settings(resource: Resource) -> Mapping[str, Any] | None:
    """The OAuth2 proxy's configuration file in `resource`; None where there is none or its text is not known yet."""
    text = _file(resource, PROXY_FILE)
    return tomllib.loads(text) if isinstance(text, str) else None


def identity_settings(resource: Resource) -> Mapping[str, Any] | None:
    """The tracking server's identity file in `resource`; None where there is none or its text is not known yet."""
    text = _file(resource, IDENTITY_FILE)
    document = json.loads(text) if isinstance(text, str) else None
    return document if isinstance(document, Mapping) else None


def loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(listen: str) -> str:
    """The host of HOST:PORT."""
    return listen.rpartition(":")[0]


def url_host(url: str) -> str:
    """The host of an http or https URL; empty for anything else."""
    found = re.match(r"https?://(\[[^\]]+\]|[^/:]+)", url)
    return found[1] if found else ""


def _file(resource: Resource, name: str) -> Any:
    for input_ in ("stringData", "data", "secret_files"):
        files = resource.get(input_)
        if isinstance(files, Mapping) and name in files:
            return files[name]
    return _mapping(resource.get("definition.files")).get(name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _of_pod(resource: Resource, raw: Mapping[str, Any]) -> Container:
    env = {str(each.get("name")): each.get("value", UNKNOWN) for each in items(raw.get("env") or ())}
    return Container(
        resource=resource,
        name=str(raw.get("name")),
        image=raw.get("image"),
        command=(*(raw.get("command") or ()), *(raw.get("args") or ())),
        env=env,
        ports=tuple(port.get("containerPort") for port in items(raw.get("ports") or ())),
        raw=raw,
    )
