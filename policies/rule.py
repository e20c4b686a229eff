"""One policy is one object: what is wrong and how to mend it, how bad it is, where to read on, and the check.

A resource policy names the `types` it looks at and yields a message for each thing wrong with one of them. A stack
policy sees everything at once, for what must exist or must be connected, and yields the resource with the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policies.model import UNKNOWN, Resource, Stack

Severity = Literal["low", "medium", "high", "critical"]
Found = tuple[Resource | None, str]
FOUNDATION = "foundation"
"""The theme of policies that no single point of the checklist is about."""


@dataclass(frozen=True)
class ResourcePolicy:
    """Looks at one resource of `types` at a time.

    `point` is the id of the checklist's point, or FOUNDATION. `deferred` says why a preview of a new stack cannot judge
    it; the engine judges it at `up` before it makes the resource.
    """

    name: str
    point: str
    severity: Severity
    description: str
    url: str
    types: tuple[str, ...]
    validate: Callable[[Resource], Iterable[str]]
    deferred: str = ""


@dataclass(frozen=True)
class StackPolicy:
    """Looks at the whole stack; see `ResourcePolicy`. A finding without resource is about the stack itself."""

    name: str
    point: str
    severity: Severity
    description: str
    url: str
    validate: Callable[[Stack], Iterable[Found]]
    deferred: str = ""


Policy = ResourcePolicy | StackPolicy


@dataclass(frozen=True)
class Expect:
    """What an input must be, in words and as a test."""

    text: str
    test: Callable[[Any], bool]


def at_least(minimum: float) -> Expect:
    """A number that is not smaller."""
    return Expect(f"at least {minimum:g}", lambda value: isinstance(value, int | float) and value >= minimum)


def includes(*wanted: str) -> Expect:
    """A list with all of these in it."""
    return Expect(
        f"a list with {', '.join(wanted)}", lambda value: isinstance(value, list | tuple) and {*wanted} <= {*value}
    )


def one_of(*allowed: Any) -> Expect:
    """One of these values."""
    return Expect(f"one of {', '.join(map(str, allowed))}", lambda value: value is not UNKNOWN and value in allowed)


FILLED = Expect("set", lambda value: value is UNKNOWN or bool(value))
"""Any value but an empty one; one that only the cloud knows counts, for it comes from another resource."""

EMPTY = Expect("empty", lambda value: value is not UNKNOWN and not value)
"""No value: absent, empty or false."""


def inputs(expected: Mapping[str, Any]) -> Callable[[Resource], Iterable[str]]:
    """A check that each input (by dotted path) is the expected literal, or passes its `Expect`."""

    def validate(resource: Resource) -> Iterable[str]:
        for path, wanted in expected.items():
            value = resource.get(path)
            if isinstance(wanted, Expect):
                if not wanted.test(value):
                    yield f"{path} is {shown(value)}; expected {wanted.text}"
            elif value is UNKNOWN or type(value) is not type(wanted) or value != wanted:
                yield f"{path} is {shown(value)}; expected {shown(wanted)}"

    return validate


def shown(value: Any) -> str:
    """`value` as a message shows it."""
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
