"""Checks a stack without a cloud, credentials or the engine: `python -m policies.offline prod`.

Runs the pack's policies over the stack's recording and prints what the engine would. Exit code 1 when a mandatory
policy is violated. `--unknown` records the stack as a first preview sees it, with every id unknown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from infra.recording import record
from policies.checklist import POLICIES
from policies.judge import Violation, judge
from policies.levels import Environment, environment
from policies.model import Stack
from policies.recorded import stack as recorded


def report(stack: Stack, where: Environment, violations: Iterable[Violation]) -> Iterator[str]:
    """The lines of the engine's own report, then what is off and what is spared."""
    found = list(violations)
    stopped = any(each.level == "mandatory" for each in found)
    mark = "❌" if stopped else "⚠️ " if found else "✅"
    yield (
        f"Policies: {len(POLICIES)} over {len(stack.resources)} resources of {stack.name}, levels of {where.file.name}"
    )
    yield f"    {mark} mlflow-platform (offline)"
    for each in found:
        type_, _, name = each.urn.rpartition("::")
        subject = f"{type_.rpartition('::')[2].rpartition('$')[2]}: {name}" if each.urn else stack.name
        yield f"        - [{each.level}]  {each.policy.name}  ({subject})"
        yield f"          {each.policy.description}"
        yield f"          {each.message}"
        if each.urn:
            yield f"          {each.urn}"
    for name, level in where.levels.levels.items():
        if level.level != "mandatory":
            yield f"    {level.level}: {name} - {level.reason}"
    for exemption in where.levels.exceptions:
        yield f"    spared until {exemption.expires}: {exemption.resource} by {exemption.policy} - {exemption.reason}"


def main() -> None:
    """Prints the report and exits with 1 when the engine would stop."""
    parser = argparse.ArgumentParser(description="Check a stack's recording against the policy pack.")
    parser.add_argument("stack")
    parser.add_argument("--unknown", action="store_true", help="leave every id unknown, as a first preview does")
    arguments = parser.parse_args()
    where = environment(arguments.stack)
    stack = recorded(record(arguments.stack, unknown=arguments.unknown), where)
    violations = list(judge(stack, where))
    print("\n".join(report(stack, where, violations)))
    sys.exit(any(each.level == "mandatory" for each in violations))


if __name__ == "__main__":
    main()
