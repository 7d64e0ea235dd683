import pytest

from slack_docebo.errors import ConfigurationError
from slack_docebo.settings import WebhookSettings, load_settings
from slack_docebo.webhook.hosts import comes_from_a_page, own_hosts
from tests.webhook import settings

OURS = settings(
    webhook_public_url="https://Hooks.Acme.com/slack/events",
    webhook_host="sync.internal",
    webhook_allowed_hosts="metrics.acme.com, webhook.monitoring.svc",
)


@pytest.mark.parametrize(
    "host",
    [
        "hooks.acme.com",
        "HOOKS.ACME.COM:443",
        "hooks.acme.com.",
        "metrics.acme.com:8400",
        "webhook.monitoring.svc",
        "sync.internal:8400",
        "localhost:8400",
        "webhook:8400",
        "127.0.0.1:8400",
        "10.244.1.5:8400",
        "[::1]:8400",
        "[2001:db8::5]",
    ],
)
def test_our_names_and_those_that_no_page_can_have_are_served(host):
    assert own_hosts(OURS).include(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8400",
        "hooks.acme.com.evil.example",
        "evil-hooks.acme.com",
        "acme.com",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io",
        "evil.localhost",
        "127.1",
        "hooks.acme.com@evil.example",
        "hooks.acme.com, evil.example",
        "hooks.acme.com evil.example",
        "hooks.acme.com:8400:8400",
        "hooks.acme.com:port",
        "[::1",
        "[evil.example]",
        "[",
        "é.example",
        "hooks.acme.com\n",
    ],
)
def test_a_name_that_somebody_else_may_have_is_not_ours(host):
    assert not own_hosts(OURS).include(host)


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": ""}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_what_a_page_makes_a_browser_send_is_told_from_what_slack_and_probes_send(headers, page):
    assert comes_from_a_page(headers) == page


def test_a_refused_name_is_logged_once_in_a_while_and_never_as_it_came(caplog):
    hosts = own_hosts(OURS)
    for _ in range(3):
        hosts.complain("evil\x1b[31m\r\n2026-11-25 all is well\u202e" + "a" * 10_000)

    [record] = caplog.records
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 500


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WEBHOOK_ALLOWED_HOSTS", '["a.example"]', "WEBHOOK_ALLOWED_HOSTS should be names like hooks.acme.com"),
        ("WEBHOOK_ALLOWED_HOSTS", "https://a.example", "WEBHOOK_ALLOWED_HOSTS should be names like hooks.acme.com"),
        ("WEBHOOK_TRUSTED_PROXIES", "10.0.0.1/8", "WEBHOOK_TRUSTED_PROXIES should be addresses like 10.0.0.7"),
        ("WEBHOOK_TRUSTED_PROXIES", "nginx", "WEBHOOK_TRUSTED_PROXIES should be addresses like 10.0.0.7"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused(monkeypatch, tmp_path, name, value, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "secret")
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=message):
        load_settings(WebhookSettings)
