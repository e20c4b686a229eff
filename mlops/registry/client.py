"""The registry's transitions from a data scientist's machine or a pipeline.

Every request carries an id of its own. A server that answers 429 or 5xx, or not in time, is asked again with the same
id, so that a transition whose answer was lost happens once. A conflict is never retried: what the caller decided on is
no longer so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_random_exponential

from mlops.errors import PlatformError
from mlops.registry.errors import BY_STATUS, TRANSIENT, Unavailable, one_line

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PREFIX = "/api/2.0/mlops/registry"
TIMEOUT_SECONDS = 30


def retrying() -> Retrying:
    """Bounded exponential backoff with full jitter: at most 6 attempts within a minute."""
    return Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.2, max=8),
        stop=stop_after_attempt(6) | stop_after_delay(60),
        reraise=True,
    )


class Registry:
    """The registry of the platform that MLflow's tracking URI names, in MLflow's current workspace.

    Raises:
        PlatformError: the tracking URI is not that of a server. Every method raises it too, or a subclass of
            `mlops.registry.errors`: refused, conflict, not permitted, unavailable.
    """

    def __init__(self) -> None:
        self.uri = mlflow.get_tracking_uri()
        if not self.uri.startswith(("http://", "https://")):
            raise PlatformError(f"MLFLOW_TRACKING_URI={self.uri}: expected the platform's URL; see mlops status")

    def register(
        self, model_uri: str, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> ModelVersion:
        """Registers the model at `model_uri` (`runs:/…`, `models:/m-…`) as a new, described and tagged version."""
        with one_line():
            version = mlflow.register_model(model_uri, name, tags=dict(tags or {}))
            if description:
                mlflow.MlflowClient().update_model_version(name, version.version, description=description)
            return version

    def version(self, name: str, version: int) -> dict[str, Any]:
        """`fingerprint` of what the version is made of now, its `run_id`, and the `champion` (version or None)."""
        return self._ask("GET", "version", {"name": name, "version": version})

    def gate(self, name: str, version: int, measured: Mapping[str, Any]) -> dict[str, Any]:
        """Records a gate's result; see `mlops.registry.gate`."""
        return self._change("gate", {"name": name, "version": version, **measured})

    def approve(self, name: str, version: int, reason: str) -> dict[str, Any]:
        """Approves a gated version."""
        return self._change("approve", {"name": name, "version": version, "reason": reason})

    def reject(self, name: str, version: int, reason: str) -> dict[str, Any]:
        """Rejects a version."""
        return self._change("reject", {"name": name, "version": version, "reason": reason})

    def promote(self, name: str, version: int) -> dict[str, Any]:
        """Makes a gated and approved version the champion, unless the champion moves meanwhile."""
        seen = self.version(name, version)["champion"]
        return self._change("promote", {"name": name, "version": version, "expected_champion": seen})

    def rollback(self, name: str, reason: str) -> dict[str, Any]:
        """Brings the previous champion back, unless the champion moves meanwhile."""
        seen = self.history(name)["aliases"].get("champion")
        return self._change("rollback", {"name": name, "reason": reason, "expected_champion": seen})

    def history(self, name: str) -> dict[str, Any]:
        """`entries` (oldest first), `problems` (empty when nothing was rewritten) and `aliases`."""
        return self._ask("GET", "history", {"name": name})

    def _change(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", action, {**body, "request_id": uuid4().hex})

    def _ask(self, method: str, action: str, content: Mapping[str, Any]) -> dict[str, Any]:
        for attempt in retrying():
            with attempt:
                return self._once(method, action, content)
        raise AssertionError("unreachable: tenacity returns or raises")

    def _once(self, method: str, action: str, content: Mapping[str, Any]) -> dict[str, Any]:
        carried = {"params": content} if method == "GET" else {"json": content}
        try:
            response = http_request(
                get_default_host_creds(self.uri),
                f"{PREFIX}/{action}",
                method,
                max_retries=0,
                raise_on_status=False,
                timeout=TIMEOUT_SECONDS,
                **carried,
            )
        except (MlflowException, requests.RequestException) as error:
            raise Unavailable(f"{self.uri} does not answer: {error}; next: mlops diagnose") from None
        if response.status_code in TRANSIENT:
            raise Unavailable(f"{self.uri} answers {response.status_code}: {_message(response)}; next: mlops diagnose")
        if response.status_code != 200:
            raise BY_STATUS.get(response.status_code, PlatformError)(_message(response))
        answer: dict[str, Any] = response.json()
        return answer


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200].replace("\n", " ") or response.reason
