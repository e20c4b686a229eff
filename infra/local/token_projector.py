"""Keeps an identity token of each workload in a file, as the kubelet does in a pod; renewed well before it expires.

`python -m infra.local.token_projector ISSUER AUDIENCE DIRECTORY WORKLOAD …`
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import httpx
import jwt

from infra import naming
from tools.pulumi_home import write_private

SCOPE = "openid email"
RETRY_SECONDS = 2.0
FRACTION_OF_LIFE = 0.8
"""When to renew; the kubelet's own rule (Kubernetes documentation, "Service account token volume projection")."""


def main(issuer: str, audience: str, directory: str, *workloads: str) -> None:
    """Renews until it is stopped."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    folder = Path(directory)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    delay = 0.0
    while not stopping.wait(delay):
        try:
            tokens = {workload: fetch(issuer, audience, naming.service_account(workload)) for workload in workloads}
        except (httpx.HTTPError, KeyError) as error:
            print(f"token projector: {issuer} does not issue tokens: {error!r}", file=sys.stderr)
            delay = RETRY_SECONDS
            continue
        for workload, token in tokens.items():
            write_private(folder / workload, token)
        delay = min((lifetime(token) for token in tokens.values()), default=3600.0) * FRACTION_OF_LIFE


def fetch(issuer: str, audience: str, subject: str) -> str:
    """A fresh token for `subject`, through the provider's authorization code flow."""
    callback = "http://127.0.0.1/unused"
    query = {"response_type": "code", "client_id": audience, "redirect_uri": callback, "scope": SCOPE}
    with httpx.Client(base_url=issuer, timeout=10, trust_env=False) as client:
        answer = client.post("/oauth2/authorize", params=query, data={"sub": subject})
        code = httpx.URL(answer.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "client_id": audience}
        response = client.post("/oauth2/token", data={**form, "client_secret": "unused"})
        response.raise_for_status()
        return str(response.json()["id_token"])


def lifetime(token: str) -> float:
    """Seconds between issue and expiry."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return float(claims["exp"] - claims["iat"])


if __name__ == "__main__":
    main(*sys.argv[1:])
