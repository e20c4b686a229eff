"""The logins of one user on one machine: a file that only this user can read, keyed by tracking URL."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from mlops.errors import PlatformError

LOCK_SECONDS = 30


@dataclass(frozen=True)
class Login:
    """What a sign-in yielded: the tokens, who issued them, and the public client they were issued to."""

    issuer: str
    client_id: str
    id_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)


def default_path() -> Path:
    """`mlops/tokens.json` in the user's configuration directory (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mlops" / "tokens.json"


class LoginStore:
    """Reads without a lock (the file is replaced in one step); changes it under a lock between processes."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def all(self) -> dict[str, Login]:
        """Every login by tracking URL.

        Raises:
            PlatformError: the file is there but cannot be used.
        """
        try:
            entries = json.loads(self.path.read_text())
            return {url: Login(**entry) for url, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            raise PlatformError(f"{self.path}: not a file of logins; remove it and run `mlops login`") from None
        except OSError as error:
            raise PlatformError(f"{self.path}: cannot be read ({error.strerror})") from None

    def put(self, url: str, login: Login) -> None:
        """Adds or replaces the login of `url`; call it under `locked`."""
        self._write({**self.all(), url: login})

    def remove(self, url: str) -> None:
        """Forgets the login of `url`; call it under `locked`."""
        self._write({key: login for key, login in self.all().items() if key != url})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from changing the file; renewing inside it spends a refresh token only once."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.parent.chmod(0o700)
            with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_SECONDS, mode=0o600):
                yield
        except Timeout:
            raise PlatformError(
                f"{self.path}: another process has held its lock for {LOCK_SECONDS} s; end it and try again"
            ) from None
        except OSError as error:
            raise PlatformError(f"{self.path}: cannot be written ({error.strerror})") from None

    def _write(self, logins: dict[str, Login]) -> None:
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens-")  # created with mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({url: asdict(login) for url, login in logins.items()}, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
