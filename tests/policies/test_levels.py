"""Levels and exceptions are data that says why, and that ends."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from policies.checklist import POLICIES
from policies.judge import exceptions_current, judge
from policies.levels import HERE, Environment, Exemption, Levels, environment
from policies.offline import report
from tests.policies.edits import Drop, edited
from tests.policies.stacks import NAMES, stack

REASON = "A reason that is long enough"
SPARED = {"policy": "bucket-has-lifecycle", "resource": "artifacts-replica", "reason": REASON}


def _environment(**content: object) -> Environment:
    return Environment("prod", Path("levels.prod.json"), Levels.model_validate(content))


@pytest.mark.parametrize("level", ["off", "advisory"])
def test_level_below_mandatory_needs_a_reason(level: str) -> None:
    with pytest.raises(ValidationError, match="reason"):
        Levels.model_validate({"levels": {"images-pinned": {"level": level}}})


def test_exception_needs_a_reason_and_a_day() -> None:
    for missing in ("reason", "expires"):
        content = {**SPARED, "expires": "2027-01-31"}
        del content[missing]
        with pytest.raises(ValidationError, match=missing):
            Levels.model_validate({"exceptions": [content]})


def test_exception_spares_its_resource_until_its_day() -> None:
    spared = Exemption.model_validate({**SPARED, "expires": "2027-01-31"})
    assert not spared.expired(date(2027, 1, 31))
    assert spared.expired(date(2027, 2, 1))
    assert not spared.spares("bucket-has-lifecycle", "urn:pulumi:prod::p::aws:s3/bucket:Bucket::artifacts")


def test_expired_exception_fails_and_spares_nothing() -> None:
    where = _environment(exceptions=[{**SPARED, "expires": "2020-01-31"}], parameters={"backup_days": 7})
    names = [each.policy.name for each in judge(stack("prod"), where)]
    assert names == ["bucket-has-lifecycle", "exceptions-current"]


def test_levels_file_that_names_no_policy_fails() -> None:
    levels = Levels.model_validate({"levels": {"imagespinned": {"level": "off", "reason": REASON}}})
    assert [message for _, message in exceptions_current(levels).validate(stack("local"))] == [
        "imagespinned is no policy"
    ]


def test_policy_that_is_off_says_nothing_and_its_reason_is_printed() -> None:
    broken = edited(stack("prod"), (Drop("aws:ec2/flowLog:FlowLog", "network-flow"),))
    off = {"network-flow-logged": {"level": "off", "reason": REASON}}
    current = environment("prod").levels.model_dump(mode="json")
    where = _environment(**{**current, "levels": off})
    violations = list(judge(broken, where))
    assert violations == []
    text = "\n".join(report(broken, where, violations))
    assert f"off: network-flow-logged - {REASON}" in text
    assert "spared until 2027-06-30: artifacts-replica" in text


def test_prod_turns_nothing_off() -> None:
    assert environment("prod").levels.levels == {}


@pytest.mark.parametrize("name", NAMES)
def test_levels_file_names_policies_that_there_are(name: str) -> None:
    levels = environment(name).levels
    assert {*levels.levels} <= {policy.name for policy in POLICIES}
    assert list(exceptions_current(levels).validate(stack(name))) == []


@pytest.mark.parametrize(
    ("name", "file"),
    [("local", "local"), ("pr-123", "pr"), ("prod", "prod"), ("somebody-elses", "prod"), ("", "prod")],
)
def test_stack_without_levels_gets_the_strictest(name: str, file: str) -> None:
    assert environment(name).file == HERE / f"levels.{file}.json"


def test_report_names_the_resource_the_change_and_the_urn() -> None:
    broken = edited(stack("prod"), (Drop("aws:s3/bucketVersioning:BucketVersioning", "artifacts"),))
    where = environment("prod")
    text = "\n".join(report(broken, where, judge(broken, where)))
    assert "[mandatory]  bucket-has-versioning  (aws:s3/bucket:Bucket: artifacts)" in text
    assert "Add a BucketVersioning to it." in text
    assert "urn:pulumi:prod::mlflow-platform::" in text


def test_parameters_are_what_the_levels_file_says() -> None:
    assert stack("prod").parameters == json.loads((HERE / "levels.prod.json").read_text())["parameters"]
