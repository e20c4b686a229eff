"""Aliases and tags that mean something, guarded where they are stored: in the tracking server's registry store.

MLflow's permissions end at the model: whoever may edit it may point `champion` anywhere. This store stands between
MLflow's handlers and the database, so that no route, API version or client goes around it. Deliberately not a filter
over URLs, which each new route of MLflow would open again.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

from mlops.registry import transitions
from mlops.registry.standing import WORKFLOW_ALIASES, WORKFLOW_TAGS
from mlops.tracking import identity

APPROVING = frozenset({"approver", "admin"})


class GovernedStore(WorkspaceAwareSqlAlchemyStore):  # type: ignore[misc]
    """MLflow's registry store; what is protected moves through `mlops.registry.transitions` only."""

    def __init__(self, db_uri: str, read_db_uri: str | None = None) -> None:
        super().__init__(db_uri, read_db_uri=read_db_uri)
        named = os.environ.get("MLOPS_PROTECTED_ALIASES", "").split(",")
        self.protected = WORKFLOW_ALIASES | {alias for alias in named if alias}
        self.four_eyes = os.environ.get("MLOPS_FOUR_EYES", "true") == "true"

    def require_approver(self, what: str) -> str:
        """The user of this request, who holds a role that may `what` in this workspace.

        Raises:
            MlflowException: PERMISSION_DENIED.
        """
        user, workspace = identity.current(), self._get_active_workspace()
        if not user.is_admin and not APPROVING & user.roles.get(workspace, frozenset()):
            raise MlflowException(
                f"{user.username} may not {what}: it needs the approver role in workspace {workspace}",
                error_code=PERMISSION_DENIED,
            )
        return user.username

    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """As MLflow's; a protected alias is a transition."""
        if alias not in self.protected or self._is_prompt(name):
            self._unless_protected_prompt(name, alias)
            super().set_registered_model_alias(name, alias, version)
            return
        actor = self.require_approver(f"set alias {alias} of {name}")
        with transitions.locked(self, name, actor) as model:
            transitions.set_alias(model, alias, int(version))

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """As MLflow's; a protected alias is a transition."""
        if alias not in self.protected or self._is_prompt(name):
            self._unless_protected_prompt(name, alias)
            super().delete_registered_model_alias(name, alias)
            return
        actor = self.require_approver(f"delete alias {alias} of {name}")
        with transitions.locked(self, name, actor) as model:
            transitions.delete_alias(model, alias)

    def create_model_version(self, name: str, source: str, *args: Any, **kwargs: Any) -> Any:
        """As MLflow's; keeps the author and drops workflow tags, so that a copy starts ungated."""
        if kwargs.get("tags"):
            kwargs["tags"] = [tag for tag in kwargs["tags"] if tag.key not in WORKFLOW_TAGS]
        created = super().create_model_version(name, source, *args, **kwargs)
        with transitions.locked(self, name, identity.current().username) as model:
            model.record("registered", int(created.version), {"source": source, "run_id": created.run_id})
        return created

    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """As MLflow's, but for the workflow's tags."""
        self._refuse_workflow_tag(name, version, tag.key)
        super().set_model_version_tag(name, version, tag)

    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """As MLflow's, but for the workflow's tags."""
        self._refuse_workflow_tag(name, version, key)
        super().delete_model_version_tag(name, version, key)

    def delete_model_version(self, name: str, version: Any) -> None:
        """As MLflow's; refused while a protected alias names the version."""
        with transitions.locked(self, name, identity.current().username) as model:
            transitions.refuse_if_in_use(model, int(version))
            super().delete_model_version(name, version)
            model.record("version-deleted", int(version), {})

    def delete_registered_model(self, name: str) -> None:
        """As MLflow's; refused while a protected alias names a version. The history stays."""
        with transitions.locked(self, name, identity.current().username) as model:
            transitions.refuse_if_in_use(model)
            super().delete_registered_model(name)
            model.record("model-deleted", None, {})

    def rename_registered_model(self, name: str, new_name: str) -> Any:
        """As MLflow's; refused while a protected alias names a version. Under its new name nothing is gated."""
        with transitions.locked(self, name, identity.current().username) as model:
            transitions.refuse_if_in_use(model)
            renamed = super().rename_registered_model(name, new_name)
            model.record("model-deleted", None, {"renamed_to": new_name})
        return renamed

    def _refuse_workflow_tag(self, name: str, version: Any, key: str) -> None:
        if key in WORKFLOW_TAGS:
            raise MlflowException(
                f"tag {key} is written by the platform; use mlops gate, approve or reject {name} {version}",
                error_code=PERMISSION_DENIED,
            )

    def _is_prompt(self, name: str) -> bool:
        return any(key == IS_PROMPT_TAG_KEY for key in self.get_registered_model(name).tags)

    def _unless_protected_prompt(self, name: str, alias: str) -> None:
        """Prompts share the registry; they have no gate, but a protected alias still needs the role."""
        if alias in self.protected:
            self.require_approver(f"move alias {alias} of {name}")


def install(app: Flask) -> None:
    """Puts the governed store under MLflow's handlers and adds the registry's routes; before the first request."""
    from mlflow.server import handlers

    from mlops.registry import api

    handlers._model_registry_store_registry.register("postgresql", lambda store_uri: GovernedStore(store_uri))
    api.install(app, handlers._get_model_registry_store)
