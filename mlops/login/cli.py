"""`mlops login`, `logout`, `whoami` and `env`: a person's way into the platform."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mlops.errors import PlatformError

if TYPE_CHECKING:
    from mlops.login.store import LoginStore

Url = Annotated[
    str | None, typer.Argument(help="The platform's URL; default: MLFLOW_TRACKING_URI, then platform.json.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer()


@app.command()
def login(
    url: Url = None,
    issuer: Annotated[str | None, typer.Option(help="The OIDC issuer; default: MLOPS_ISSUER.")] = None,
    client_id: Annotated[str | None, typer.Option(help="The public client; default: MLOPS_CLIENT_ID.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser; else only print where to go.")] = True,
    redirect: Annotated[
        str | None, typer.Option(help="Where the issuer may send the browser back to; default: MLOPS_REDIRECT.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the browser to come back.", min=1)] = 300,
) -> None:
    """Sign in with the browser and keep the tokens for `import mlflow`."""
    from mlops import profile
    from mlops.login.flow import name, sign_in
    from mlops.login.issuer import Issuer, unverified
    from mlops.login.store import LoginStore
    from mlops.web import private

    store = LoginStore()
    platform = profile.resolve(url, issuer, client_id, redirect)
    private(platform.tracking_url, "the platform's URL")
    last = store.all().get(platform.tracking_url)
    issuer_url = platform.issuer or (last.issuer if last else None)
    if issuer_url is None:
        raise PlatformError(f"{platform.tracking_url}: who signs people in? Pass --issuer or set MLOPS_ISSUER")
    signed_in = sign_in(
        Issuer(issuer_url, platform.client_id), _visit(browser), timeout=timeout, redirect=platform.redirect
    )
    with store.locked():
        store.put(platform.tracking_url, signed_in)
    person = name(unverified(signed_in.id_token))
    _console().print(f"Signed in to {platform.tracking_url} as {person}.", style="green")
    _console().print('For plain MLflow code: eval "$(mlops env)"')


@app.command()
def logout(url: Url = None) -> None:
    """Forget the tokens, and end the refresh token where the issuer can."""
    from mlops.login.issuer import Issuer
    from mlops.login.store import LoginStore

    store = LoginStore()
    target = _known(url, store)
    with store.locked():
        last = store.all().get(target)
        if last is None:
            raise PlatformError(f"not logged in to {target}")
        store.remove(target)
    try:
        ended = Issuer(last.issuer, last.client_id).revoke(last)
    except PlatformError as error:
        _console().print(f"The refresh token stays valid at the issuer: {error}", style="yellow")
    else:
        _console().print(f"Signed out of {target}{' and ended its refresh token' if ended else ''}.")


@app.command()
def whoami(url: Url = None, as_json: Json = False) -> None:
    """Who the platform will see, and until when; renews the token when it is due."""
    from datetime import UTC, datetime

    from mlops import profile
    from mlops.login import sources
    from mlops.login.flow import name
    from mlops.login.issuer import unverified
    from mlops.login.store import LoginStore

    target = _known(url, LoginStore())
    source = sources.choose(profile.origin(target) or target)
    token = source.fetch()
    claims = unverified(token.value)
    report = {
        "platform": target,
        "name": name(claims),
        "groups": claims.get("groups", []),
        "issuer": claims.get("iss"),
        "source": type(source).__name__,
        "expires": datetime.fromtimestamp(token.expires_at, UTC).isoformat(),
    }
    if as_json:
        typer.echo(json.dumps(report))
        return
    for key, value in report.items():
        _console(stderr=False).print(f"{key:9} {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def env(
    url: Url = None,
    workspace: Annotated[str | None, typer.Option(help="The team's workspace to work in.")] = None,
) -> None:
    """Print what plain MLflow code needs: eval "$(mlops env --workspace TEAM)"."""
    from mlops.login.store import LoginStore

    values = {"MLFLOW_TRACKING_URI": _known(url, LoginStore()), "MLFLOW_TRACKING_AUTH": "mlops"}
    if workspace:
        values["MLFLOW_WORKSPACE"] = workspace
    for key, value in values.items():
        typer.echo(f"export {key}={shlex.quote(value)}")


def _known(url: str | None, store: LoginStore) -> str:
    """The platform named as everywhere; else the only one that there is a login for."""
    from mlops import profile

    try:
        return profile.resolve(url).tracking_url
    except PlatformError:
        logins = store.all()
        if url is None and len(logins) == 1:
            return next(iter(logins))
        raise


def _visit(browser: bool) -> Callable[[str], None]:
    def visit(url: str) -> None:
        import webbrowser

        if browser and _has_screen() and webbrowser.open(url):
            _console().print("Continue in the browser. Should it not have opened, go to:")
        else:
            _console().print("Open this in a browser on this machine (from afar, forward the port of redirect_uri):")
        typer.echo(url)

    return visit


def _has_screen() -> bool:
    """Whether a browser would open a window; `webbrowser` otherwise runs one that takes the terminal over."""
    return sys.platform in {"darwin", "win32"} or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))


def _console(*, stderr: bool = True) -> Console:
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False)
