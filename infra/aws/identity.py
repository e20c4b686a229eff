"""Who signs people in, and whose tokens count: an OIDC issuer by settings or a Cognito user pool of the stack's own.

Pods prove themselves with the cluster's own service-account tokens, and CI with GitHub's, by setting.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import contracts, naming, settings_aws
from infra.aws.cognito import UserPool, UserPoolArgs
from infra.aws.generated import generated
from infra.aws.scope import Scope

GITHUB = contracts.Issuer(
    url="https://token.actions.githubusercontent.com",
    audience=naming.AUDIENCE,
    username_claim="sub",
    groups_claim="repository",
    username_prefix="github:",
    group_prefix="github:",
)
"""https://docs.github.com/en/actions/reference/security/oidc: `repository` is OWNER/NAME."""


@dataclass(frozen=True)
class IdentityArgs:
    scope: Scope
    settings: settings_aws.Identity
    tracking_url: str
    cluster_issuer: pulumi.Input[str]


def identity(args: IdentityArgs, opts: pulumi.ResourceOptions) -> contracts.Identity:
    """The platform's identity; `opts` carries the AWS provider."""
    pods = contracts.Issuer(url=args.cluster_issuer, audience=naming.AUDIENCE, username_claim="sub")
    workloads = (pods, GITHUB) if args.settings.github_actions else (pods,)
    cookie = generated("cookie")
    if args.settings.oidc is not None:
        return _external(args.settings.oidc, workloads, cookie, opts)
    assert args.settings.cognito is not None  # noqa: S101 - the settings have exactly one of the two
    pool = UserPool("people", UserPoolArgs(args.scope, args.settings.cognito, args.tracking_url), opts)
    return contracts.Identity(
        people=contracts.Issuer(url=pool.issuer, audience="", groups_claim="cognito:groups"),
        client_id=pool.client_id,
        client_secret=pool.client_secret,
        cookie_secret=cookie,
        cli_client_id=pool.cli_client_id,
        workloads=workloads,
        scope="openid email profile",
    )


def _external(
    oidc: settings_aws.Oidc,
    workloads: tuple[contracts.Issuer, ...],
    cookie: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> contracts.Identity:
    """The issuer made the client secret and an operator put it into Secrets Manager; here it is only read."""
    stored = aws.secretsmanager.get_secret_version_output(
        secret_id=oidc.client_secret_name, opts=pulumi.InvokeOutputOptions(provider=opts.provider)
    )
    return contracts.Identity(
        people=contracts.Issuer(url=oidc.issuer, audience=oidc.client_id, groups_claim=oidc.groups_claim),
        client_id=oidc.client_id,
        client_secret=pulumi.Output.secret(stored.secret_string),
        cookie_secret=cookie,
        cli_client_id=oidc.cli_client_id,
        workloads=workloads,
    )
