"""Remembers for a few seconds what MLflow's permission checks ask the databases at every request.

A change that another process makes (a role taken away, a user deleted) counts here after at most `STALENESS_SECONDS`;
a change that this process makes counts at once. Errors, such as an unknown user, are never remembered.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any, Protocol

from cachetools import TTLCache, cached
from cachetools.keys import hashkey

STALENESS_SECONDS = 5.0
"""How long a revoked permission may still count in a process that did not revoke it."""

RUN_SECONDS = 300.0
"""How long a run's experiment is remembered. It never changes; only `mlflow gc` and deleting a workspace end it."""

MAXIMUM = 10_000
"""Entries in each cache; the oldest goes first."""


class Store(Protocol):
    """A store of MLflow's: all reading and writing goes through sessions that `ManagedSessionMaker` makes."""

    ManagedSessionMaker: Callable[..., Any]


def install() -> None:
    """Puts the memory under MLflow's auth app; after the app was created, before the first request."""
    from mlflow.server import auth, workspace_helpers

    remember(auth.store, ("get_user", "list_grants"))
    remember(workspace_helpers._get_workspace_store(), ("get_workspace",))
    auth._run_requirement = remembered_requirement(auth._run_requirement)


def remember(store: Store, reads: Collection[str], timer: Callable[[], float] = time.monotonic) -> None:
    """Makes `store` answer its methods `reads` from memory, until it is written to or the answer is too old.

    `type(store).METHOD(store, …)` still asks the database.
    """
    cache: TTLCache[Hashable, Any] = TTLCache(MAXIMUM, STALENESS_SECONDS, timer)
    lock = Lock()
    for name in reads:
        setattr(store, name, _copying(cached(cache, _key_of(name), lock)(getattr(store, name))))
    session = store.ManagedSessionMaker

    @contextmanager
    def writing() -> Iterator[Any]:
        try:
            with session(read_only=False) as open_session:
                yield open_session
        finally:
            with lock:
                cache.clear()

    store.ManagedSessionMaker = lambda read_only=True: session() if read_only else writing()


def remembered_requirement(resolve: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """`resolve`, MLflow's `_run_requirement`: whose grants decide about a run, without loading the whole run each time.

    `resolve(run_id, action)` gives an anchor and a list of requirements, or None, never remembered, for no such run.
    """
    from mlflow.utils import workspace_context

    cache: TTLCache[Hashable, tuple[Any, list[Any]]] = TTLCache(MAXIMUM, RUN_SECONDS)
    lock = Lock()

    @wraps(resolve)
    def remembered(run_id: str, action: str) -> tuple[Any, list[Any]] | None:
        key = (workspace_context.get_request_workspace(), run_id, action)
        with lock:
            known = cache.get(key)
        if known is None:
            known = resolve(run_id, action)
            if known is None:
                return None
            with lock:
                cache[key] = known
        anchor, requirements = known
        return anchor, list(requirements)  # callers add to it

    return remembered


def _key_of(method: str) -> Callable[..., Hashable]:
    def key(*arguments: Any) -> Hashable:
        return hashkey(method, *(frozenset(each) if isinstance(each, (set, list)) else each for each in arguments))

    return key


def _copying(read: Callable[..., Any]) -> Callable[..., Any]:
    """Whatever a caller does to an answer, the next one gets it unchanged."""

    @wraps(read)
    def copied(*arguments: Any) -> Any:
        return copy.copy(read(*arguments))

    return copied
