"""How strictly each policy is enforced for a stack: data in `levels.<env>.json`, read once.

A policy that a file does not name is mandatory. `off` needs a reason, an exception a reason and a last day; from the
day after it the exception is a violation itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

HERE = Path(__file__).parent
STRICTEST = "prod"
Reason = Annotated[str, StringConstraints(min_length=15)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Section):
    """One policy's level and, unless it is mandatory, why."""

    level: Literal["mandatory", "advisory", "off"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.level != "mandatory" and self.reason is None:
            raise ValueError(f"level {self.level!r} needs a reason of at least 15 characters")
        return self


class Exemption(_Section):
    """One resource (its name) that one policy spares, until the end of the day `expires`."""

    policy: str
    resource: str
    reason: Reason
    expires: date

    def expired(self, today: date | None = None) -> bool:
        return (today or datetime.now(UTC).date()) > self.expires

    def spares(self, policy: str, urn: str) -> bool:
        return self.policy == policy and urn.rpartition("::")[2] == self.resource and not self.expired()


class Levels(_Section):
    """A levels file. `parameters` are numbers that policies compare with."""

    parameters: Mapping[str, Any] = Field(default_factory=dict)
    levels: Mapping[str, Level] = Field(default_factory=dict)
    exceptions: tuple[Exemption, ...] = ()

    def of(self, policy: str) -> Level:
        """The level of a policy."""
        return self.levels.get(policy, Level(level="mandatory"))


@dataclass(frozen=True)
class Environment:
    """The levels of one stack; `file` is where they are written."""

    stack: str
    file: Path
    levels: Levels


def environment(stack: str, directory: Path = HERE) -> Environment:
    """The levels for the stack `stack`: `levels.<stack>.json`, for `pr-7` `levels.pr.json`, else the strictest.

    Raises:
        ValueError: the file is not as this module describes it.
    """
    for name in (stack, re.sub(r"-\d+$", "", stack), STRICTEST):
        file = directory / f"levels.{name}.json"
        if file.exists():
            return Environment(stack, file, Levels.model_validate_json(file.read_bytes()))
    raise ValueError(f"{directory}: no levels.{STRICTEST}.json")
