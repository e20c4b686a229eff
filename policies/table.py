"""Writes the checklist's table into the README, between its markers: `python -m policies.table`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlops.checklist.points import POINTS
from policies.checklist import POLICIES

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- checklist -->", "<!-- /checklist -->"


def table() -> str:
    """The table: a row for each point, with its policies counted and what is still open said."""
    lines = ["| | Point | Policies | `mlops checklist` asks |", "|---|---|---|---|"]
    for point in POINTS:
        count = sum(policy.point == point.id for policy in POLICIES)
        asked = f"open: {point.open}" if point.open else "yes"
        lines.append(f"| {point.number} | [{point.title}]({point.url}) | {count or 'none: behaviour'} | {asked} |")
    return "\n".join(lines)


def written(text: str) -> str:
    """`text` with the table between the markers.

    Raises:
        ValueError: the markers are missing or stand more than once.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"expected {BEGIN} and {END} once each; put them on lines of their own")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Rewrites the README, or with `--check` only says whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write the checklist's table into a Markdown file.")
    parser.add_argument("file", nargs="?", type=Path, default=README)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = arguments.file.read_text()
    new = written(text)
    if arguments.check:
        sys.exit(0 if new == text else f"{arguments.file}: out of date; next: python -m policies.table")
    arguments.file.write_text(new)


if __name__ == "__main__":
    main()
