"""What a policy looks at: resources and stacks as plain data, from the engine or from a recording alike.

An input that only the cloud will know is `UNKNOWN`: equal to nothing, so a policy that wants a value does not pass by
accident. What is connected to what is read from `links`, which are known before any id is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


class Unknown:
    """The value of an input that is not known before `pulumi up`."""

    def __repr__(self) -> str:
        return "not known before `pulumi up`"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Resource:
    """One resource. `links` are the URNs of the resources that each top-level input was made from."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    links: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """The input at a dotted path (`spec.replicas`, `rules.0.id`); None where there is none."""
        value: Any = self.inputs
        for key in path.split("."):
            if value is UNKNOWN:
                return UNKNOWN
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, Sequence) and not isinstance(value, str) and key.isdigit():
                value = value[int(key)] if int(key) < len(value) else None
            else:
                return None
        return value

    def every(self, path: str) -> list[Any]:
        """The items of the list at `path`; empty where there is none or where it is unknown."""
        value = self.get(path)
        return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


@dataclass(frozen=True)
class Stack:
    """All resources of a stack, and the numbers that its levels file sets."""

    name: str
    resources: Sequence[Resource]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    def of(self, *types: str) -> list[Resource]:
        """The resources of exactly these type tokens."""
        return [resource for type_ in types for resource in self._by_type.get(type_, [])]

    def linked(self, resource: Resource, input_: str, *types: str) -> list[Resource]:
        """The resources of `types` that the input of `resource` was made from."""
        found = (self.by_urn.get(urn) for urn in sorted(resource.links.get(input_, ())))
        return [other for other in found if other is not None and other.type in types]

    def about(self, subject: Resource, type_: str, input_: str) -> Iterator[Resource]:
        """The resources of `type_` whose input points at `subject`."""
        return (other for other in self.of(type_) if subject.urn in other.links.get(input_, ()))


def items(values: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The mappings among `values`."""
    return [value for value in values if isinstance(value, Mapping)]
