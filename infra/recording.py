"""Runs the real program of a stack against Pulumi's official mocks and keeps what it registered.

Nothing is contacted and no plugin is needed: a recording says what the program asks for, not what a cloud answers.
Tests, policies, prices and rendered manifests all read stacks through here.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks, rpc, set_all_config
from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.settings import SETTINGS, configure, set_root_resource
from pulumi.runtime.stack import run_in_stack

from infra import settings, stack
from infra.computed import CALLS, COMPUTED

ROOT = Path(__file__).parent.parent
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the signature that marks a secret in Pulumi's wire format

DEADLINE = 120
"""Seconds; a program that needs longer waits for itself."""


class _Unknown:
    """The value of an input that only the cloud will know; equal to nothing but itself."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Resource:
    """One registered resource; `inputs` are in the provider's wire spelling (camelCase), secrets shown in the clear.

    `dependencies` holds every URN that must exist before this resource and must outlive it; `property_dependencies`
    those that each top-level input was made from. `secrets` names the top-level inputs that contain a secret.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    parent: str
    provider: str = ""
    custom: bool = True
    dependencies: frozenset[str] = frozenset()
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """All that a stack registered, each resource after those it depends on, and its outputs."""

    stack: str
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str] = frozenset()

    def of(self, type_: str) -> list[Resource]:
        """The resources of exactly the type token `type_`."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name: str | None = None) -> Resource:
        """The only resource of `type_` (named `name`); LookupError when there is none or more than one."""
        found = [resource for resource in self.of(type_) if name in (None, resource.name)]
        if len(found) != 1:
            raise LookupError(f"{self.stack}: {len(found)} resources of {type_} {name or ''}, expected one")
        return found[0]


def record(
    stack_name: str,
    *,
    config: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    unknown: bool = False,
) -> Recording:
    """What the program registers for `stack_name`.

    Args:
        stack_name: its `Pulumi.<stack_name>.yaml` is read unless `config` is given.
        config: the project's configuration by key without namespace, instead of the file's.
        overrides: values by dotted path, for example `{"aws.database.multi_az": False}`.
        unknown: leave everything that a provider computes unknown, as a preview of a new stack does.

    Raises:
        SettingsError: the configuration cannot be used; nothing was registered.
        LookupError: the program called a provider function that has no mock.
        TimeoutError: resources depend on one another in a circle.
    """
    values = dict(configuration(stack_name) if config is None else config)
    for path, value in (overrides or {}).items():
        _assign(values, path.split("."), value)
    return contextvars.copy_context().run(_run, stack_name, values, unknown)


def configuration(stack_name: str) -> dict[str, Any]:
    """The project's configuration in `Pulumi.<stack_name>.yaml` over the defaults of `Pulumi.yaml`.

    Raises:
        SettingsError: there is no such file.
    """
    path = ROOT / f"Pulumi.{stack_name}.yaml"
    if not path.exists():
        stacks = sorted(found.name.split(".")[1] for found in ROOT.glob("Pulumi.*.yaml"))
        raise settings.SettingsError(f"{path.name}: no such file; the stacks here are {', '.join(stacks)}")
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    defaults = {key: entry["default"] for key, entry in project["config"].items() if "default" in entry}
    overlay = yaml.safe_load(path.read_text())["config"]
    return defaults | {key.removeprefix(f"{project['name']}:"): value for key, value in overlay.items()}


def _run(stack_name: str, config: Mapping[str, Any], unknown: bool) -> Recording:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    monitor = _Recorder(_Mocks(unknown))
    configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures),  # type: ignore[no-untyped-call]
            engine=mocks.MockEngine(None),
            project=project,
            stack=stack_name,
            organization="organization",
            root_directory=str(ROOT),
            dry_run=unknown,
            callbacks=None,
        )
    )
    # Nothing of an earlier recording, least of all of one that failed, may be waited for in this one.
    SETTINGS.rpc_manager = RPCManager()  # type: ignore[no-untyped-call]
    SETTINGS.outputs, SETTINGS.lock = set(), Lock()
    set_root_resource(None)  # type: ignore[arg-type]
    set_all_config({f"{project}:{key}": _text(value) for key, value in config.items()}, [])
    asyncio.run(_in_time(stack_name))
    return Recording(stack_name, tuple(monitor.recorded), monitor.outputs, monitor.secret_outputs)


async def _in_time(stack_name: str) -> None:
    try:
        await asyncio.wait_for(run_in_stack(lambda: stack.deploy(settings.load())), DEADLINE)
    except TimeoutError:
        raise TimeoutError(f"{stack_name}: resources that wait for one another are not registered") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _assign(values: dict[str, Any], path: list[str], value: Any) -> None:
    if len(path) == 1:
        values[path[0]] = value
        return
    values[path[0]] = dict(values.get(path[0], {}))
    _assign(values[path[0]], path[1:], value)


class _Mocks(mocks.Mocks):
    """Answers with what AWS would compute (`infra.computed`), or with nothing computed at all."""

    def __init__(self, unknown: bool) -> None:
        self._unknown = unknown

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if self._unknown:
            return None, dict(args.inputs)
        compute: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = COMPUTED.get(args.typ, lambda *_: {})
        computed = dict(compute(args.name, args.inputs))
        return str(computed.pop("id", f"{args.name}-id")), {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        if args.token not in CALLS:
            raise LookupError(f"the program called {args.token}, which recordings do not mock")
        return dict(CALLS[args.token](args.args)), []


@dataclass
class _Found:
    """Marks the secrets met while reading one value."""

    secret: bool = False


class _Recorder(mocks.MockMonitor):
    """The official mock monitor, keeping each registration with the options that mocks are not shown."""

    def __init__(self, answers: mocks.Mocks) -> None:
        super().__init__(answers)
        self.recorded: list[Resource] = []
        self.outputs: dict[str, Any] = {}
        self.secret_outputs: frozenset[str] = frozenset()
        self._lock = Lock()

    def RegisterResource(self, request: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            inputs, secrets = _properties(request.object)
            resource = Resource(
                type=request.type,
                name=request.name,
                urn=self.make_urn(request.parent, request.type, request.name),
                inputs=inputs,
                parent=request.parent,
                provider=request.provider.rpartition("::")[0],
                custom=request.custom,
                dependencies=frozenset(request.dependencies),
                property_dependencies={
                    key: frozenset(found.urns) for key, found in request.propertyDependencies.items()
                },
                secrets=secrets,
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                deleted_with=request.deletedWith,
                ignore_changes=tuple(request.ignoreChanges),
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
            )
            with self._lock:
                self.recorded.append(resource)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.outputs, self.secret_outputs = _properties(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _properties(struct: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[str]]:
    """The plain values of `struct`, and the names of those that contain a secret."""
    values: dict[str, Any] = {}
    secrets = set()
    for key, value in json_format.MessageToDict(struct).items():
        found = _Found()
        values[key] = _plain(value, found)
        if found.secret:
            secrets.add(key)
    return values, frozenset(secrets)


def _plain(value: Any, found: _Found) -> Any:
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == SECRET:
            found.secret = True
            return _plain(value["value"], found)
        return {key: _plain(item, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, found) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value == rpc.UNKNOWN else value
