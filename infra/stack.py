"""Puts a stack together: the target's foundation, then the workloads on it, then the outputs."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from infra import aws, local
from infra.contracts import Foundation
from infra.settings import Settings
from infra.workloads import serving, tracking

TARGETS: dict[str, Callable[[Settings], Foundation]] = {"local": local.foundation, "aws": aws.foundation}


def deploy(settings: Settings) -> None:
    """Registers every resource and output of the stack."""
    foundation = TARGETS[settings.target](settings)
    tracking_url = tracking.deploy(settings, foundation)
    pulumi.export("tracking_url", tracking_url)
    pulumi.export("serving_urls", {model.name: serving.deploy(settings, foundation, model) for model in settings.models})
    for name, value in foundation.outputs.items():
        pulumi.export(name, value)
