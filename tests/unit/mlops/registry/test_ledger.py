"""The chain that seals a model's history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops.errors import PlatformError
from mlops.registry import ledger
from mlops.registry.standing import Entry


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_CRYPTO_KEK_PASSPHRASE", "not a secret")


def chain(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(1, length + 1):
        previous = entries[-1].seal if entries else ""
        entry = Entry(number, 1000 + number, "ada", "approved", 1, {"reason": "x"}, f"r{number}", previous)
        entries.append(replace(entry, seal=ledger.seal("iris", "m", entry)))
    return entries


def test_an_untouched_history_has_no_problems() -> None:
    assert ledger.problems("iris", "m", chain(4)) == []


@pytest.mark.parametrize(
    "change",
    [{"actor": "eve"}, {"at": 1}, {"version": 2}, {"details": {}}, {"action": "rejected"}, {"request_id": "r9"}],
)
def test_any_changed_field_is_noticed(change: dict[str, object]) -> None:
    entries = chain(3)
    entries[1] = replace(entries[1], **change)
    assert ledger.problems("iris", "m", entries) == ["entry 2 is not as it was written"]


def test_a_missing_entry_is_noticed() -> None:
    entries = chain(4)
    del entries[1]
    assert ledger.problems("iris", "m", entries) == ["entry 2 is missing"]


def test_a_history_moved_to_another_model_is_noticed() -> None:
    assert len(ledger.problems("iris", "other", chain(2))) == 2


def test_a_forged_entry_needs_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_CRYPTO_KEK_PASSPHRASE", "guessed")
    forged = chain(2)
    monkeypatch.setenv("MLFLOW_CRYPTO_KEK_PASSPHRASE", "not a secret")
    assert len(ledger.problems("iris", "m", forged)) == 2


def test_without_a_key_nothing_is_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_CRYPTO_KEK_PASSPHRASE")
    with pytest.raises(PlatformError, match="MLFLOW_CRYPTO_KEK_PASSPHRASE is not set"):
        chain(1)
