"""Point 6: what is served went through the gate, and what serves it cannot get around the gate."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.approval import PROTECTED
from policies.checklist.authentication import IDENTITY_FILES, NOT_YET
from policies.model import UNKNOWN, Resource, items
from policies.rule import ResourcePolicy, shown
from policies.workloads import containers, identity_settings

POINT = "quality-gate"
URL = "https://mlflow.org/docs/latest/ml/evaluation/"
GATED = PROTECTED
"""Aliases that only a passed gate moves; `challenger` and others are free."""


def _gated_alias(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        alias = container.env.get("MLOPS_MODEL_ALIAS")
        if container.is_model_server and alias is not UNKNOWN and alias not in GATED:
            yield f"{container.name!r} serves the alias {shown(alias)}; expected one of {', '.join(sorted(GATED))}"


gated_alias = ResourcePolicy(
    "served-alias-gated",
    POINT,
    "high",
    "A model is served by an alias that no gate guards. Serve `champion`, which moves only after a passed gate.",
    URL,
    tokens.WORKLOADS,
    _gated_alias,
)


def _by_name(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if not container.is_model_server:
            continue
        name = container.env.get("MLOPS_MODEL_NAME")
        if name is not UNKNOWN and (not name or "/" in str(name)):
            yield f"MLOPS_MODEL_NAME of {container.name!r} is {shown(name)}; expected the name of a registered model"
        if container.command[:3] != ("mlops", "serving", "serve"):
            yield (
                f"{container.name!r} runs {' '.join(map(str, container.command[:3]))!r}; expected `mlops serving serve`"
            )
        for word in map(str, container.command):
            if word.startswith(("runs:/", "models:/", "s3://", "file:")):
                yield f"the command of {container.name!r} names {word}; remove it, the alias decides"


by_name = ResourcePolicy(
    "served-from-registry",
    POINT,
    "high",
    "A model is served from a run, a version or a file, past the gate. Serve it by registered name and alias.",
    URL,
    tokens.WORKLOADS,
    _by_name,
)


def _read_only(resource: Resource) -> Iterable[str]:
    for issuer in items((identity_settings(resource) or {}).get("issuers", ())):
        for principal, roles in (issuer.get("principals") or {}).items():
            for team, role in roles.items():
                if role != "viewer":
                    yield f"{principal} is {role} of {team!r}; expected viewer"


read_only = ResourcePolicy(
    "serving-reads-only",
    POINT,
    "high",
    "A model server's identity may change the registry that it serves from. "
    "Give its service account the role `viewer`.",
    URL,
    IDENTITY_FILES,
    _read_only,
    deferred=NOT_YET,
)


def _asks_as_itself(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if container.is_model_server:
            if container.env.get("MLFLOW_TRACKING_AUTH") != "mlops":
                yield f"MLFLOW_TRACKING_AUTH of {container.name!r} must be mlops, for a projected token"
            if not container.env.get("MLFLOW_WORKSPACE"):
                yield f"MLFLOW_WORKSPACE of {container.name!r} is not set; a model of the same name elsewhere would do"
            for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_BACKEND_STORE_URI"):
                if name in container.env:
                    yield f"{name} of {container.name!r} goes around the serving identity; remove it"


asks_as_itself = ResourcePolicy(
    "serving-asks-as-itself",
    POINT,
    "high",
    "A model server reaches the registry as somebody else, or reads another team's. "
    "Use its projected token and workspace.",
    URL,
    tokens.WORKLOADS,
    _asks_as_itself,
)

POLICIES = (gated_alias, by_name, read_only, asks_as_itself)
