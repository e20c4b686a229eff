"""HTTP as the command line speaks it: the environment's proxies and certificates count, but never for this machine."""

from __future__ import annotations

import ipaddress

import httpx

OWN_ADDRESSES = ("127.0.0.1", "localhost", "[::1]")


def client(timeout: float) -> httpx.Client:
    """A client to be closed by the caller; `timeout` is in seconds, for connecting and for each read."""
    return httpx.Client(timeout=timeout, mounts={f"all://{address}": None for address in OWN_ADDRESSES})


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: `localhost` or a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
