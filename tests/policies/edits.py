"""Changes one thing in a recorded stack.

A path goes through mappings by key, through lists by number or by the item's `name`, `Sid` or `id`: `env.[PORT].value`.
Text that holds a document (an IAM policy, `identity.json`) is entered with `>`: `data.identity\\.json > teams.0`.
"""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from policies.model import UNKNOWN, Resource, Stack

REMOVED = object()
"""As a value: takes the key or item away."""


class NotKnown(Exception):
    """What would be changed is not known in this stack."""


@dataclass(frozen=True)
class Put:
    """Sets (or, with REMOVED, removes) an input of one resource; name `*` changes all of the type."""

    type: str
    name: str
    path: str
    value: Any

    def __call__(self, stack: Stack) -> Stack:
        chosen = [each for each in stack.of(self.type) if self.name in ("*", each.name)]
        if not chosen:
            raise LookupError(f"{stack.name} has no {self.type} {self.name}")
        changed = {each.urn: self._changed(each) for each in chosen}
        return replace(stack, resources=[changed.get(each.urn, each) for each in stack.resources])

    def _changed(self, resource: Resource) -> Resource:
        inputs = _copy(resource.inputs)
        outer, _, inner = self.path.partition(" > ")
        if inner:
            text = _set(inputs, _steps(outer), lambda old: _in_document(old, _steps(inner), self.value))
        else:
            text = _set(inputs, _steps(outer), self.value)
        return replace(resource, inputs=text)


@dataclass(frozen=True)
class Drop:
    """Removes one resource; name `*` removes all of the type."""

    type: str
    name: str

    def __call__(self, stack: Stack) -> Stack:
        left = [each for each in stack.resources if each.type != self.type or self.name not in ("*", each.name)]
        if len(left) == len(stack.resources):
            raise LookupError(f"{stack.name} has no {self.type} {self.name}")
        return replace(stack, resources=left)


@dataclass(frozen=True)
class Link:
    """Makes one input of a resource come from another resource (type and name), or with None from a literal."""

    type: str
    name: str
    input: str
    to: tuple[str, str] | None = None

    def __call__(self, stack: Stack) -> Stack:
        urns = frozenset(each.urn for each in stack.resources if (each.type, each.name) == self.to)

        def linked(each: Resource) -> Resource:
            if (each.type, each.name) != (self.type, self.name):
                return each
            return replace(each, links={**each.links, self.input: urns})

        return replace(stack, resources=[linked(each) for each in stack.resources])


Edit = Put | Drop | Link


def _copy(value: Any) -> Any:
    """A deep copy in which UNKNOWN stays what it is."""
    return deepcopy(value, {id(UNKNOWN): UNKNOWN})


def _steps(path: str) -> list[str]:
    return [step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.(?![^\[]*\])", path)]


def _set(container: Any, steps: list[str], value: Any) -> Any:
    if container is UNKNOWN and (steps or callable(value)):
        raise NotKnown
    if not steps:
        return value(container) if callable(value) else value
    step, rest = steps[0], steps[1:]
    if isinstance(container, list):
        place = _place(container, step)
        if place == len(container):
            container.append({"name": step.strip("[]")})
        if not rest and value is REMOVED:
            del container[place]
        else:
            container[place] = _set(container[place], rest, value)
        return container
    container = {} if container is None else container
    if not rest and value is REMOVED:
        del container[step]
    else:
        container[step] = _set(container.get(step), rest, value)
    return container


def _place(items: list[Any], step: str) -> int:
    if not step.startswith("["):
        return int(step)
    wanted = step.strip("[]")
    found = (
        i
        for i, each in enumerate(items)
        if wanted in (each.get("name"), each.get("Sid"), each.get("id"), each.get("key"))
    )
    return next(found, len(items))


def _in_document(text: Any, steps: list[str], value: Any) -> str:
    if not isinstance(text, str):
        raise NotKnown
    if text.lstrip().startswith("{"):
        return json.dumps(_set(json.loads(text), steps, value))
    options = _set(tomllib.loads(text), steps, value)
    return "".join(f"{key} = {json.dumps(item)}\n" for key, item in options.items())


def edited(stack: Stack, edits: tuple[Edit, ...]) -> Stack:
    """The stack with all edits made.

    Raises:
        NotKnown: something that would be changed is not known in this stack.
        LookupError: there is nothing to change.
    """
    for edit in edits:
        stack = edit(stack)
    return stack
