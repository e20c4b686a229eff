"""The history of each registered model, in a table that only grows and whose entries are sealed one to the next.

PostgreSQL refuses UPDATE, DELETE and TRUNCATE on it by trigger. Whoever owns the database can remove a trigger, so each
entry also carries an HMAC over itself and the entry before it, with a key that only the tracking server has: an entry
that was changed, removed or inserted breaks the chain. A cut-off end is noticed by whoever kept an earlier seal, and by
the aliases that no longer follow from what is left.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mlops.errors import PlatformError
from mlops.registry.standing import Entry

KEY_VARIABLE = "MLFLOW_CRYPTO_KEK_PASSPHRASE"

metadata = sa.MetaData()
history = sa.Table(
    "mlops_registry_history",
    metadata,
    sa.Column("workspace", sa.String(63), primary_key=True),
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String(256), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("seal", sa.String(64), nullable=False),
    sa.UniqueConstraint("workspace", "model", "request_id"),
)

_APPEND_ONLY = (
    """CREATE OR REPLACE FUNCTION mlops_registry_history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'mlops_registry_history is append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON mlops_registry_history
    FOR EACH ROW EXECUTE FUNCTION mlops_registry_history_is_append_only()""",
    """CREATE OR REPLACE TRIGGER append_only_table BEFORE TRUNCATE ON mlops_registry_history
    FOR EACH STATEMENT EXECUTE FUNCTION mlops_registry_history_is_append_only()""",
)


def migrate(engine: sa.Engine) -> None:
    """Makes the table and its triggers in the tracking database; safe to repeat."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in _APPEND_ONLY:
            connection.execute(sa.text(statement))


def lock(session: Session, workspace: str, model: str) -> None:
    """Waits until no other transaction changes `model`; held until this transaction ends, on every replica."""
    key = json.dumps(["mlops-registry", workspace, model])
    session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def entries(session: Session, workspace: str, model: str) -> list[Entry]:
    """The whole history of `model`, oldest first."""
    rows = session.execute(
        sa.select(history).where(history.c.workspace == workspace, history.c.model == model).order_by(history.c.number)
    ).mappings()
    return [_entry(row) for row in rows]


def append(session: Session, workspace: str, model: str, entry: Entry, last: Entry | None) -> Entry:
    """Seals `entry` to `last` and adds it; the caller holds the lock."""
    previous = last.seal if last else ""
    number = last.number + 1 if last else 1
    linked = Entry(**{**vars(entry), "number": number, "previous": previous})
    sealed = Entry(**{**vars(linked), "seal": seal(workspace, model, linked)})
    values = {**vars(sealed), "details": json.dumps(sealed.details, sort_keys=True)}
    session.execute(sa.insert(history).values(workspace=workspace, model=model, **values))
    return sealed


def seal(workspace: str, model: str, entry: Entry) -> str:
    """The HMAC-SHA256 of everything in `entry` but its seal, in hex."""
    content = {key: value for key, value in vars(entry).items() if key != "seal"}
    text = json.dumps([workspace, model, content], sort_keys=True, separators=(",", ":"))
    return hmac.new(_key(), text.encode(), hashlib.sha256).hexdigest()


def problems(workspace: str, model: str, found: Sequence[Entry]) -> list[str]:
    """What is wrong with the chain; empty when every entry is as it was written and none is missing between."""
    wrong = []
    last: Entry | None = None
    for entry in found:
        expected = last.number + 1 if last else 1
        if entry.number != expected:
            wrong.append(f"entry {expected} is missing")
        elif entry.previous != (last.seal if last else ""):
            wrong.append(f"entry {entry.number} does not follow entry {expected - 1}")
        if not hmac.compare_digest(entry.seal, seal(workspace, model, entry)):
            wrong.append(f"entry {entry.number} is not as it was written")
        last = entry
    return wrong


def _entry(row: sa.RowMapping) -> Entry:
    values = {key: value for key, value in row.items() if key not in ("workspace", "model")}
    return Entry(**{**values, "details": json.loads(values["details"])})


def _key() -> bytes:
    passphrase = os.environ.get(KEY_VARIABLE)
    if not passphrase:
        raise PlatformError(
            f"{KEY_VARIABLE} is not set; expected the secret that the registry's history is sealed with"
        )
    return hmac.new(passphrase.encode(), b"mlops registry history", hashlib.sha256).digest()
