"""How tests read recordings: policy documents, and what waits for what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from infra.recording import UNKNOWN, Recording, Resource

Document = dict[str, Any]
POLICY_INPUTS = {"policy", "assumeRolePolicy"}


def documents(recording: Recording) -> Iterator[tuple[Resource, str, Document]]:
    """Each known policy document, with its resource and the input that it stands in."""
    for resource in recording.resources:
        for key in POLICY_INPUTS & set(resource.inputs):
            text = resource.inputs[key]
            if text is not UNKNOWN and resource.type.startswith("aws:"):
                document = json.loads(text)
                if "Statement" in document:
                    yield resource, key, document


def statements(recording: Recording, type_: str) -> Iterator[tuple[Resource, Document]]:
    """Each statement of the policies of the resources of `type_`."""
    for resource, _, document in documents(recording):
        if resource.type == type_:
            for statement in document["Statement"]:
                yield resource, statement


def outlives(recording: Recording, resource: Resource) -> set[str]:
    """The URNs that the engine deletes only after `resource`: parents, provider, what it depends on, and theirs."""
    known = {other.urn: other for other in recording.resources}
    found: set[str] = set()
    waiting = [resource.urn]
    while waiting:
        current = known.get(waiting.pop())
        if current is None:
            continue
        for urn in {current.parent, current.provider, *current.dependencies} - found:
            found.add(urn)
            waiting.append(urn)
    return found
