from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.issuer import Provider, running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as server:
        yield server
