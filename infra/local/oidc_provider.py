"""Runs the development identity provider: a real OIDC authorization server that asks for no password.

`python -m infra.local.oidc_provider USERS.json ADDRESS PORT TOKEN_SECONDS`. For development only: whoever reaches it
may sign in as anyone, so it listens on loopback only.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import oidc_provider_mock
import uvicorn
from oidc_provider_mock import User


def main(users: str, address: str, port: str, token_seconds: str) -> None:
    """Serves until it is stopped."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP, on loopback
    known = [
        User(sub=user["email"], claims={"email": user["email"], "email_verified": True, "groups": user["groups"]})
        for user in json.loads(Path(users).read_text())
    ]
    app = oidc_provider_mock.app(
        user_claims=known,
        access_token_max_age=timedelta(seconds=int(token_seconds)),
        require_nonce=False,
    )
    uvicorn.run(app, interface="wsgi", host=address, port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
