"""HTTP as the command line speaks it: the environment's proxies and certificates count, but never for this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import httpx

from mlops.errors import PlatformError

OWN_ADDRESSES = ("127.0.0.1", "localhost", "[::1]")


def client(timeout: float) -> httpx.Client:
    """A client to be closed by the caller; `timeout` is in seconds, for connecting and for each read."""
    return httpx.Client(timeout=timeout, mounts={f"all://{address}": None for address in OWN_ADDRESSES})


def private(url: str, what: str) -> str:
    """`url`, if nobody on the way can read or change what is sent there: https, or http on this machine.

    Raises:
        PlatformError: it is anything else; the message calls it `what`.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return url
    raise PlatformError(f"{what} {url!r} must be https (http only on this machine's loopback)")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
