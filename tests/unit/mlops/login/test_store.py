from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from mlops.errors import PlatformError
from mlops.login.store import Login, LoginStore, default_path

LOGIN = Login(issuer="https://sso.example.com", client_id="mlops-cli", id_token="secret-a", refresh_token="secret-b")


def put(path: Path, url: str) -> None:
    store = LoginStore(path)
    with store.locked():
        store.put(url, LOGIN)


def test_only_the_user_can_read_the_tokens(home: Path) -> None:
    (home / "mlops").mkdir(parents=True, mode=0o755)
    old_mask = os.umask(0)
    try:
        put(default_path(), "https://a")
    finally:
        os.umask(old_mask)
    assert oct((home / "mlops").stat().st_mode & 0o777) == "0o700"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (home / "mlops").iterdir()} == {
        "tokens.json": "0o600",
        "tokens.lock": "0o600",
    }


def test_logins_of_several_platforms_are_kept_apart() -> None:
    store = LoginStore()
    other = replace(LOGIN, id_token="other")
    with store.locked():
        store.put("https://a", LOGIN)
        store.put("https://b", other)
        store.remove("https://a")
    assert store.all() == {"https://b": other}


def test_logins_written_by_many_processes_at_once_are_all_there() -> None:
    urls = [f"https://{number}" for number in range(12)]
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(put, [default_path()] * len(urls), urls))
    assert sorted(LoginStore().all()) == sorted(urls)


def test_failing_write_loses_nothing_and_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(default_path(), "https://a")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlatformError, match=r"tokens\.json: cannot be written \(No space left on device\)"):
        put(default_path(), "https://b")
    assert LoginStore().all() == {"https://a": LOGIN}
    assert sorted(path.name for path in (home / "mlops").iterdir()) == ["tokens.json", "tokens.lock"]


@pytest.mark.parametrize("text", ["{", "[]", '{"https://a": {"token": "x"}}', '{"https://a": 1}'])
def test_damaged_file_is_named_with_what_to_do(home: Path, text: str) -> None:
    (home / "mlops").mkdir(parents=True)
    default_path().write_text(text)
    with pytest.raises(PlatformError, match=r"tokens\.json: not a file of logins; remove it and run `mlops login`"):
        LoginStore().all()


def test_tokens_do_not_show_in_a_login_that_is_printed() -> None:
    assert "secret" not in repr(LOGIN)
