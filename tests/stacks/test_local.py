"""The recorded `local` stack: what it registers, without starting any of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.recording import Recording, Resource, record

PROCESS = "pulumi-python:dynamic/local:Process"


@pytest.fixture(scope="module")
def local() -> Recording:
    return record("local")


def process(local: Recording, name: str) -> Resource:
    return local.one(PROCESS, name)


def test_needs_no_provider_plugin(local: Recording) -> None:
    assert {resource.type.partition(":")[0] for resource in local.resources} == {"pulumi-python"}


def test_every_process_is_told_a_loopback_address_only(local: Recording) -> None:
    for each in local.of(PROCESS):
        assert each.inputs["address"] == "127.0.0.1"
        assert "0.0.0.0" not in json.dumps(each.inputs["definition"])  # noqa: S104 - asserts its absence


def test_no_two_processes_bind_the_same_port(local: Recording) -> None:
    ports = [port for each in local.of(PROCESS) for port in each.inputs["ports"]]
    assert len(ports) == len(set(ports))
    assert len(ports) >= 7


def test_secrets_stay_out_of_commands_and_plain_environment(local: Recording) -> None:
    for each in local.of(PROCESS):
        definition = json.dumps(each.inputs["definition"]).lower()
        for word in ("secret_key", "password=", "client_secret", "cookie_secret"):
            assert word not in definition
        assert {"secret_env", "secret_files"} <= each.secrets


def test_the_server_starts_only_after_the_schema_is_migrated(local: Recording) -> None:
    migration = local.one("pulumi-python:dynamic/local:Task", "tracking-migrate")
    assert migration.urn in process(local, "tracking-mlflow").dependencies
    assert local.one("pulumi-python:dynamic/local:PostgresDatabase", "mlflow").urn in migration.dependencies


def test_the_proxy_starts_only_after_the_server(local: Recording) -> None:
    assert process(local, "tracking-mlflow").urn in process(local, "tracking").dependencies


def test_the_proxy_asks_for_pkce_and_skips_no_route(local: Recording) -> None:
    text: str = process(local, "tracking").inputs["secret_files"]["oauth2-proxy.cfg"]
    options = dict(line.split(" = ", 1) for line in text.splitlines())
    assert json.loads(options["code_challenge_method"]) == "S256"
    assert json.loads(options["skip_jwt_bearer_tokens"]) is True
    assert not {"skip_auth_routes", "skip_auth_regex", "trusted_ips", "skip_auth_preflight"} & options.keys()
    assert json.loads(options["pass_user_headers"]) is False


def test_the_server_gets_exact_hosts_and_its_own_origin(local: Recording) -> None:
    environment: dict[str, Any] = process(local, "tracking-mlflow").inputs["definition"]["env"]
    hosts = environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert all("*" not in host and ":" in host for host in hosts)
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == local.outputs["tracking_url"]
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_database_uris_carry_no_password_and_name_the_driver(local: Recording) -> None:
    environment = process(local, "tracking-mlflow").inputs["definition"]["env"]
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLOPS_AUTH_DATABASE_URI"):
        assert environment[name].startswith("postgresql+psycopg://")
        assert ":" not in environment[name].removeprefix("postgresql+psycopg://").partition("@")[0]


def test_only_the_tracking_server_holds_the_object_stores_key(local: Recording) -> None:
    holders = {each.name for each in local.of(PROCESS) if "AWS_SECRET_ACCESS_KEY" in each.inputs["secret_env"]}
    assert holders == {"tracking-mlflow"}


def test_outputs_are_urls_and_hold_no_secret(local: Recording) -> None:
    assert set(local.outputs) == {"tracking_url", "serving_urls", "identity_url", "platform_file"}
