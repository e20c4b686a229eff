"""Why a registry command did not do its work, each kind with an exit code of its own for pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlops.errors import PlatformError


class Conflict(PlatformError):
    """Somebody else was first, or what was decided on has changed; look again and decide again."""

    exit_code = 3


class NotPermitted(PlatformError):
    """The user's role does not allow it."""

    exit_code = 4


class Unavailable(PlatformError):
    """The platform did not answer, or not sensibly, after all retries; nothing is known to have changed."""

    exit_code = 5


class GateFailed(PlatformError):
    """The version was measured and did not pass."""

    exit_code = 6


class Tampered(PlatformError):
    """The history is not as the platform wrote it."""

    exit_code = 7


BY_STATUS: dict[int, type[PlatformError]] = {
    401: NotPermitted,
    403: NotPermitted,
    409: Conflict,
}
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


@contextmanager
def one_line() -> Iterator[None]:
    """Turns what MLflow's client raises into a `PlatformError` with the first line of the message."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()
        message = (str(error).splitlines() or [type(error).__name__])[0]
        kind = Unavailable if status in TRANSIENT and "API request" in message else BY_STATUS.get(status, PlatformError)
        raise kind(message) from None
