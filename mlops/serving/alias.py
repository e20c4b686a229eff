"""Which version a registered model's alias names now: one small REST request, so that asking often is cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from mlops.errors import PlatformError


class RegistryUnavailable(PlatformError):
    """The registry did not give a usable answer; asking again later may help."""


@dataclass(frozen=True)
class Alias:
    """`models:/NAME@ALIAS` in a workspace of the platform at `tracking_url`."""

    tracking_url: str
    workspace: str
    name: str
    alias: str

    def resolve(self, client: httpx.Client, token: Callable[[], str]) -> str | None:
        """The version that the alias names, None when the model or the alias does not exist (yet).

        Raises:
            RegistryUnavailable: the registry did not answer, or answered with another error.
        """
        try:
            response = client.get(
                f"{self.tracking_url}/api/2.0/mlflow/registered-models/alias",
                params={"name": self.name, "alias": self.alias},
                headers={"Authorization": f"Bearer {token()}", "X-MLFLOW-WORKSPACE": self.workspace},
            )
        except (httpx.HTTPError, OSError) as error:
            raise RegistryUnavailable(f"the registry at {self.tracking_url} does not answer: {error}") from None
        if response.status_code == 200:
            return str(response.json()["model_version"]["version"])
        code = _error_code(response)
        # A missing model is reported as forbidden: MLflow cannot find the workspace of what does not exist.
        if code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE") or response.status_code == 403:
            return None
        raise RegistryUnavailable(f"the registry at {self.tracking_url} answers {response.status_code} {code}")


def _error_code(response: httpx.Response) -> str:
    try:
        return str(response.json()["error_code"])
    except (ValueError, KeyError):
        return response.text[:100]
