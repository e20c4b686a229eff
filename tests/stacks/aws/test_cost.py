from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.cost import Bill, bill, prices
from infra.recording import ROOT, Recording, configuration
from infra.settings import SettingsError

HOURS = 730


def nodes(stack: str, **changed: Any) -> dict[str, Any]:
    return {**configuration(stack)["aws"]["cluster"]["nodes"], **changed}


def billed(recording: Recording) -> Bill:
    return bill(recording, nodes(recording.stack))


def test_the_core_of_production_is_what_its_four_parts_cost(prod: Recording) -> None:
    instances = 2 * 0.0816 * HOURS
    expected = 0.10 * HOURS + 0.045 * HOURS + 0.129 * HOURS + instances + 0.12 * instances
    assert billed(prod).core.high == pytest.approx(expected)


def test_the_core_of_production_is_within_its_budget(prod: Recording) -> None:
    assert billed(prod).core.high <= 341


def test_the_budget_alarm_leaves_room_for_a_quiet_month(lasting: Recording) -> None:
    limit = float(lasting.one("aws:budgets/budget:Budget").inputs["limitAmount"])
    assert billed(lasting).total.low < 0.8 * limit


def test_another_nat_gateway_costs_another_nat_gateway(prod: Recording) -> None:
    gateway = prod.one("aws:ec2/natGateway:NatGateway")
    more = Recording(prod.stack, (*prod.resources, gateway), prod.outputs)
    assert billed(more).core.low - billed(prod).core.low == pytest.approx(0.045 * HOURS)


def test_an_instance_without_a_price_is_named(prod: Recording) -> None:
    with pytest.raises(SettingsError, match=r"x1e.32xlarge: no price"):
        bill(prod, nodes("prod", families=["x1e"], size="32xlarge"))


def test_prices_say_when_and_where_they_are_from() -> None:
    assert prices()["date"]
    assert prices()["region"] == "us-east-1"
    assert "not fetched" in prices()["source"]


def test_the_documentation_says_what_the_table_says(recorder: Callable[..., Recording]) -> None:
    page = (ROOT / "docs" / "aws.md").read_text()
    prod, dev = billed(recorder("prod")), billed(recorder("dev"))
    assert f"| prod | {prod.core.low:.0f} $/month | {prod.total.low:.0f} to {prod.total.high:.0f} |" in page
    core = f"{dev.core.low:.0f} to {dev.core.high:.0f}"
    assert f"| dev | {core} | {dev.total.low:.0f} to {dev.total.high:.0f} |" in page
    assert f"{dev.core.low / prod.core.low:.0%}"[:-1] + f" to {dev.core.high / prod.core.high:.0%}"[:-1] in page
