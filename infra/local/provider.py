"""What all providers of local resources share: how a change is told, and how a failure is shown."""

from __future__ import annotations

import sys
import traceback
from typing import Any, ClassVar

from pulumi.dynamic import ConfigureRequest, DiffResult, ResourceProvider


class LocalError(Exception):
    """A failure that a user can mend: shown as its message alone, one line, without a stack trace."""


class LocalProvider(ResourceProvider):
    """Any changed property is an update, one named in `replaced_by` a replacement (the old one goes first)."""

    serialize_as_secret_always = False
    replaced_by: ClassVar[tuple[str, ...]] = ()

    def configure(self, req: ConfigureRequest) -> None:
        """Runs once in the provider's process, whose main module (`pulumi.dynamic`) shows errors with their trace."""
        main = sys.modules["__main__"]
        if getattr(main, "traceback", None) is traceback:
            main.traceback = _Messages  # type: ignore[attr-defined]

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        changed = {key for key in news if not key.startswith("__") and news[key] != olds.get(key)}
        return DiffResult(
            changes=bool(changed),
            replaces=[key for key in self.replaced_by if key in changed],
            delete_before_replace=True,
        )


class _Messages:
    @staticmethod
    def format_exc() -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, LocalError) else traceback.format_exc()
