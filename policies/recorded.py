"""A recording of a stack as policies see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.recording import UNKNOWN as RECORDED_UNKNOWN
from infra.recording import Recording
from policies.levels import Environment, environment
from policies.model import UNKNOWN, Resource, Stack


def stack(recording: Recording, where: Environment | None = None) -> Stack:
    """The stack of `recording`, with the parameters of its levels file."""
    found = where or environment(recording.stack)
    resources = [
        Resource(each.type, each.name, each.urn, _inputs(each.inputs), each.property_dependencies)
        for each in recording.resources
    ]
    return Stack(recording.stack, resources, found.levels.parameters)


def _inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in inputs.items()}


def _plain(value: Any) -> Any:
    if value is RECORDED_UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
