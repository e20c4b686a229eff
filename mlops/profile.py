"""Where a client finds the platform.

One order for every value: an explicit option, then the environment, then the `platform.json` that the platform wrote.
That file is looked for in $MLFLOW_PLATFORM_STATE, else in `.state` of the current directory and its parents; what it
says about the issuer counts only for its own tracking URL.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from mlops.errors import PlatformError

FILE = "platform.json"
CLI_CLIENT_ID = "mlops-cli"
CLI_REDIRECT = "http://127.0.0.1:0/callback"
"""Any free port, on the address rather than the name `localhost` (RFC 8252, section 8.3)."""
DEFAULT_PORTS = {"http": 80, "https": 443}


def web_url(value: str) -> str:
    """`value` without trailing slashes.

    Raises:
        ValueError: it is no http or https URL, or carries credentials, a query or a fragment.
    """
    if "@" in value:
        raise ValueError("the URL must carry no credentials (@)")
    if origin(value) is None:
        raise ValueError(f"{value!r} is not an http or https URL such as https://mlflow.example.com")
    if "?" in value or "#" in value:
        raise ValueError(f"the URL {value!r} must carry no query or fragment")
    return value.rstrip("/")


def origin(url: str) -> str | None:
    """The origin of an http or https URL as RFC 6454 writes it (lower case, no default port); None of any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return (
        f"{parts.scheme}://{host}" if port in {None, DEFAULT_PORTS[parts.scheme]} else f"{parts.scheme}://{host}:{port}"
    )


WebUrl = Annotated[str, AfterValidator(web_url)]


class Part(BaseModel):
    """One part of the platform and how to ask whether it is well: an HTTP URL (`health`) or `tcp`, HOST:PORT."""

    model_config = ConfigDict(frozen=True)

    name: str
    url: str | None = None
    health: WebUrl | None = None
    tcp: str | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _one_probe(self) -> Self:
        if (self.health is None) == (self.tcp is None):
            raise ValueError(f"part {self.name!r} needs either `health` or `tcp`")
        return self


class Document(BaseModel):
    """What `platform.json` says; nothing in it is secret. Keys of a later version are ignored."""

    model_config = ConfigDict(frozen=True)

    tracking_url: WebUrl
    issuer: WebUrl
    cli_client_id: str = CLI_CLIENT_ID
    cli_redirect: str = CLI_REDIRECT
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Platform:
    """The platform that a command talks to; `issuer` is None when nothing names it."""

    tracking_url: str
    issuer: str | None
    client_id: str
    redirect: str


def resolve(
    tracking_url: str | None = None,
    issuer: str | None = None,
    client_id: str | None = None,
    redirect: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> Platform:
    """The platform, from the options given, the environment and `platform.json`.

    Raises:
        PlatformError: nothing names a tracking URL, or what names it is no URL.
    """
    document = find(env)
    named = tracking_url or env.get("MLFLOW_TRACKING_URI") or (document.tracking_url if document else None)
    if named is None:
        raise PlatformError(
            "no platform given: pass its URL, set MLFLOW_TRACKING_URI, "
            f"or run this where .state/{FILE} is (`make up` writes it)"
        )
    try:
        url = web_url(named)
        own = document if document and document.tracking_url == url else None
        named_issuer = issuer or env.get("MLOPS_ISSUER") or (own.issuer if own else None)
        return Platform(
            tracking_url=url,
            issuer=web_url(named_issuer) if named_issuer else None,
            client_id=client_id or env.get("MLOPS_CLIENT_ID") or (own.cli_client_id if own else CLI_CLIENT_ID),
            redirect=redirect or env.get("MLOPS_REDIRECT") or (own.cli_redirect if own else CLI_REDIRECT),
        )
    except ValueError as error:
        raise PlatformError(str(error)) from None


def find(env: Mapping[str, str] = os.environ) -> Document | None:
    """The nearest `platform.json`, None when there is none.

    Raises:
        PlatformError: the file cannot be used.
    """
    for path in _candidates(env):
        try:
            return Document.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise PlatformError(f"{path}: cannot be read ({error.strerror})") from None
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise PlatformError(f"{path}: {where or 'document'}: {problem['msg']}; `make up` writes it anew") from None
    return None


def _candidates(env: Mapping[str, str]) -> list[Path]:
    """Where to look. A file that somebody else put into a shared parent directory could redirect a sign-in (the reason
    for git's `safe.directory`, CVE-2022-24765), so only one's own and root's directories count."""
    if state := env.get("MLFLOW_PLATFORM_STATE"):
        return [Path(state) / FILE]
    here = Path.cwd()
    return [path / ".state" / FILE for path in (here, *here.parents) if _trusted(path / ".state")]


def _trusted(directory: Path) -> bool:
    try:
        return not hasattr(os, "getuid") or directory.stat().st_uid in {os.getuid(), 0}
    except OSError:
        return False
