"""Point 1: containers that can do little harm to their node and their neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policies import tokens
from policies.checklist.tracking_server import POINT
from policies.model import Resource
from policies.rule import ResourcePolicy, inputs, shown
from policies.workloads import containers, pod

STANDARDS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"


def _each(check: Any) -> Any:
    """A check of a pod's containers, told with the container's name."""

    def validate(resource: Resource) -> Iterable[str]:
        for container in containers(resource):
            raw = container.raw or {}
            security = raw.get("securityContext")
            for problem in check(raw, security if isinstance(security, Mapping) else {}):
                yield f"container {container.name!r}: {problem}"

    return validate


def _non_root(resource: Resource) -> Iterable[str]:
    security = pod(resource).get("securityContext") or {}
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
        yield (
            f"securityContext.runAsNonRoot is {shown(security.get('runAsNonRoot'))}; expected true, and no runAsUser 0"
        )
    if (security.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "securityContext.seccompProfile.type is not RuntimeDefault"


non_root = ResourcePolicy(
    "pods-not-root",
    POINT,
    "high",
    "A pod may run as root or without a seccomp profile. Set runAsNonRoot: true and seccompProfile: RuntimeDefault.",
    STANDARDS,
    tokens.POD_OWNERS,
    _non_root,
)


def _unprivileged(raw: Mapping[str, Any], security: Mapping[str, Any]) -> Iterable[str]:
    if security.get("privileged"):
        yield "privileged is true; expected false"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    capabilities = security.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or capabilities.get("add"):
        yield "capabilities must drop ALL and add none"


unprivileged = ResourcePolicy(
    "containers-unprivileged",
    POINT,
    "critical",
    "A container can gain privileges. Set privileged and allowPrivilegeEscalation to false and drop all capabilities.",
    STANDARDS,
    tokens.POD_OWNERS,
    _each(_unprivileged),
)


def _read_only(raw: Mapping[str, Any], security: Mapping[str, Any]) -> Iterable[str]:
    if security.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem must be true; give it an emptyDir for what it writes"


read_only = ResourcePolicy(
    "containers-read-only",
    POINT,
    "medium",
    "A container can change its own programs. Set readOnlyRootFilesystem: true.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/pod-security.html",
    tokens.POD_OWNERS,
    _each(_read_only),
)


def _limited(raw: Mapping[str, Any], security: Mapping[str, Any]) -> Iterable[str]:
    resources = raw.get("resources") or {}
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if not (resources.get(kind) or {}).get(name):
            yield f"resources.{kind}.{name} is not set"


limited = ResourcePolicy(
    "containers-limited",
    POINT,
    "medium",
    "A container states no requests or no memory limit, and can starve its node. Set requests and a memory limit.",
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
    tokens.POD_OWNERS,
    _each(_limited),
)


def _isolated(resource: Resource) -> Iterable[str]:
    spec = pod(resource)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is true; expected it to be absent"
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volume {volume.get('name')!r} is a path of the node; use an emptyDir or a claim"
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken must be false; project a token of the audience that is needed"


isolated = ResourcePolicy(
    "pods-isolated",
    POINT,
    "high",
    "A pod shares its node's namespaces or files, or carries a token of the Kubernetes API. Remove them.",
    STANDARDS,
    tokens.POD_OWNERS,
    _isolated,
)

namespace_restricted = ResourcePolicy(
    "namespace-restricted",
    POINT,
    "high",
    "The namespace admits pods that can do more than they need. "
    "Label it pod-security.kubernetes.io/enforce: restricted.",
    "https://kubernetes.io/docs/concepts/security/pod-security-admission/",
    (tokens.NAMESPACE,),
    lambda namespace: (
        []
        if (namespace.get("metadata.labels") or {}).get("pod-security.kubernetes.io/enforce") == "restricted"
        else ["the label pod-security.kubernetes.io/enforce is not `restricted`"]
    ),
)

service_account_tokens = ResourcePolicy(
    "service-accounts-without-token",
    POINT,
    "medium",
    "The service account hands every pod a token of the Kubernetes API. Set automountServiceAccountToken: false.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
    (tokens.SERVICE_ACCOUNT,),
    inputs({"automountServiceAccountToken": False}),
)


POLICIES = (
    non_root,
    unprivileged,
    read_only,
    limited,
    isolated,
    namespace_restricted,
    service_account_tokens,
)
