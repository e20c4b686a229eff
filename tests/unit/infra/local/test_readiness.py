"""How starting is waited for, and what is said when it fails."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.local.readiness import NotReady, StartFailed, Status, last_words, probe, wait_until_ready


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_process_that_ended_is_told_with_its_last_complaint(tmp_path: Path, closed_port: int) -> None:
    log = tmp_path / "part.log"
    log.write_text("starting\nFATAL: the disk is full\nshutting down\n")
    with pytest.raises(
        StartFailed, match=r"part ended while it was starting; it says: 'FATAL: the disk is full'; log: .*part.log"
    ):
        wait_until_ready("part", f"http://127.0.0.1:{closed_port}/", 30, lambda: Status("FATAL", 1), log)


def test_a_process_that_ends_time_and_again_is_not_waited_for(tmp_path: Path, closed_port: int) -> None:
    starts = iter(range(1000))
    with pytest.raises(StartFailed, match="ended while it was starting"):
        wait_until_ready(
            "part", f"http://127.0.0.1:{closed_port}/", 30, lambda: Status("BACKOFF", next(starts)), tmp_path / "no.log"
        )


def test_a_failing_status_is_not_ready() -> None:
    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503, "database down")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(NotReady, match="HTTP 503"):
            probe(f"http://127.0.0.1:{server.server_port}/ready")


def test_an_open_port_alone_is_no_ready_postgresql() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        with pytest.raises(NotReady, match="no_response"):
            probe(f"postgresql://127.0.0.1:{server.getsockname()[1]}")


def test_last_words_say_where_the_log_is_even_when_it_is_empty(tmp_path: Path) -> None:
    assert last_words(tmp_path / "missing.log") == f"its log is empty: {tmp_path / 'missing.log'}"
