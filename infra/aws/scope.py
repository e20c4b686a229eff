"""Which stack, account and region a component belongs to, and the tags of everything in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi_aws as aws

from infra.settings import Settings, SettingsError
from infra.settings_aws import Aws

STACK = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class Scope:
    """`name` is unique in the account and fits every AWS name that the platform sets itself (at most 37 characters).

    `ephemeral` things are unprotected and delete what they contain.
    """

    name: str
    account_id: str
    region: str
    ephemeral: bool

    @property
    def protect(self) -> bool:
        """Whether Pulumi itself refuses to delete what holds data."""
        return not self.ephemeral

    def log_groups(self, prefix: str) -> str:
        """The ARN pattern of the log groups whose name starts with `prefix`."""
        return f"arn:aws:logs:{self.region}:{self.account_id}:log-group:{prefix}*"


def scope(settings: Settings, section: Aws) -> Scope:
    """The scope of the stack that `settings` describe.

    Raises:
        SettingsError: the stack's name cannot be part of AWS names.
    """
    if not STACK.fullmatch(settings.stack):
        raise SettingsError(f"stack {settings.stack!r}: expected at most 30 of a-z, 0-9 and -, such as pr-123")
    return Scope(f"mlflow-{settings.stack}", section.account_id, section.region, section.ephemeral)


def provider(settings: Settings, section: Aws) -> aws.Provider:
    """The provider of every AWS resource: it refuses any other account, and tags all that it makes."""
    tags = {"project": settings.project, "stack": settings.stack, "managed-by": "pulumi"}
    if section.expires is not None:
        tags |= {"expires": section.expires}
    return aws.Provider(
        "aws",
        region=section.region,
        allowed_account_ids=[section.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
    )
