"""Image references: pinned, or refused."""

from __future__ import annotations

import re

_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}|[^@\s]+:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})")


def pinned(reference: str) -> str:
    """`reference` when it names one image for good: by digest, or by a tag other than `latest`.

    Raises:
        ValueError: it has neither a digest nor a tag, or its tag is `latest`.
    """
    match = _PINNED.fullmatch(reference)
    if match is None or match["tag"] == "latest":
        example = f"{_repository(reference)}:1.4.2"
        raise ValueError(f"image {reference!r}: expected a reference pinned by tag or digest, for example {example}")
    return reference


def _repository(reference: str) -> str:
    repository = reference.partition("@")[0]
    return repository.removesuffix(":latest").rstrip(":") or "registry/image"
