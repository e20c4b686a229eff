"""Reads IAM policy documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def statements(document: Any) -> list[Mapping[str, Any]] | None:
    """The statements of a policy document given as JSON text; None when it is not known yet or is none."""
    if not isinstance(document, str):
        return None
    found = json.loads(document).get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def texts(value: Any) -> list[str]:
    """One text or a list of them, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]


def principals(statement: Mapping[str, Any]) -> list[str]:
    """Everyone that a statement names, `*` for everybody."""
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        return [text for value in principal.values() for text in texts(value)]
    return texts(principal)


def conditions(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys and values, whatever the operator."""
    return {key: value for keys in (statement.get("Condition") or {}).values() for key, value in keys.items()}
