"""The rules of the house that an import can break."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TARGETS = ("infra.aws", "infra.local", "infra.kubernetes")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reaches(path: Path, *packages: str) -> set[str]:
    return {name for name in imported(path) if any(name == each or name.startswith(f"{each}.") for each in packages)}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", [*sources("infra/workloads"), ROOT / "infra/contracts.py"], ids=lambda path: path.name)
def test_workloads_know_no_target(path: Path) -> None:
    assert reaches(path, *TARGETS) == set()


def test_what_runs_inside_the_platform_does_not_import_what_builds_it() -> None:
    assert {str(path): found for path in sources("mlops") if (found := reaches(path, "infra", "pulumi", "tools"))} == {}


def test_the_configuration_is_read_in_one_place() -> None:
    readers = [
        path for path in sources("infra") if "pulumi.Config(" in path.read_text() or "config.CONFIG" in path.read_text()
    ]
    assert [path.name for path in readers] == ["settings.py"]


def test_no_stack_is_told_by_its_name() -> None:
    names = {"dev", "prod", "local", "pr"}
    for path in sources("infra"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                told = any(isinstance(side, ast.Attribute) and side.attr in ("stack", "target") for side in sides)
                named = any(isinstance(side, ast.Constant) and side.value in names for side in sides)
                assert not (told and named), f"{path}:{node.lineno}"
