"""The steps of `mlops diagnose` from a client's machine to the artifact store, each through the front door."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx

from mlops import web
from mlops.errors import PlatformError
from mlops.operations.diagnose import NotHere, Step, Trouble

SKEW_SECONDS = 30
"""What the tracking server tolerates in a token's times."""
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts"
EXPERIMENT = "mlops-diagnose"


class Path:
    """One client on its way to `url`; each method is a step and returns what it saw."""

    def __init__(self, url: str, workspace: str | None, timeout: float) -> None:
        self.url, self.workspace, self.timeout = url, workspace, timeout
        self.http = web.client(timeout)
        self.http.base_url = httpx.URL(url)
        parts = urlsplit(url)
        self.host, self.secure = parts.hostname or "", parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.answer: httpx.Response | None = None

    def dns(self) -> str:
        """The host's addresses."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Trouble(
                f"{self.host}: {error.strerror or error}",
                "the name is mistyped, or this network (VPN?) does not know it",
                f"compare MLFLOW_TRACKING_URI={self.url} with the stack's output tracking_url",
            ) from None
        return f"{self.host} is {', '.join(sorted({str(entry[4][0]) for entry in found}))}"

    def tls(self) -> str:
        """A connection, and a certificate that this machine trusts."""
        try:
            with socket.create_connection((self.host, self.port), self.timeout) as plain:
                if not self.secure:
                    return f"{self.host}:{self.port} accepts connections (plain HTTP)"
                context = ssl.create_default_context()
                with context.wrap_socket(plain, server_hostname=self.host) as encrypted:
                    return f"{encrypted.version()}, certificate is trusted"
        except ssl.SSLError as error:
            raise Trouble(
                f"TLS: {error.reason or error}",
                "the certificate is not for this name, has expired, or comes from an authority unknown here",
                "set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to your organization's authority, or renew the certificate",
            ) from None
        except OSError as error:
            raise Trouble(
                f"{self.host}:{self.port}: {error.strerror or error}",
                "nothing listens there, or a firewall is in between",
                "mlops status (on one machine: make up)",
            ) from None

    def proxy(self) -> str:
        """The OAuth2 proxy answers its own ping."""
        self.answer = self._send("GET", "/ping", authorized=False)
        if self.answer.status_code != 200:
            raise Trouble(
                f"/ping: HTTP {self.answer.status_code}",
                "something else than the platform's OAuth2 proxy listens at this URL",
                "compare the URL with the stack's output tracking_url",
            )
        return "the OAuth2 proxy answers"

    def clock(self) -> str:
        """This machine's clock against the platform's."""
        stated = self.answer.headers.get("date") if self.answer is not None else None
        if stated is None:
            raise NotHere("the platform's answer has no date")
        skew = time.time() - parsedate_to_datetime(stated).timestamp()
        if abs(skew) > SKEW_SECONDS:
            raise Trouble(
                f"this clock is {skew:+.0f} s off the platform's",
                "one of the two clocks is not synchronized; tokens and signed URLs are refused for it",
                "start time synchronization (timedatectl set-ntp true), then try again",
            )
        return f"{abs(skew):.0f} s apart"

    def token(self) -> str:
        """A token that has not expired, from the environment or a login."""
        from mlops.login.issuer import unverified

        bearer, source = self._bearer()
        try:
            claims = unverified(bearer)
        except PlatformError as error:
            raise Trouble(f"{source}: {error}", "it is not the platform's token", "mlops login") from None
        left = float(claims.get("exp", 0)) - time.time()
        if left < 0:
            raise Trouble(f"{source}: expired {-left:.0f} s ago", "the sign-in is too old", "mlops login")
        return f"{source}, issued by {claims.get('iss')}, valid for {left / 60:.0f} min"

    def identity(self) -> str:
        """Who the platform takes this client for."""
        answer = self._send("GET", f"{API}/users/current")
        if answer.status_code in (401, 403) or answer.is_redirect:
            raise Trouble(
                f"HTTP {answer.status_code}: {_said(answer)}",
                "the token's issuer or audience is not one of this platform's, or none of its groups has a role",
                "mlops login; if it stays: compare the groups in the token with `teams` in the stack's settings",
            )
        self._raise_for_server(answer)
        return f"signed in as {answer.json()['user']['username']}"

    def version(self) -> str:
        """The server's MLflow against this client's."""
        answer = self._send("GET", "/version")
        self._raise_for_server(answer)
        server, client = answer.text.strip(), version("mlflow-skinny")
        if server.split(".")[:2] != client.split(".")[:2]:
            raise Trouble(
                f"server {server}, client {client}",
                "they were installed at different times; newer clients may call what an older server does not have",
                f"pip install 'mlflow=={server}'",
            )
        return f"server {server}, client {client}"

    def database(self) -> str:
        """The tracking server reaches its database: by its readiness, where that is published, and by a query."""
        from mlops import profile

        document = profile.find()
        parts = document.parts if document and document.tracking_url == self.url else ()
        ready = next((part.health for part in parts if part.health and part.health.endswith("/ready")), None)
        if ready is not None:
            state = self._send("GET", ready, authorized=False)
            if state.status_code != 200:
                raise self._database_trouble(f"readiness: {_said(state)}")
        answer = self._send("POST", f"{API}/experiments/search", json={"max_results": 1})
        if answer.status_code >= 500 or "psycopg" in answer.text:
            raise self._database_trouble(f"HTTP {answer.status_code}: {_said(answer)}")
        return "a query is answered" + (" and readiness is well" if ready else "")

    def role(self) -> str:
        """The roles that this identity holds in its workspace."""
        answer = self._send("GET", "/api/3.0/mlflow/users/current/permissions")
        if answer.status_code in (400, 404):
            raise self._role_trouble(f"HTTP {answer.status_code}: {_said(answer)}")
        self._raise_for_server(answer)
        held = answer.json()
        if held["is_admin"]:
            return "administers the platform"
        roles = {(row["workspace"], row["role_name"]) for row in held["permissions"]}
        mine = sorted(role for workspace, role in roles if workspace == self.workspace and not role.startswith("__"))
        if not mine:
            elsewhere = ", ".join(sorted({workspace for workspace, _ in roles})) or "no workspace"
            raise self._role_trouble(f"no role in workspace {self.workspace}, but in {elsewhere}")
        return f"{', '.join(mine)} in workspace {self.workspace}"

    def _role_trouble(self, seen: str) -> Trouble:
        return Trouble(
            seen,
            "MLFLOW_WORKSPACE is not set to your team's name, or none of your groups has a role there",
            "set MLFLOW_WORKSPACE; ask an admin which groups of `teams` in the stack's settings hold a role",
        )

    def artifacts(self) -> str:
        """A small file through the server: put, list, get."""
        run_id, experiment = self._scratch_run()
        place = f"{experiment}/{run_id}/artifacts"
        name, content = f"{secrets.token_hex(4)}.bin", secrets.token_bytes(1024)
        try:
            self._artifact("put", self._send("PUT", f"{ARTIFACTS}/artifacts/{place}/{name}", content=content))
            listed = self._artifact("list", self._send("GET", f"{ARTIFACTS}/artifacts", params={"path": place}))
            if name not in listed.text:
                raise Trouble(
                    "list: the file just written is not there", "the bucket is not consistent", self._bucket()
                )
            got = self._artifact("get", self._send("GET", f"{ARTIFACTS}/artifacts/{place}/{name}"))
            if got.content != content:
                raise Trouble("get: not the bytes that were put", "something on the way changes them", self._bucket())
        finally:
            self._send("POST", f"{API}/runs/delete", json={"run_id": run_id})
        return "put, list and get work; the scratch run is deleted"

    def _scratch_run(self) -> tuple[str, str]:
        found = self._send("GET", f"{API}/experiments/get-by-name", params={"experiment_name": EXPERIMENT})
        if found.status_code == 200:
            experiment = found.json()["experiment"]["experiment_id"]
        else:
            made = self._send("POST", f"{API}/experiments/create", json={"name": EXPERIMENT})
            if made.status_code == 403:
                raise NotHere("this identity may only read here; the editor role is needed to write")
            self._raise_for_server(made)
            experiment = made.json()["experiment_id"]
        run = self._send("POST", f"{API}/runs/create", json={"experiment_id": experiment})
        if run.status_code == 403:
            raise NotHere("this identity may only read here; the editor role is needed to write")
        self._raise_for_server(run)
        return run.json()["run"]["info"]["run_id"], experiment

    def _artifact(self, what: str, answer: httpx.Response) -> httpx.Response:
        if answer.status_code != 200:
            raise Trouble(
                f"{what}: HTTP {answer.status_code}: {_said(answer)}",
                "the tracking server cannot reach its bucket, or its role there lacks a permission",
                self._bucket(),
            )
        return answer

    def _bucket(self) -> str:
        return "on the server's side: mlops diagnose --bucket s3://BUCKET (the stack's output bucket)"

    def _bearer(self) -> tuple[str, str]:
        from mlops.login.sources import choose
        from mlops.profile import origin

        if given := os.environ.get("MLFLOW_TRACKING_TOKEN"):
            return given, "MLFLOW_TRACKING_TOKEN"
        try:
            return choose(origin(self.url) or self.url).fetch().value, "login"
        except PlatformError as error:
            raise Trouble(str(error), "nobody signed in on this machine", f"mlops login {self.url}") from None

    def _send(self, method: str, path: str, *, authorized: bool = True, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._bearer()[0]}"} if authorized else {}
        if self.workspace and authorized:
            headers["X-MLFLOW-WORKSPACE"] = self.workspace
        try:
            return self.http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise Trouble(
                f"{path}: {error or type(error).__name__}",
                "the platform, or a proxy of this network, closed the connection or took too long",
                f"mlops status; check that NO_PROXY covers {self.host}",
            ) from None

    def _raise_for_server(self, answer: httpx.Response) -> None:
        if answer.status_code in (502, 503, 504) and "error_code" not in answer.text:  # not from MLflow
            raise Trouble(
                f"HTTP {answer.status_code}: {_said(answer)}",
                "the proxy runs, but the tracking server behind it does not answer",
                "mlops status; then the tracking server's log",
            )
        if answer.status_code >= 500:
            raise self._database_trouble(f"HTTP {answer.status_code}: {_said(answer)}")

    def _database_trouble(self, seen: str) -> Trouble:
        return Trouble(
            seen,
            "the tracking server cannot reach PostgreSQL, or its role is refused there",
            "mlops status; then the database's log, its security group and the role's password or IAM permission",
        )


def client_steps(url: str, workspace: str | None, timeout: float) -> list[Step]:
    """The steps in the order that a request takes."""
    path = Path(url, workspace, timeout)
    chain: list[tuple[str, Callable[[], str], tuple[str, ...]]] = [
        ("dns", path.dns, ()),
        ("tls", path.tls, ("dns",)),
        ("proxy", path.proxy, ("tls",)),
        ("clock", path.clock, ("proxy",)),
        ("token", path.token, ()),
        ("identity", path.identity, ("proxy", "token")),
        ("version", path.version, ("identity",)),
        ("database", path.database, ("identity",)),
        ("role", path.role, ("database",)),
        ("artifacts", path.artifacts, ("role",)),
    ]
    return [Step(*link) for link in chain]


def _said(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        text = str(body.get("message") or body.get("reason") or body)
    except (ValueError, AttributeError):
        text = answer.text
    return " ".join(text.split())[:200] or answer.reason_phrase
