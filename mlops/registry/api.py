"""The registry's own routes beside MLflow's: /api/2.0/mlops/registry/…, JSON in and out.

MLflow's auth app authenticates each request and asks whether the model may be read; the transitions ask for the role.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlops.registry import ledger, transitions
from mlops.registry.fingerprint import fingerprint
from mlops.registry.standing import Entry, Standing, standing

if TYPE_CHECKING:
    from mlops.registry.transitions import Model
    from mlops.tracking.protection import GovernedStore

PREFIX = "/api/2.0/mlops/registry"
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Text
    request_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Check(BaseModel):
    """One line of a gate: a finite value, what was expected of it, and whether it was met."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Text
    value: Annotated[float, Field(allow_inf_nan=False)] | str
    expected: Text
    passed: bool


class Gate(_Body):
    """What a gate measured, and on what. `compared`: whether `champion` was measured as well."""

    version: Number
    checks: Annotated[list[Check], Field(min_length=1, max_length=200)]
    fingerprint: Digest
    champion: Number | None
    compared: bool
    report: Text
    report_digest: Digest
    data_digest: Digest
    gate_digest: Digest


class Decision(_Body):
    """An approver's word on a version."""

    version: Number
    reason: Text


class Promote(_Body):
    """`expected_champion` is the one that the caller saw; null means there was none."""

    version: Number
    expected_champion: Number | None


class Rollback(_Body):
    """As `Promote`, back to the previous champion."""

    reason: Text
    expected_champion: Number | None


def _gate(model: Model, body: Gate) -> Entry:
    content = body.model_dump(exclude={"name", "version"})
    return transitions.gate(model, body.version, content)


def _approve(model: Model, body: Decision) -> Entry:
    return transitions.approve(model, body.version, body.model_dump())


def _reject(model: Model, body: Decision) -> Entry:
    return transitions.reject(model, body.version, body.model_dump())


def _promote(model: Model, body: Promote) -> Entry:
    return transitions.promote(model, body.version, body.model_dump())


def _rollback(model: Model, body: Rollback) -> Entry:
    return transitions.rollback(model, body.model_dump())


TRANSITIONS: dict[str, tuple[type[_Body], Callable[[Model, Any], Entry]]] = {
    "gate": (Gate, _gate),
    "approve": (Decision, _approve),
    "reject": (Decision, _reject),
    "promote": (Promote, _promote),
    "rollback": (Rollback, _rollback),
}


def install(app: Flask, store: Callable[[], GovernedStore]) -> None:
    """Adds the routes to MLflow's Flask app, each behind MLflow's own read permission on the model."""
    from mlflow.server import auth
    from mlflow.server.handlers import catch_mlflow_exception

    routes: dict[str, tuple[str, Callable[[], Response]]] = {
        "history": ("GET", lambda: _history(store())),
        "version": ("GET", lambda: _version(store())),
        **{action: ("POST", _transition(action, store)) for action in TRANSITIONS},
    }
    for name, (method, view) in routes.items():
        path = f"{PREFIX}/{name}"
        auth.BEFORE_REQUEST_VALIDATORS[(path, method)] = auth.validate_can_read_registered_model
        app.add_url_rule(path, f"mlops_registry_{name}", catch_mlflow_exception(view), methods=[method])


def _transition(action: str, store: Callable[[], GovernedStore]) -> Callable[[], Response]:
    schema, change = TRANSITIONS[action]

    def view() -> Response:
        body = _parsed(schema)
        governed = store()
        actor = governed.require_approver(f"{action} {body.name}")
        with transitions.locked(governed, body.name, actor) as model:
            entry = transitions.once(model, body.request_id, lambda: change(model, body))
            return jsonify({"entry": vars(entry), "aliases": model.standing.aliases()})

    return view


def _history(store: GovernedStore) -> Response:
    """Every entry, what is wrong with them, and the aliases that do not follow from them."""
    name, workspace = request.args["name"], store._get_active_workspace()
    with store.ManagedSessionMaker(read_only=True) as session:
        entries = ledger.entries(session, workspace, name)
        wrong = ledger.problems(workspace, name, entries)
        actual = {alias.alias: alias.version for alias in _aliases(store, session, name)}
        known = standing(entries)
        wrong += _changed(store, session, name, known)
    expected = known.aliases() if entries else actual
    for alias in sorted(store.protected):
        if actual.get(alias) != expected.get(alias):
            found, said = actual.get(alias), expected.get(alias)
            wrong.append(f"alias {alias} is version {found}, but the history says version {said}")
    return jsonify({"entries": [vars(entry) for entry in entries], "problems": wrong, "aliases": actual})


def _changed(store: GovernedStore, session: Any, name: str, known: Standing) -> list[str]:
    """What is served, or would be after a rollback, and is no longer what was gated."""
    gates = {version: known.of(version).gate for version in (known.champion, known.previous) if version is not None}
    return [
        f"the artifacts of version {version} changed since it was gated"
        for version, gate in gates.items()
        if gate and gate.details["fingerprint"] != fingerprint(store._get_sql_model_version(session, name, version))
    ]


def _version(store: GovernedStore) -> Response:
    """What a gate has to know of a version before it measures it."""
    name, number = request.args["name"], request.args.get("version", type=int)
    workspace = store._get_active_workspace()
    with store.ManagedSessionMaker(read_only=True) as session:
        row = store._get_sql_model_version(session, name, number)
        known = standing(ledger.entries(session, workspace, name))
        return jsonify({"fingerprint": fingerprint(row), "run_id": row.run_id, "champion": known.champion})


def _aliases(store: GovernedStore, session: Any, name: str) -> list[Any]:
    return list(store._get_registered_model(session, name).registered_model_aliases)


def _parsed(schema: type[_Body]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return schema.model_validate_json(request.get_data())
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, problem["loc"])) or "body"
        raise MlflowException.invalid_parameter_value(f"{where} = {problem['input']!r}: {problem['msg']}") from None
