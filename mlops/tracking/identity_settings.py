"""The configuration of the identity layer: whose tokens count, and which groups hold which role in which workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.errors import PlatformError

Role = Literal["viewer", "editor", "approver", "admin"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Issuer(_Section):
    """An OIDC issuer; a token counts when its `iss` is `url` and its `aud` is one of `audiences`.

    `principals` maps a user name to the roles it holds by itself, workspace by workspace: workloads have no groups.
    """

    url: str
    audiences: tuple[str, ...]
    username_claim: str
    groups_claim: str
    username_prefix: str = ""
    group_prefix: str = ""
    principals: Mapping[str, Mapping[str, Role]] = {}


class Team(_Section):
    """A workspace and, for each role in it, the groups that hold the role."""

    name: str
    roles: Mapping[Role, tuple[str, ...]]


class IdentitySettings(_Section):
    """The whole file. `admins` are groups whose members administer every workspace."""

    issuers: tuple[Issuer, ...]
    admins: tuple[str, ...]
    teams: tuple[Team, ...]


@lru_cache(maxsize=1)
def identity_settings() -> IdentitySettings:
    """The settings in the file that `MLOPS_IDENTITY_FILE` names.

    Raises:
        PlatformError: the variable is not set, or the file cannot be read or understood.
    """
    path = os.environ.get("MLOPS_IDENTITY_FILE")
    if not path:
        raise PlatformError("MLOPS_IDENTITY_FILE is not set; expected the path of the identity settings (JSON)")
    try:
        return IdentitySettings.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise PlatformError(f"MLOPS_IDENTITY_FILE={path}: {error.strerror}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise PlatformError(f"MLOPS_IDENTITY_FILE={path}: {where or 'document'}: {problem['msg']}") from None
