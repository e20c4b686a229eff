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
from jinja2 import ChoiceLoader, DictLoader
from oidc_provider_mock import User

BASE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Development sign-in</title>
<link rel="icon" href="data:,">
<style>
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; font-family: system-ui, sans-serif; line-height: 1.6 }
  h1, h2 { font-size: 1.2rem } p { overflow-wrap: anywhere }
  button, input { font: inherit; padding: .4rem .8rem; margin: .2rem 0 }
</style>
<main>{% block content %}{{ content }}{% endblock %}</main>
</html>
"""
"""The frame of the provider's pages; its own loads a style sheet from a server on the internet."""


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
    app.jinja_loader = ChoiceLoader([DictLoader({"_base.html": BASE_PAGE}), app.jinja_loader])
    uvicorn.run(app, interface="wsgi", host=address, port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
