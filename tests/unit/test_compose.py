"""What ``docker-compose.yml`` and its files promise about a deployment, read from the files themselves."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.kafka.desired import read_desired
from deploy.local.proxy import OPERATORS_ONLY, PREFIXES, proxy
from deploy.new_secrets import new_secrets, register_codes

COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("intake", "tracker", "reporting")
#: These run to their end.
ONCE = {"roles", "provision", "operator"}
PASSWORD = re.compile(r"password|secret|token|_key|database_url", re.IGNORECASE)


def targets(name: str) -> dict[str, str]:
    """Of each secret of a service, where it stands in the container and which it is."""
    given = SERVICES[name].get("secrets", [])
    return {one: one for one in given if isinstance(one, str)} | {
        one["target"]: one["source"] for one in given if isinstance(one, dict)
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_closed_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    if name in ONCE:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_no_secret_stands_in_an_environment_and_none_is_in_the_repository() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not PASSWORD.search(variable) or str(value).startswith("/run/secrets"), (name, variable)
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./deploy/secrets/")
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/secrets/any"], check=False)
    assert ignored.returncode == 0
    assert "deploy/secrets" in Path(".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_given_its_own_credentials_and_nobody_elses(name: str) -> None:
    assert targets(name) == {
        "savings_kafka_password": f"kafka_password_{name}",
        f"savings_database_url_{name}": f"database_url_{name}",
        "savings_database_url_access": f"database_url_{name}",
        "savings_session_secret": "session_secret",
        **({"savings_oidc_client_secret": "oidc_client_secret"} if name == "reporting" else {}),
    }
    assert SERVICES[name]["environment"]["SAVINGS_KAFKA_USER"] == name
    assert SERVICES[name]["command"][:2] == ["serve", name]


def test_only_the_proxy_the_broker_and_an_operators_dashboard_have_a_port() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"proxy": ["80:80", "443:443"], "kafka": ["9094:9094"], "grafana": ["127.0.0.1:3000:3000"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_every_file_that_a_container_is_given_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or Path(source).exists() or source == "./docs/openapi.json", source


def test_the_broker_has_the_settings_that_the_permissions_rest_on() -> None:
    lines = Path("deploy/kafka/server.properties").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {name: settings.get(name) for name in read_desired([]).broker_settings} == read_desired([]).broker_settings
    assert not [name for name, value in settings.items() if "password=" in value and "${directory:" not in value]


def test_the_image_and_the_stack_run_the_same_kafka() -> None:
    version = re.search(r"<kafka\.version>([^<]+)<", Path("deploy/kafka/pom.xml").read_text(encoding="utf-8"))
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_both_proxies_route_alike() -> None:
    caddy = Path("deploy/proxy/Caddyfile").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for service, paths in re.findall(r"@(intake|tracker) path (.+)", caddy):
        plain, below = paths.split()[::2], paths.split()[1::2]
        assert below == [f"{path}/*" for path in plain]
        found |= dict.fromkeys(plain, service)
    assert found == dict(PREFIXES)


def test_both_proxies_keep_from_the_world_what_is_for_the_operator() -> None:
    caddy = Path("deploy/proxy/Caddyfile").read_text(encoding="utf-8")
    found = re.search(r"@operators path (.+)\n\s+respond @operators 404", caddy)
    assert found is not None
    assert set(found[1].split()) == set(OPERATORS_ONLY) == {"/metrics", "/readyz"}


async def test_the_developers_proxy_asks_no_service_for_them() -> None:
    nowhere = dict.fromkeys(OURS, "http://127.0.0.1:1")
    app = proxy(nowhere, Path("docs/openapi.json"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy.test") as client:
        assert [(await client.get(path)).status_code for path in OPERATORS_ONLY] == [404, 404]
        assert (await client.get("/healthz")).status_code == 502


def test_each_process_of_ours_is_scraped_under_its_services_name() -> None:
    [job] = yaml.safe_load(Path("deploy/monitoring/prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    [found] = job["dns_sd_configs"]
    assert tuple(found["names"]) == OURS
    assert {SERVICES[name]["command"][-1] for name in OURS} == {str(found["port"])}
    assert job["relabel_configs"] == [{"source_labels": ["__meta_dns_name"], "target_label": "service"}]


def test_the_image_runs_as_nobody_in_particular_and_is_asked_whether_it_is_well() -> None:
    lines = Path("deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert sum(line.startswith("FROM python:3.11-slim") for line in lines) == 2
    assert sum("uv sync --locked --no-dev" in line for line in lines) == 2


def test_the_dashboard_asks_only_for_metrics_of_ours() -> None:
    dashboard = json.loads(Path("deploy/dashboards/savings.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = {name for expression in asked for name in re.findall(r"\b(?:up|savings_[a-z_]+)\b", expression)}
    assert names == {
        "up",
        "savings_parked",
        "savings_lag_messages",
        "savings_lag_seconds",
        "savings_returns_accepted_total",
        "savings_returns_refused_total",
        "savings_returns_posted_total",
        "savings_end_to_end_seconds_bucket",
    }


def test_the_secrets_are_made_once_and_a_new_council_gets_one_of_its_own(tmp_path: Path) -> None:
    registers = register_codes(Path("deploy/partnerships/se7.toml"))
    folder = tmp_path / "secrets"
    new_secrets(folder, registers[:-1], "kafka.example.org")
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= files.keys()
    assert len({value for name, value in files.items() if "password" in name}) == len(
        [name for name in files if "password" in name]
    )
    assert files["postgres_password_tracker"] in files["database_url_tracker"]
    assert "PRIVATE KEY" in files["kafka_certificate"]
    assert "PRIVATE KEY" not in files["kafka_certificate_for_councils"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    assert new_secrets(folder, registers[:-1], "kafka.example.org") == []
    assert new_secrets(folder, registers, "kafka.example.org") == ["kafka_passwords_councils"]
    before, after = (
        json.loads(files["kafka_passwords_councils"]),
        json.loads((folder / "kafka_passwords_councils").read_text()),
    )
    assert set(after) - set(before) == {f"council-{registers[-1]}"}
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    "command",
    [
        ("docker-compose", "--profile", "monitoring", "--profile", "operator", "config", "--quiet"),
        ("caddy", "validate", "--adapter", "caddyfile", "--config", "deploy/proxy/Caddyfile"),
    ],
    ids=lambda command: command[0],
)
def test_the_tool_itself_takes_the_file(command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have {command[0]}")
        pytest.skip(f"there is no {command[0]} on the PATH")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
