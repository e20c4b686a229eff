"""Says which policy catches which mutant, and how: `python -m tests.policies.report` prints Markdown."""

from __future__ import annotations

from policies.checklist import POLICIES
from policies.judge import found
from tests.policies.edits import edited
from tests.policies.mutants import MUTANTS
from tests.policies.stacks import stack


def lines() -> list[str]:
    """A row for each mutant: what was changed, and what the policies of its point say then."""
    rows = ["| Point | Stack | Mutant | Caught by | With |", "|---|---|---|---|---|"]
    own = {point: [each for each in POLICIES if each.point == point] for point in {each.point for each in MUTANTS}}
    caught = 0
    for mutant in MUTANTS:
        original, changed = stack(mutant.stack), edited(stack(mutant.stack), mutant.edits)
        said = {}
        for policy in own[mutant.point]:
            before = {(each and each.urn, message) for each, message in found(policy, original)}
            new = [message for each, message in found(policy, changed) if (each and each.urn, message) not in before]
            if new:
                said[policy.name] = new[0]
        caught += bool(said)
        name = ", ".join(said) or "NOBODY"
        rows.append(f"| {mutant.point} | {mutant.stack} | {mutant.claim} | {name} | {next(iter(said.values()), '')} |")
    return [f"{caught} of {len(MUTANTS)} mutants caught by {len(POLICIES)} policies.", "", *rows]


if __name__ == "__main__":
    print("\n".join(lines()))
