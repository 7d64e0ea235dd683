"""The login of the Prefect server on this machine: where it comes from, where it is kept, who finds it."""

import os
import stat
import tomllib

import pytest

from deployments.login import check_login, given_login, keep_login, kept_login, new_login
from slack_docebo.errors import ConfigurationError
from slack_docebo.prefect_profile import PROFILES
from slack_docebo.settings import PrefectSettings, load_settings
from tests.documented import ROOT

API = "http://127.0.0.1:4200/api"
REQUIRED = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "DOCEBO_URL": "https://acme.docebosaas.com",
    "DOCEBO_CLIENT_ID": "id",
    "DOCEBO_CLIENT_SECRET": "secret",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder without `.env`, and an environment that says nothing of Prefect."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_a_new_login_is_long_ascii_and_never_the_same():
    logins = {new_login() for _ in range(100)}

    assert len(logins) == 100
    assert all(check_login("it", login) == login and len(login) > 40 for login in logins)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        "admin",
        ":secret",
        "admin:",
        "ädmin:secret",
        "admin:sécret",
        "admin:se cret",
        "admin:secret\n",
        "admin:secret",
    ],
)
def test_a_login_that_prefect_cannot_work_with_is_refused_in_one_line_that_does_not_show_it(wrong):
    with pytest.raises(ConfigurationError) as refused:
        check_login("PREFECT_SERVER_API_AUTH_STRING", wrong)

    assert str(refused.value).startswith("PREFECT_SERVER_API_AUTH_STRING ")
    assert "\n" not in str(refused.value)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("variable", ["PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"])
def test_one_variable_is_enough_for_server_and_clients(variable, folder, monkeypatch):
    assert given_login() is None
    (folder / ".env").write_text(f"{variable}=admin:in-the-file\n")
    assert given_login() == "admin:in-the-file"
    monkeypatch.setenv(variable, "admin:in-the-environment")
    assert given_login() == "admin:in-the-environment"


@pytest.mark.parametrize("variable", ["PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"])
def test_a_login_in_a_file_serves_as_well(variable, folder):
    (folder / "login").write_text("admin:in-a-file-of-its-own\n")
    (folder / ".env").write_text(f"{variable}_FILE={folder / 'login'}\n")

    assert given_login() == "admin:in-a-file-of-its-own"


def test_what_a_process_is_given_goes_before_the_file_that_env_names(folder, monkeypatch):
    (folder / ".env").write_text(f"PREFECT_API_AUTH_STRING_FILE={folder / 'login'}\n")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:handed-over")

    assert load_settings(PrefectSettings).prefect_api_auth_string.get_secret_value() == "admin:handed-over"


def test_two_variables_that_differ_are_told_and_not_shown(monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:secret-one")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret-two")

    with pytest.raises(ConfigurationError, match="differ") as refused:
        given_login()

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_is_kept_for_its_owner_only_whatever_the_umask(folder, umask):
    before = os.umask(umask)
    try:
        keep_login(folder / PROFILES.name, "slack-docebo", api=API, login="admin:long-secret")
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / PROFILES.name).stat().st_mode) == 0o600
    assert kept_login(folder / PROFILES.name, "slack-docebo") == "admin:long-secret"


def test_it_is_not_kept_through_a_link(folder):
    (folder / "precious").write_text("")
    (folder / PROFILES.name).symlink_to(folder / "precious")

    with pytest.raises(ConfigurationError, match="move away"):
        keep_login(folder / PROFILES.name, "slack-docebo", api=API, login="admin:long-secret")

    assert (folder / "precious").read_text() == ""


def test_the_server_that_was_started_last_is_found_and_the_others_login_stays(folder):
    path = folder / PROFILES.name
    keep_login(path, "slack-docebo", api=API, login="admin:the-real-one")
    path.write_text(path.read_text() + 'PREFECT_LOGGING_LEVEL = "DEBUG"\nPREFECT_CLI_PROMPT = false\n')
    keep_login(path, "sandbox", api="http://127.0.0.1:4300/api", login='admin:with"\\quotes')

    assert tomllib.loads(path.read_text()) == {
        "active": "sandbox",
        "profiles": {
            "slack-docebo": {
                "PREFECT_API_URL": API,
                "PREFECT_API_AUTH_STRING": "admin:the-real-one",
                "PREFECT_LOGGING_LEVEL": "DEBUG",
                "PREFECT_CLI_PROMPT": False,
            },
            "sandbox": {
                "PREFECT_API_URL": "http://127.0.0.1:4300/api",
                "PREFECT_API_AUTH_STRING": 'admin:with"\\quotes',
            },
        },
    }
    assert (kept_login(path, "slack-docebo"), kept_login(path, "another")) == ("admin:the-real-one", None)


@pytest.mark.parametrize(
    "text", ["nonsense", '[profiles.slack-docebo]\nPREFECT_API_AUTH_STRING = "nonsense"', "profiles = 1"]
)
def test_a_file_that_somebody_has_spoilt_is_told(folder, text):
    (folder / PROFILES.name).write_text(text)

    with pytest.raises(ConfigurationError, match=PROFILES.name):
        kept_login(folder / PROFILES.name, "slack-docebo")


def test_prefect_looks_for_it_where_it_is_kept():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["tool"]["prefect"]["profiles_path"] == str(PROFILES)


def test_the_command_line_finds_server_and_login_in_the_projects_folder(folder):
    keep_login(folder / PROFILES, "sandbox", api="http://127.0.0.1:4300/api", login="admin:long-secret")

    found = PrefectSettings()

    assert found.prefect_api_url == "http://127.0.0.1:4300/api"
    assert found.prefect_api_auth_string.get_secret_value() == "admin:long-secret"


def test_a_login_is_not_sent_to_another_server_than_it_was_made_for(folder, monkeypatch):
    keep_login(folder / PROFILES, "sandbox", api=API, login="admin:long-secret")
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.acme.com/api")

    assert PrefectSettings().prefect_api_auth_string is None


def test_the_environment_goes_before_what_is_kept(folder, monkeypatch):
    keep_login(folder / PROFILES, "sandbox", api=API, login="admin:long-secret")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:given")

    assert PrefectSettings().prefect_api_auth_string.get_secret_value() == "admin:given"
