"""Container files are built and started by `e2e/test_image.py`; that they fit the code is checked here."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields
from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings
from prefect_redis.client import RedisMessagingSettings

from deployments.server import KEPT
from slack_docebo.settings import EVERYTHING, RUN, SocketModeSettings, WebhookSettings, secrets_of, variables
from tests.documented import typed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SERVER = SERVICES["server"]["environment"]
LOGIN = "PREFECT_SERVER_API_AUTH_STRING"
CONTAINERFILE_PATH = FOLDER / "Containerfile"
CONTAINERFILE = CONTAINERFILE_PATH.read_text()
OF_THE_CHARTS = ["/usr/bin/tini", "-g", "--", "/opt/prefect/entrypoint.sh"]
MANIFESTS = sorted((FOLDER / "helm").glob("*.yaml"))
WITHOUT_PASSWORD = "postgresql://slack_docebo@"
OF_LIBRARIES = {"TMPDIR", "PGPASSWORD"}
USER = re.findall(r"^USER (\d+)", CONTAINERFILE, re.MULTILINE)[-1]
OURS = variables(*EVERYTHING)
REDIS = (RedisMessagingSettings, RedisWorkerCleanupQueueSettings)
PREFECTS = {
    *_get_settings_fields(PrefectSettings),
    "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE",
    *(f"{one.model_config['env_prefix']}{field}".upper() for one in REDIS for field in one.model_fields),
}


@pytest.mark.parametrize("command", sorted({command for _, command in typed() if " compose " in command}))
def test_a_documented_command_has_the_variables_without_which_no_service_can_be_reached(command):
    """The engine reads all of compose.yaml for each: a backup would be an empty file."""
    assert "--env-file .env" in command


def told() -> set[tuple[str, str]]:
    found = {(name, key) for name, one in SERVICES.items() for key in one.get("environment", {})}
    for path in MANIFESTS:
        named = re.findall(r"\{name: ([A-Z_]+), value|^  (PREFECT_[A-Z_]+): ", path.read_text(), re.MULTILINE)
        found |= {(path.name, name or other) for name, other in named}
    return {(where, name) for where, name in found if not name.startswith("POSTGRES_") and name not in OF_LIBRARIES}


@pytest.mark.parametrize(("where", "name"), sorted(told()))
def test_every_variable_is_one_that_is_read(where, name):
    assert name in OURS | PREFECTS | {"PREFECT_SERVER_ENCRYPTION_KEY"}


@pytest.mark.parametrize(("where", "name"), sorted(told()))
def test_a_variable_of_prefects_bears_the_name_that_it_has_at_present(where, name):
    """It takes former names as well: one that stands under two is changed in one place only."""
    setting = _get_settings_fields(PrefectSettings).get(name)

    assert setting is None or name == f"PREFECT_{setting.accessor.replace('.', '_').upper()}"


READS = {
    "worker": variables(*RUN),
    "webhook": variables(WebhookSettings),
    "socket-mode": variables(SocketModeSettings),
    "ready": {"PREFECT_API_URL"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_given_the_settings_that_it_reads_and_no_others(name):
    given = set(SERVICES[name].get("environment", {})) & OURS

    assert "env_file" not in SERVICES[name]
    assert given <= READS.get(name, set()) | {"PREFECT_API_AUTH_STRING"}
    in_files = {variable for variable in READS.get(name, set()) if variable.endswith("_FILE")}
    assert READS.get(name, set()) - in_files - given <= {"PREFECT_API_AUTH_STRING"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_of_root_and_can_write_to_its_volumes_and_tmp_only(name):
    service = SERVICES[name]

    assert service["read_only"]
    assert "/tmp" in service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", USER) not in {"root", "0", ""}


def test_kubernetes_gives_the_webhook_its_own_secrets_only_and_no_right_that_restricted_forbids():
    pod = next(yaml.safe_load_all((FOLDER / "helm" / "webhook.yaml").read_text()))["spec"]["template"]["spec"]
    container = pod["containers"][0]
    given = {variable["name"] for variable in container["env"]}

    assert given <= variables(WebhookSettings)
    assert "envFrom" not in container
    assert not {variable["name"] for variable in container["env"] if "value" in variable} & set(secrets_of(*EVERYTHING))
    assert {"SLACK_SIGNING_SECRET_FILE", "DATABASE_URL_FILE", "WEBHOOK_PUBLIC_URL"} <= given
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == int(USER)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_secrets_that_kubernetes_mounts_are_where_their_variables_say():
    pod = next(yaml.safe_load_all((FOLDER / "helm" / "webhook.yaml").read_text()))["spec"]["template"]["spec"]
    folders = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    mounted = {
        f"{folders[volume['name']]}/{item['path']}"
        for volume in pod["volumes"]
        for item in volume.get("secret", {}).get("items", [])
    }
    files = {one["name"]: one["value"] for one in pod["containers"][0]["env"] if one["name"].endswith("_FILE")}

    assert set(files.values()) == mounted
    assert set(files) == {f"{Path(path).name}_FILE" for path in mounted}


def test_the_image_runs_as_a_numeric_user_and_writes_to_no_place_of_its_root():
    assert f"--uid {USER} " in CONTAINERFILE
    assert CONTAINERFILE.index("USER 1001") > CONTAINERFILE.rindex("RUN ")
    assert "PREFECT_HOME=/tmp/" in CONTAINERFILE
    assert "PYTHONDONTWRITEBYTECODE=1" in CONTAINERFILE.partition("\nFROM ")[2]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_there_are_and_that_can_be_waited_for(name):
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert SERVICES[other]["restart"] != "unless-stopped"


def test_postgresql_is_healthy_only_when_its_databases_answer_over_tcp():
    _, command = SERVICES["postgresql"]["healthcheck"]["test"]

    assert "psql -h 127.0.0.1 " in command
    assert "-d prefect" in command


def test_the_migration_is_tried_again():
    assert SERVICES["migrate"]["restart"].startswith("on-failure")


def test_prefects_server_lets_go_of_old_runs_and_events(monkeypatch):
    for name, value in SERVICES["services"]["environment"].items():
        if "VACUUM" in name or "EVENTS_RETENTION" in name:
            monkeypatch.setenv(name, value)
    server = PrefectSettings().server

    assert KEPT.items() <= SERVICES["services"]["environment"].items()  # as `make up` has it
    assert server.services.db_vacuum.enabled == {"events", "flow_runs"}
    assert server.services.db_vacuum.retention_period == timedelta(days=90)
    assert server.events.retention_period == timedelta(days=7)


def test_every_service_that_goes_on_has_a_health_check():
    assert [
        name for name, one in SERVICES.items() if one["restart"] == "unless-stopped" and "healthcheck" not in one
    ] == []


def test_volumes_that_are_used_are_declared():
    used = {volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}

    assert {volume for volume in used if not volume.startswith(".")} == set(COMPOSE["volumes"])
    assert all((FOLDER / volume).exists() for volume in used if volume.startswith("."))


def test_nothing_is_published_but_on_this_machine():
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_ports_agree():
    server, webhook = SERVICES["server"], SERVICES["webhook"]

    assert server["command"][:7] == ["python", "-m", "deployments.server", "--host", "0.0.0.0", "--port", "4200"]
    assert SERVICES["worker"]["environment"]["PREFECT_API_URL"] == "http://server:4200/api"
    told = webhook["environment"]
    assert webhook["ports"] == [
        f"127.0.0.1:8400:{told['WEBHOOK_PORT']}",
        f"127.0.0.1:8401:{told['WEBHOOK_OBSERVATION_PORT']}",
    ]
    assert ":8401/healthz" in webhook["healthcheck"]["test"][-1]


def test_both_databases_are_postgresql_and_the_broker_is_redis():
    assert SERVER["PREFECT_SERVER_DATABASE_CONNECTION_URL"].startswith("postgresql+asyncpg://")
    assert SERVICES["worker"]["environment"]["DATABASE_URL"].startswith("postgresql://")
    assert SERVER["PREFECT_SERVER_EVENTS_MESSAGING_BROKER"] == "prefect_redis.messaging"
    assert SERVICES["services"]["environment"].items() == {k: v for k, v in SERVER.items() if k != LOGIN}.items()


def test_whatever_prefect_keeps_in_redis_has_its_address(monkeypatch):
    for name, value in SERVER.items():
        monkeypatch.setenv(name, value)

    assert {settings().url for settings in REDIS} == {"redis://redis:6379/0"}


def test_prefects_servers_are_told_the_same_in_both_installations():
    values = yaml.safe_load((FOLDER / "helm" / "prefect-server.yaml").read_text())
    settings = next(yaml.safe_load_all((FOLDER / "helm" / "prefect-settings.yaml").read_text()))["data"]
    of_the_chart = {  # Secrets of its own, and what it says of Redis
        *("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PGPASSWORD", LOGIN),
        *(f"PREFECT_SERVER_EVENTS_{name}" for name in ("MESSAGING_BROKER", "MESSAGING_CACHE", "CAUSAL_ORDERING")),
        "PREFECT_REDIS_MESSAGING_URL",
    }
    secret = {"PREFECT_SERVER_ENCRYPTION_KEY"}

    env = values["global"]["prefect"]["env"]
    told = {**settings, "PREFECT_UI_URL": SERVER["PREFECT_UI_URL"]}
    assert {variable["name"] for variable in env if "secretKeyRef" in variable.get("valueFrom", {})} == secret
    assert told == {name: value for name, value in SERVER.items() if name not in of_the_chart | secret}
    assert values["server"]["basicAuth"]["enabled"]


def test_the_server_is_the_guarded_one_and_answers_to_the_name_its_clients_use():
    values, worker, webhook = (
        (FOLDER / "helm" / f"{name}.yaml").read_text() for name in ("prefect-server", "prefect-worker", "webhook")
    )
    in_compose, in_chart = SERVICES["server"]["command"], yaml.safe_load(values)["server"]["args"]

    for command, name in ((in_compose, "server"), (in_chart, "prefect-server")):
        assert command[:3] == ["python", "-m", "deployments.server"]
        assert command[command.index("--allowed-host") + 1] == name
    assert all("http://prefect-server:4200/api" in text for text in (worker, webhook))


def test_nothing_starts_without_a_login():
    with_it = [name for name, one in SERVICES.items() if one.get("environment", {}).get("PREFECT_API_AUTH_STRING")]

    assert with_it == ["ready", "worker", "webhook", "socket-mode"]
    assert re.fullmatch(r"\$\{PREFECT_SERVER_API_AUTH_STRING:\?.+\}", SERVER[LOGIN])
    assert SERVICES["worker"]["environment"]["PREFECT_API_AUTH_STRING"] == SERVER[LOGIN]


def test_the_image_holds_what_the_charts_start_everything_with():
    assert "ENTRYPOINT " + json.dumps(OF_THE_CHARTS) in CONTAINERFILE
    assert "--uid 1001 " in CONTAINERFILE


def test_what_the_image_copies_is_there_and_what_the_flows_need_is_copied():
    copied = {
        name.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
        for name in line.split()
    }

    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert {"src", "flows", "tasks", "deployments", "prefect.yaml"} <= copied


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_yaml_and_uses_our_image_if_any(path):
    text = path.read_text()

    assert list(yaml.safe_load_all(text))
    assert "image:" not in text or '"${IMAGE}' in text


def test_secrets_are_in_no_file():
    everything = "".join(path.read_text() for path in [FOLDER / "compose.yaml", CONTAINERFILE_PATH, *MANIFESTS])

    for name in secrets_of(*EVERYTHING):
        values = re.findall(rf"(?<![\w{{]){name}[:=](?! \$\{{).*", everything)
        assert [value for value in values if WITHOUT_PASSWORD not in value] == []


def test_the_password_of_postgresql_stands_in_no_address_where_some_signs_would_mean_something():
    environments = [one["environment"] for one in SERVICES.values() if "build" in one]
    addresses = [text for one in environments for text in one.values() if text.startswith("postgresql")]

    assert addresses
    assert not [address for address in addresses if "$" in address]
    assert all(
        "PGPASSWORD" in one
        for one in environments
        if {"DATABASE_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"} & set(one)
    )
