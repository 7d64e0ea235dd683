"""Secrets in files, as Docker and Kubernetes mount them, and what becomes of them when they change."""

import os
from pathlib import Path

import pytest

from slack_docebo import current_settings
from slack_docebo.current_settings import Current
from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import UnusableFileError
from slack_docebo.secret_files import LARGEST, read_secret
from slack_docebo.settings import (
    EVERYTHING,
    RUN,
    MappingSettings,
    NotificationSettings,
    PrefectSettings,
    Settings,
    SigningSettings,
    SocketModeSettings,
    StoreSettings,
    WebhookSettings,
    given_to,
    load_settings,
    secrets_of,
    secrets_open_to_others,
    unset_secrets,
    variables,
)

COMPLETE = {
    "SLACK_BOT_TOKEN": "xoxb-planted",
    "SLACK_APP_TOKEN": "xapp-planted",
    "SLACK_SIGNING_SECRET": "planted-signing",
    "DOCEBO_URL": "https://acme.docebosaas.com",
    "DOCEBO_CLIENT_ID": "sync",
    "DOCEBO_CLIENT_SECRET": "planted-client",
    "DOCEBO_USERNAME": "api.bot",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Set exactly these variables, in a folder without an .env file that only we can enter."""
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for name in variables(*EVERYTHING):
        monkeypatch.delenv(name, raising=False)

    def set_(**values: str | Path) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return set_


@pytest.fixture
def at_once(monkeypatch):
    """Let a changed file be noticed at the next look."""
    monkeypatch.setattr(current_settings, "LOOK_SECONDS", 0.0)


def values_of(kind, name: str) -> str:
    return getattr(load_settings(kind), name.lower()).get_secret_value()


@pytest.mark.parametrize("name", secrets_of(*EVERYTHING))
def test_every_secret_can_be_in_a_file(environment, tmp_path, name):
    (tmp_path / "secret").write_text("from-a-file\n")
    environment(
        **{key: value for key, value in COMPLETE.items() if key != name}, **{f"{name}_FILE": tmp_path / "secret"}
    )

    kind = next(kind for kind in EVERYTHING if name.lower() in kind.model_fields)
    assert values_of(kind, name) == "from-a-file"


def test_an_env_file_can_name_a_secrets_file(environment, tmp_path):
    (tmp_path / "secret").write_text("from-a-file")
    (tmp_path / ".env").write_text(f"SLACK_SIGNING_SECRET_FILE={tmp_path / 'secret'}\n")

    assert values_of(SigningSettings, "SLACK_SIGNING_SECRET") == "from-a-file"


def test_only_the_end_of_the_last_line_is_dropped(environment, tmp_path):
    (tmp_path / "key.pem").write_text("-----BEGIN\n two \n-----END\r\n")
    environment(**COMPLETE, DOCEBO_PRIVATE_KEY_FILE=tmp_path / "key.pem")

    assert values_of(Settings, "DOCEBO_PRIVATE_KEY") == "-----BEGIN\n two \n-----END"


@pytest.mark.parametrize("in_env_file", [False, True])
def test_a_variable_beside_its_file_is_refused_by_name(environment, tmp_path, in_env_file):
    (tmp_path / "secret").write_text("planted-in-the-file")
    environment(SLACK_SIGNING_SECRET_FILE=tmp_path / "secret")
    if in_env_file:
        (tmp_path / ".env").write_text("SLACK_SIGNING_SECRET=planted\n")
    else:
        environment(SLACK_SIGNING_SECRET="planted")

    with pytest.raises(ConfigurationError) as raised:
        load_settings(SigningSettings)

    told = "environment: SLACK_SIGNING_SECRET and SLACK_SIGNING_SECRET_FILE are both set: keep one"
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda path: None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(lambda path: path.touch(), "names a file that is empty", id="empty"),
        pytest.param(lambda path: path.write_text(" \n"), "names a file that is empty", id="blank"),
        pytest.param(lambda path: path.mkdir(), "is no regular file", id="a folder"),
        pytest.param(os.mkfifo, "is no regular file", id="a pipe that nobody writes to"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "is no regular file", id="endless"),
        pytest.param(lambda path: path.symlink_to(path), "cannot be read: ", id="a link to itself"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfeplanted"), "names a file that is not text", id="bytes"),
        pytest.param(lambda path: path.write_bytes(b"planted\0"), "names a file that is not text", id="a zero byte"),
        pytest.param(lambda path: path.write_text("p" * (LARGEST + 1)), "is larger than 64 kB", id="huge"),
    ],
)
def test_a_file_that_can_be_no_secret_is_told_by_the_variables_name_alone(environment, tmp_path, make, told):
    path = tmp_path / "planted-path"
    make(path)
    environment(**COMPLETE | {"SLACK_BOT_TOKEN": ""}, SLACK_BOT_TOKEN_FILE=path)

    with pytest.raises(ConfigurationError) as raised:
        load_settings(Settings)

    assert str(raised.value).startswith(f"environment: SLACK_BOT_TOKEN_FILE {told}")
    assert "planted" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.touch])
def test_looking_at_a_file_that_can_be_no_secret_leaves_nothing_open(tmp_path, make):
    make(tmp_path / "secret")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(5):
        with pytest.raises(UnusableFileError):
            read_secret(tmp_path / "secret")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_secret_in_place_of_a_path_is_not_shown(environment):
    environment(SLACK_SIGNING_SECRET_FILE="planted" * 100)

    with pytest.raises(ConfigurationError, match="SLACK_SIGNING_SECRET_FILE cannot be read") as raised:
        load_settings(SigningSettings)

    assert "planted" not in str(raised.value)


def test_what_is_wrong_in_a_file_is_told_like_what_is_wrong_in_a_variable(environment, tmp_path):
    (tmp_path / "secret").write_text("xoxb-planted\nxoxb-2")
    environment(**COMPLETE | {"SLACK_BOT_TOKEN": ""}, SLACK_BOT_TOKEN_FILE=tmp_path / "secret")

    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN should be one word") as raised:
        load_settings(Settings)

    assert "planted" not in str(raised.value)


def test_an_unreadable_env_file_is_told_in_one_line(environment, tmp_path):
    (tmp_path / ".env").write_bytes(b"SLACK_APP_ID=\xff\n")

    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read"):
        load_settings(StoreSettings)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(os.mkfifo, id="a pipe that nobody writes to"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="endless"),
    ],
)
def test_an_env_file_that_has_no_end_is_told_and_not_waited_for(environment, tmp_path, make):
    make(tmp_path / ".env")

    with pytest.raises(ConfigurationError, match=r"^\.env is no regular file: copy its content into one"):
        load_settings(StoreSettings)


# Changes


def test_a_changed_file_is_noticed(environment, tmp_path, at_once):
    secret = tmp_path / "secret"
    secret.write_text("the-first")
    environment(SLACK_SIGNING_SECRET_FILE=secret)
    current = Current(load_settings(SigningSettings))
    assert current().slack_signing_secret.get_secret_value() == "the-first"

    secret.write_text("the-other")

    assert current().slack_signing_secret.get_secret_value() == "the-other"


def test_a_change_between_reading_and_watching_is_noticed(environment, tmp_path, at_once):
    secret = tmp_path / "secret"
    secret.write_text("the-first")
    environment(SLACK_SIGNING_SECRET_FILE=secret)
    settings = load_settings(SigningSettings)
    secret.write_text("the-other")

    assert Current(settings)().slack_signing_secret.get_secret_value() == "the-other"


def test_kubernetes_swap_of_a_link_is_noticed(environment, tmp_path, at_once):
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(f"the-one-of-{name}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "secret").symlink_to("..data/secret")
    environment(SLACK_SIGNING_SECRET_FILE=tmp_path / "secret")
    current = Current(load_settings(SigningSettings))
    assert current().slack_signing_secret.get_secret_value() == "the-one-of-..1"

    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    assert current().slack_signing_secret.get_secret_value() == "the-one-of-..2"


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_text("")])
def test_a_file_that_was_spoilt_leaves_the_secret_from_before_and_says_so_once(
    environment, tmp_path, at_once, caplog, spoil
):
    secret = tmp_path / "secret"
    secret.write_text("the-first")
    environment(SLACK_SIGNING_SECRET_FILE=secret)
    current = Current(load_settings(SigningSettings))
    current()

    spoil(secret)
    kept = [current().slack_signing_secret.get_secret_value() for _ in range(3)]
    secret.write_text("the-other")

    assert kept == ["the-first"] * 3
    assert current().slack_signing_secret.get_secret_value() == "the-other"
    told = [record.levelname for record in caplog.records if record.name == "slack_docebo.current_settings"]
    assert told.count("ERROR") == 1
    assert "the-other" not in caplog.text


def test_files_are_looked_at_every_two_seconds_at_the_most(environment, tmp_path):
    now = 0.0
    secret = tmp_path / "secret"
    secret.write_text("the-first")
    environment(SLACK_SIGNING_SECRET_FILE=secret)
    current = Current(load_settings(SigningSettings), clock=lambda: now)
    current()
    secret.write_text("the-other")
    now = 1.9
    assert current().slack_signing_secret.get_secret_value() == "the-first"
    now = 2.0
    assert current().slack_signing_secret.get_secret_value() == "the-other"


# Which process has which


def test_the_webhook_starts_without_anything_of_docebos(environment):
    environment(SLACK_SIGNING_SECRET="planted-signing")

    assert load_settings(WebhookSettings).docebo_url is None


def test_each_process_reads_its_own_secrets_and_no_others():
    login, store = "PREFECT_API_AUTH_STRING", "DATABASE_URL"
    docebo = ["DOCEBO_CLIENT_SECRET", "DOCEBO_PASSWORD", "DOCEBO_PRIVATE_KEY"]
    notifications = ["HEARTBEAT_URL", "NOTIFICATION_URLS", "SMTP_PASSWORD"]

    assert secrets_of(WebhookSettings) == [store, login, "SLACK_SIGNING_SECRET", "SLACK_SIGNING_SECRET_PREVIOUS"]
    assert secrets_of(SocketModeSettings) == [store, login, "SLACK_APP_TOKEN"]
    assert secrets_of(NotificationSettings) == notifications
    assert secrets_of(*RUN) == sorted([store, login, "SLACK_BOT_TOKEN", "SLACK_SCIM_TOKEN", *docebo, *notifications])
    assert secrets_of(MappingSettings) == [store]
    assert secrets_of(PrefectSettings) == [login]


def test_a_process_is_given_its_own_variables_and_what_is_not_ours():
    environment = dict.fromkeys([*variables(*EVERYTHING), "PATH", "PREFECT_HOME"], "x")

    given = given_to(WebhookSettings, environment=environment)

    assert set(given) == variables(WebhookSettings) | {"PATH", "PREFECT_HOME"}
    assert set(given_to(environment=environment)) == {"PATH", "PREFECT_HOME"}
    assert given_to(WebhookSettings, environment={"docebo_client_secret": "x"}) == {}  # which would be read as well


def test_a_secret_that_is_given_in_a_file_is_not_one_that_is_unset(environment, tmp_path):
    (tmp_path / ".env").write_text("SMTP_PASSWORD_FILE=/run/secrets/smtp\nNOTIFICATION_URLS=\n")
    environment(SLACK_BOT_TOKEN="xoxb-planted", DOCEBO_PASSWORD_FILE="/run/secrets/docebo", DOCEBO_CLIENT_SECRET="")

    docebo = {"DOCEBO_CLIENT_SECRET", "DOCEBO_PRIVATE_KEY"}
    unset = {"DATABASE_URL", *docebo, "HEARTBEAT_URL", "NOTIFICATION_URLS", "SLACK_SCIM_TOKEN"}
    assert set(unset_secrets(Settings, NotificationSettings)) == unset


# Who else can read them


@pytest.fixture
def secret(environment, open_folder) -> Path:
    secret = open_folder / "secret"
    secret.write_text("planted")
    environment(SLACK_SIGNING_SECRET_FILE=secret)
    return secret


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, True), (0o604, True), (0o622, False)])
def test_a_secrets_file_that_others_can_read_is_named(secret, mode, is_open):
    secret.chmod(mode)

    assert (str(secret) in secrets_open_to_others(SigningSettings)) == is_open


def test_an_env_file_that_others_can_read_is_named(environment, open_folder, monkeypatch):
    monkeypatch.chdir(open_folder)
    (open_folder / ".env").touch()
    (open_folder / ".env").chmod(0o644)

    assert secrets_open_to_others(StoreSettings).endswith("run `chmod 600 .env`")


def test_a_file_in_a_folder_that_nobody_else_can_enter_is_not(secret):
    secret.chmod(0o644)
    secret.parent.chmod(0o700)

    assert secrets_open_to_others(SigningSettings) == ""


def test_a_file_of_somebody_else_is_theirs_to_look_after(secret, monkeypatch):
    secret.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    assert secrets_open_to_others(SigningSettings) == ""
