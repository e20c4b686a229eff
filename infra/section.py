"""What every part of the settings has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings: no unknown key, no change after reading, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
