"""Puts a stack together: the target's foundation, then the workloads on it, then the outputs."""

from __future__ import annotations

from importlib import import_module

import pulumi

from infra.contracts import Foundation
from infra.settings import Settings
from infra.workloads import serving, tracking

TARGETS = {"local": "infra.local.foundation", "aws": "infra.aws.foundation"}
"""Each module has a `foundation(settings)`; imported on demand, because the AWS SDK alone takes seconds to load."""


def deploy(settings: Settings) -> None:
    """Registers every resource and output of the stack."""
    foundation: Foundation = import_module(TARGETS[settings.target]).foundation(settings)
    pulumi.export("tracking_url", tracking.deploy(settings, foundation))
    pulumi.export(
        "serving_urls", {model.name: serving.deploy(settings, foundation, model) for model in settings.models}
    )
    for name, value in foundation.outputs.items():
        pulumi.export(name, value)
