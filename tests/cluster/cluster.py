"""What a test does with a cluster: apply and delete objects the way Pulumi does, look, and ask who may do what."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from infra import naming
from infra.kubernetes.manifests import Manifest
from tests.cluster.control_plane import ControlPlane

MANAGER = "pulumi-kubernetes"
SECONDS = 60


class Cluster:
    """Talks to `control_plane` as its administrator."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._api = control_plane.api()
        self.dynamic = control_plane.client()

    def define(self, objects: Iterable[Manifest]) -> None:
        """Makes the API know the kinds that the cluster's add-ons define, as objects of any content."""
        for each in objects:
            group, _, version = each["apiVersion"].rpartition("/")
            if "." in group and not group.endswith(".k8s.io"):
                self.apply([_definition(group, version, each["kind"], "namespace" in each["metadata"])])
                eventually(partial(self._known, each))

    def _known(self, each: Manifest) -> None:
        self.dynamic.resources.invalidate_cache()
        try:
            self.kind(each).get()
        except ResourceNotFoundError as error:
            raise AssertionError(f"{each['kind']} is not known yet") from error

    def apply(self, objects: Iterable[Manifest]) -> None:
        """Server-side apply, strictly: a field that the API does not know is an error."""
        for each in objects:
            self.kind(each).server_side_apply(
                body=each,
                name=each["metadata"]["name"],
                namespace=each["metadata"].get("namespace"),
                field_manager=MANAGER,
                field_validation="Strict",
            )

    def delete(self, objects: Sequence[Manifest]) -> None:
        """Deletes in reverse order, each object with all that it made, and waits until it is gone."""
        for each in reversed(objects):
            name, namespace = each["metadata"]["name"], each["metadata"].get("namespace")
            kind = self.kind(each)
            with contextlib.suppress(NotFoundError):
                kind.delete(name=name, namespace=namespace, body={"propagationPolicy": "Foreground"})
            eventually(partial(_gone, kind, name, namespace))

    def find(self, kind: str, namespace: str, **selector: str) -> list[Any]:
        """The objects of `kind` in `namespace` with the given labels."""
        labels = ",".join(f"{key.replace('__', '/')}={value}" for key, value in selector.items())
        found: list[Any] = (
            self.dynamic.resources.get(kind=kind, api_version=_VERSIONS[kind])
            .get(namespace=namespace, label_selector=labels)
            .items
        )
        return found

    def may(self, user: str, verb: str, group: str, resource: str) -> bool:
        """Whether RBAC allows `user` to do `verb` to `group/resource` in the namespace, by SubjectAccessReview."""
        resource, _, subresource = resource.partition("/")
        attributes = client.V1ResourceAttributes(
            namespace=naming.NAMESPACE, group=group, resource=resource, subresource=subresource, verb=verb
        )
        spec = client.V1SubjectAccessReviewSpec(resource_attributes=attributes, user=user, groups=_groups(user))
        review = client.V1SubjectAccessReview(spec=spec)
        answer = client.AuthorizationV1Api(self._api).create_subject_access_review(review)
        return bool(answer.status.allowed)

    def dry_run(self, each: Manifest) -> None:
        """Creates `each` without keeping it: schema, defaults and admission answer."""
        self.kind(each).create(body=each, namespace=each["metadata"]["namespace"], dry_run="All")

    def kind(self, each: Manifest) -> Any:
        """The API's resource that `each` is one of."""
        return self.dynamic.resources.get(api_version=each["apiVersion"], kind=each["kind"])


_VERSIONS = {"Pod": "v1", "Event": "v1", "ServiceAccount": "v1", "ReplicaSet": "apps/v1", "Job": "batch/v1"}


def _definition(group: str, version: str, kind: str, namespaced: bool) -> Manifest:
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def eventually(claim: Callable[[], None]) -> None:
    """Returns as soon as `claim` holds; its failure counts only when the deadline has passed."""
    attempt = retry(
        stop=stop_after_delay(SECONDS),
        wait=wait_fixed(0.2),
        retry=retry_if_exception_type((AssertionError, ApiException)),
        reraise=True,
    )
    attempt(claim)()


def _groups(user: str) -> list[str]:
    _, _, namespace, _ = user.split(":")
    return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]


def _gone(kind: Any, name: str, namespace: str | None) -> None:
    try:
        kind.get(name=name, namespace=namespace)
    except NotFoundError:
        return
    raise AssertionError(f"{kind.kind} {name} is still there")
