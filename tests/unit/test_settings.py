import pytest

from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import PrefectSettings, Settings, SigningSettings, load_settings

COMPLETE = {
    "SLACK_BOT_TOKEN": "xoxb-planted-secret",
    "DOCEBO_URL": "https://acme.docebosaas.com",
    "DOCEBO_CLIENT_ID": "sync",
    "DOCEBO_CLIENT_SECRET": "planted-secret",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Set exactly these variables, in a folder without an .env file."""
    monkeypatch.chdir(tmp_path)

    def set_(**values: str) -> None:
        for name in ("SLACK_TEAM_ID", "DOCEBO_USERNAME", "DATABASE_URL", "REPORT_DIR", *COMPLETE):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_


def test_four_variables_suffice(environment):
    environment(**COMPLETE)

    assert load_settings(Settings).docebo_url == "https://acme.docebosaas.com"


def test_an_env_file_is_read(environment, tmp_path):
    environment()
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in COMPLETE.items()))

    assert load_settings(Settings).docebo_client_id == "sync"


@pytest.mark.parametrize("blank", [" ", '""', "'  '", "\t"])
def test_a_blank_is_no_secret(environment, blank):
    environment(SLACK_SIGNING_SECRET=blank)

    with pytest.raises(ConfigurationError, match="SLACK_SIGNING_SECRET is not set"):
        load_settings(SigningSettings)


@pytest.mark.parametrize("blank", [" ", '""'])
def test_a_secret_of_before_that_is_blank_is_none(environment, blank):
    environment(SLACK_SIGNING_SECRET="planted-secret", SLACK_SIGNING_SECRET_PREVIOUS=blank)

    assert load_settings(SigningSettings).slack_signing_secret_previous is None


def test_every_missing_variable_is_named_in_one_line(environment):
    environment(SLACK_BOT_TOKEN="", DOCEBO_URL="https://acme.docebosaas.com")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(Settings)

    assert str(caught.value) == (
        "environment: SLACK_BOT_TOKEN is not set; DOCEBO_CLIENT_ID is not set; DOCEBO_CLIENT_SECRET is not set"
        " (see .env.example)"
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DOCEBO_URL", "http://acme.docebosaas.com", "DOCEBO_URL should begin with https://"),
        ("DOCEBO_URL", "acme", "DOCEBO_URL should be an address like https://"),
        *(
            ("DOCEBO_URL", f"https://acme.docebosaas.com{page}", "DOCEBO_URL should end with the name, like https://")
            for page in ("/learn/home", "/admin#/users", "?lang=en", "/manage/v1")
        ),
        ("DOCEBO_CALLS_PER_HOUR", "1,000", "DOCEBO_CALLS_PER_HOUR should be a whole number, of digits alone"),
        ("DOCEBO_URL", "https://acme.docebosaas.com:99999", "DOCEBO_URL should be an address like https://"),
        ("DOCEBO_URL", f"https://{'a' * 70}.com", "DOCEBO_URL should be an address like https://"),
        ("SLACK_API_URL", "https://slack..com/api", "SLACK_API_URL should be an address like https://"),
        ("DOCEBO_URL", "https://me:planted-secret@acme.com", "DOCEBO_URL should hold no user and no password"),
        ("SLACK_BOT_TOKEN", "xoxb-planted-secret\nxoxb-2", "SLACK_BOT_TOKEN should be one word"),
        ("SLACK_TEAM_ID", "acme.slack.com", "SLACK_TEAM_ID should be an id of capitals and digits"),
        ("DOCEBO_CLIENT_SECRET", "planted-secret \n second", "DOCEBO_CLIENT_SECRET should be one word"),
        ("SLACK_PAGE_SIZE", "5000", "SLACK_PAGE_SIZE should be less than or equal to 1000"),
        ("DOCEBO_PASSWORD", "planted-secret", "DOCEBO_USERNAME is missing"),
    ],
)
def test_a_wrong_value_is_told_without_being_shown(environment, name, value, told):
    environment(**{**COMPLETE, name: value})

    with pytest.raises(ConfigurationError, match=told) as caught:
        load_settings(Settings)

    assert "planted-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://ACME.docebosaas.com", "https://acme.docebosaas.com:443/"])
def test_one_platform_has_one_address_however_it_is_written(environment, url):
    environment(**{**COMPLETE, "DOCEBO_URL": url})

    assert load_settings(Settings).docebo_url == "https://acme.docebosaas.com"


@pytest.mark.parametrize("around", [" {} ", "{}\r\n", '"{}"', "'{}'\n", '" {} "'])
def test_what_copying_leaves_around_a_value_is_dropped(environment, monkeypatch, around):
    values = {**COMPLETE, "SLACK_TEAM_ID": "T012AB3CD", "DATABASE_URL": "postgresql://sync@db/sync"}
    environment(**{name: around.format(value) for name, value in values.items()})
    monkeypatch.setenv("SLACK_SIGNING_SECRET", around.format("5f4dcc3b5aa765d6"))

    settings = load_settings(Settings)
    assert settings.slack_bot_token.get_secret_value() == COMPLETE["SLACK_BOT_TOKEN"]
    assert settings.docebo_client_secret.get_secret_value() == COMPLETE["DOCEBO_CLIENT_SECRET"]
    assert (settings.docebo_url, settings.slack_team_id) == (values["DOCEBO_URL"], values["SLACK_TEAM_ID"])
    assert settings.database_url.get_secret_value() == values["DATABASE_URL"]
    assert load_settings(SigningSettings).slack_signing_secret.get_secret_value() == "5f4dcc3b5aa765d6"


def test_a_password_is_what_it_is(environment):
    environment(**COMPLETE, DOCEBO_USERNAME="sync", DOCEBO_PASSWORD=" 'planted secret' ")

    password = load_settings(Settings).docebo_password
    assert password is not None
    assert password.get_secret_value() == " 'planted secret' "


def test_blanks_around_a_token_are_dropped(environment):
    environment(**{**COMPLETE, "SLACK_BOT_TOKEN": " xoxb-1\n"})

    assert load_settings(Settings).slack_bot_token.get_secret_value() == "xoxb-1"


def test_the_address_of_prefects_pages_is_not_taken_for_that_of_its_api(environment, monkeypatch):
    environment(**COMPLETE)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api/")
    assert load_settings(PrefectSettings).prefect_api_url == "http://127.0.0.1:4200/api"

    cloud = "https://api.prefect.cloud/api/accounts/1/workspaces/2"
    monkeypatch.setenv("PREFECT_API_URL", cloud)
    assert load_settings(PrefectSettings).prefect_api_url == cloud

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200")
    with pytest.raises(ConfigurationError, match="PREFECT_API_URL should end with /api"):
        load_settings(PrefectSettings)


def test_http_is_for_this_machine(environment):
    environment(**{**COMPLETE, "DOCEBO_URL": "http://127.0.0.1:8123"})

    assert load_settings(Settings).docebo_url == "http://127.0.0.1:8123"


def test_secrets_do_not_show(environment):
    environment(**COMPLETE)

    assert "planted" not in repr(load_settings(Settings))
