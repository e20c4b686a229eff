"""What is checked before anything is started."""

from __future__ import annotations

import os
import socket

from infra.local.preflight import disk_full, port_taken


def test_a_strangers_port_is_named_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"port {port} is taken by" in str(port_taken("127.0.0.1", port, ours=set()))
        assert f"(process {os.getpid()})" in str(port_taken("127.0.0.1", port, ours=set()))


def test_our_own_listener_is_no_obstacle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert port_taken("127.0.0.1", server.getsockname()[1], ours={os.getpid()}) is None


def test_a_free_port_is_no_obstacle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_taken("127.0.0.1", port, ours=set()) is None


def test_a_full_disk_is_said_before_it_is_filled(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert disk_full(tmp_path / "not" / "there" / "yet") is None
    monkeypatch.setattr("infra.local.preflight.MINIMUM_FREE_BYTES", 2**60)
    assert "MiB are free under" in str(disk_full(tmp_path))
