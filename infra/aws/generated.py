"""Secrets that nobody chooses and nobody needs to know: made once, kept encrypted in Pulumi's state, never shown."""

from __future__ import annotations

import pulumi
import pulumi_random as random

BYTES = 32


def generated(name: str, *, protect: bool = False) -> pulumi.Output[str]:
    """32 random bytes as URL-safe base64, the form in which the OAuth2 proxy takes its cookie secret.

    `protect` one that stored data cannot be read without.
    """
    made = random.RandomBytes(name, length=BYTES, opts=pulumi.ResourceOptions(protect=protect)).base64
    return pulumi.Output.secret(made.apply(lambda text: text.replace("+", "-").replace("/", "_")))
