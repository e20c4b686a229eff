"""A Cognito user pool: people whom an administrator invites, with a second factor, in groups that hold teams' roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.scope import Scope

SCOPES = ("openid", "email", "profile")
"""Cognito refuses any other: it puts groups into every token, and refreshes without `offline_access`."""


@dataclass(frozen=True)
class UserPoolArgs:
    scope: Scope
    settings: settings_aws.Cognito
    tracking_url: str


class UserPool(pulumi.ComponentResource):
    """Outputs: the issuer's URL, the OAuth2 proxy's client, and the public client of `mlops login`."""

    def __init__(self, name: str, args: UserPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:UserPool", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        pool = aws.cognito.UserPool(
            name,
            username_attributes=["email"],
            auto_verified_attributes=["email"],
            admin_create_user_config=aws.cognito.UserPoolAdminCreateUserConfigArgs(allow_admin_create_user_only=True),
            account_recovery_setting=aws.cognito.UserPoolAccountRecoverySettingArgs(
                recovery_mechanisms=[
                    aws.cognito.UserPoolAccountRecoverySettingRecoveryMechanismArgs(name="verified_email", priority=1)
                ]
            ),
            mfa_configuration="ON",
            software_token_mfa_configuration=aws.cognito.UserPoolSoftwareTokenMfaConfigurationArgs(enabled=True),
            password_policy=aws.cognito.UserPoolPasswordPolicyArgs(
                minimum_length=14,
                require_lowercase=True,
                require_uppercase=True,
                require_numbers=True,
                require_symbols=False,
                temporary_password_validity_days=3,
            ),
            deletion_protection="ACTIVE" if args.scope.protect else "INACTIVE",
            opts=pulumi.ResourceOptions(parent=self, protect=args.scope.protect),
        )
        domain = aws.cognito.UserPoolDomain(
            name, domain=args.settings.prefix, user_pool_id=pool.id, managed_login_version=1, opts=child
        )
        client = pulumi.ResourceOptions(parent=self, depends_on=[domain])
        shared: dict[str, Any] = {
            "user_pool_id": pool.id,
            "allowed_oauth_flows": ["code"],
            "allowed_oauth_flows_user_pool_client": True,
            "allowed_oauth_scopes": list(SCOPES),
            "supported_identity_providers": ["COGNITO"],
            "enable_token_revocation": True,
            "prevent_user_existence_errors": "ENABLED",
        }
        proxy = aws.cognito.UserPoolClient(
            f"{name}-proxy",
            generate_secret=True,
            callback_urls=[f"{args.tracking_url}/oauth2/callback"],
            opts=client,
            **shared,
        )
        cli = aws.cognito.UserPoolClient(
            f"{name}-cli", generate_secret=False, callback_urls=[args.settings.cli_redirect], opts=client, **shared
        )
        self.issuer = pulumi.Output.concat("https://", pool.endpoint)
        self.client_id = proxy.id
        self.client_secret: pulumi.Output[str] = pulumi.Output.secret(proxy.client_secret)
        self.cli_client_id = cli.id
        self.register_outputs({"issuer": self.issuer})
