"""The registry's history against somebody who owns the database."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.platform.local_stack import LocalStack
from tests.platform.registry_support import Model, make_model

TABLE = "mlops_registry_history"


@pytest.fixture
def model(platform: LocalStack) -> Model:
    made = make_model(platform)
    made.champion()
    made.champion()
    return made


@pytest.fixture
def database(platform: LocalStack) -> Iterator[psycopg.Connection]:
    """A connection as the tracking server's own role, which owns the table."""
    passwords = next(platform.state.rglob("pgpass"))
    address = f"host=127.0.0.1 port={platform.ports['database']} dbname=mlflow user=mlflow passfile={passwords}"
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("change", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_to_rewrite_history(database: psycopg.Connection, model: Model, change: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        database.execute(change.format(TABLE))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE {} SET actor = 'mallory' WHERE model = %s AND number = 3", "entry 3 is not as it was written"),
        ("DELETE FROM {} WHERE model = %s AND number = 2", "entry 2 is missing"),
        (
            "DELETE FROM {} WHERE model = %s AND number > 4",
            "alias champion is version 2, but the history says version 1",
        ),
    ],
)
def test_an_owner_who_removes_the_guard_is_found_out(
    database: psycopg.Connection, model: Model, change: str, found: str
) -> None:
    assert model.editor.history(model.name)["problems"] == []
    with database.transaction():
        database.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
        database.execute(change.format(TABLE), [model.name])
        database.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER")
    problems = model.editor.history(model.name)["problems"]
    assert any(problem.startswith(found) for problem in problems), problems


def test_a_champion_whose_files_are_overwritten_is_found_out(model: Model) -> None:
    champion = model.approver.aliases(model.name)["champion"]
    model.editor.upload(model.artifact_path(champion), b"flavors: {other: {}}\n").raise_for_status()
    said = f"the artifacts of version {champion} changed since it was gated"
    assert model.approver.history(model.name)["problems"] == [said]


def test_an_alias_moved_in_the_database_is_found_out(database: psycopg.Connection, model: Model) -> None:
    moved = "UPDATE registered_model_aliases SET version = 1 WHERE name = %s AND alias = 'champion'"
    database.execute(moved, [model.name])
    assert model.editor.history(model.name)["problems"] == [
        "alias champion is version 1, but the history says version 2"
    ]
