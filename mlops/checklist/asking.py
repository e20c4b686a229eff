"""How the checklist asks a running platform: as nobody, and as whoever is signed in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from mlops import profile, web
from mlops.checklist.facts import PATH as FACTS
from mlops.errors import PlatformError

State = Literal["passed", "failed", "open", "unknown"]
TIMEOUT = 10.0
"""Seconds for each question."""


@dataclass(frozen=True)
class Answer:
    """What came of one point; `detail` says what was seen, and what to do unless it passed."""

    state: State
    detail: str


@dataclass(frozen=True)
class Champion:
    """A served version: its model, workspace and history as the server tells it."""

    workspace: str
    model: str
    version: int
    history: dict[str, Any]


@dataclass
class Platform:
    """The platform at `url`, seen by somebody with `token` (None: by nobody)."""

    url: str
    token: str | None = field(repr=False)
    document: profile.Document | None

    @property
    def here(self) -> bool:
        """Whether it runs on this machine."""
        return web._is_loopback(urlsplit(self.url).hostname or "")

    def anonymous(self, path: str, base: str | None = None) -> httpx.Response:
        """GET without any identity; redirects are not followed.

        Raises:
            httpx.HTTPError: nothing answers.
        """
        with web.client(TIMEOUT) as client:
            return client.get(f"{base or self.url}{path}", headers={"Accept": "application/json"})

    def get(self, path: str, workspace: str | None = None, **params: Any) -> Any:
        """GET as the caller; the decoded JSON.

        Raises:
            PlatformError: nobody is signed in, or the answer is not 200.
        """
        if self.token is None:
            raise PlatformError("nobody is signed in; next: mlops login")
        headers = {"Authorization": f"Bearer {self.token}"}
        if workspace:
            headers["X-MLFLOW-WORKSPACE"] = workspace
        try:
            with web.client(TIMEOUT) as client:
                response = client.get(f"{self.url}{path}", params=params, headers=headers)
        except httpx.HTTPError as error:
            raise PlatformError(f"{self.url} does not answer: {error}; next: mlops status") from None
        if response.status_code != 200:
            raise PlatformError(f"{path} answers HTTP {response.status_code}; expected 200")
        return response.json()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the server says about itself."""
        answer: dict[str, Any] = self.get(FACTS)
        return answer

    @cached_property
    def champions(self) -> list[Champion]:
        """Every champion that the caller may see, in every workspace."""
        return list(self._champions())

    def _champions(self) -> Iterator[Champion]:
        workspaces = self.get("/api/3.0/mlflow/workspaces").get("workspaces", [])
        for workspace in (str(each["name"]) for each in workspaces):
            token = None
            while True:
                page = self.get(
                    "/api/2.0/mlflow/registered-models/search",
                    workspace,
                    max_results=200,
                    **({"page_token": token} if token else {}),
                )
                for model in page.get("registered_models", []):
                    aliases = {each["alias"]: int(each["version"]) for each in model.get("aliases", [])}
                    if "champion" in aliases:
                        history = self.get("/api/2.0/mlops/registry/history", workspace, name=model["name"])
                        yield Champion(workspace, model["name"], aliases["champion"], history)
                token = page.get("next_page_token")
                if not token:
                    break


def reachable(host: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError:
        return False
    return True
