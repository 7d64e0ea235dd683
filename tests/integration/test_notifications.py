import asyncio
import datetime
import smtplib
import ssl
import subprocess
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from apprise import Apprise, NotifyFormat
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from slack_docebo.clients.mail_server import ping_mail_server, to_check
from slack_docebo.clients.notifier import notifier
from slack_docebo.engine.reporting.troubles import ADVICE, HAPPENED, Notice, Trouble, message_after, step_after
from slack_docebo.errors import ConfigurationError, LockLost, NotConfirmed, TransientError
from slack_docebo.integration_settings import notification_mail_id, table
from slack_docebo.settings import NotificationSettings
from tests.hostile import bomb, drip, elsewhere, endless, endless_header, listening, whole
from tests.smtp import PASSWORD, USER, mail_server, text

NOTICE = Notice(
    Trouble.REFUSED,
    "import-everybody",
    message="Look at plan 9fy3, and apply exactly this plan if it is right: 70 to deactivate, the limit is 50; nothing was written",
    extent="plan 9fy3 (refused): 70 to deactivate",
    link="http://127.0.0.1:4200/v2/runs/flow-run/1",
    page="http://127.0.0.1:4200/v2/artifacts/artifact/2",
    installation="lms.example.com",
    form="Let runs write again",
    form_link="http://127.0.0.1:4200/v2/form",
)


def settings(port: int, **more: object) -> NotificationSettings:
    values = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_from": "sync@example.com", "smtp_starttls": False}
    return NotificationSettings(_env_file=None, **{**values, **more})


@pytest.fixture
def encrypted(tmp_path, monkeypatch):
    """A TLS context for 127.0.0.1 whose certificate this machine trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "mail.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return context


@pytest.mark.long
async def test_a_notice_arrives_as_one_mail_that_says_what_to_do():
    with mail_server() as (server, port):
        await notifier(settings(port), "lms@example.com").send(NOTICE.title, NOTICE.body)

    mail = server.next_mail()
    assert mail["Subject"] == ("slack-docebo lms.example.com: import-everybody was refused: 70 to deactivate")
    assert (mail["To"], mail["From"]) == ("lms@example.com", "sync@example.com")
    assert text(mail).splitlines()[0] == f"What happened: {NOTICE.message}"
    assert "To how many: plan 9fy3" in text(mail)
    assert f"What to do: {ADVICE[Trouble.REFUSED]}" in text(mail)
    assert "Who, and why: http://127.0.0.1:4200/v2/artifacts/artifact/2" in text(mail)
    assert "Let runs write again: http://127.0.0.1:4200/v2/form" in text(mail)
    assert "The run: http://127.0.0.1:4200/v2/runs/flow-run/1" in text(mail)
    assert list(server.taken()) == []


@pytest.mark.long
async def test_a_server_that_wants_encryption_and_a_password_is_given_both(encrypted):
    with mail_server(tls=encrypted, sign_in=True) as (server, port):
        signed_in = settings(port, smtp_starttls=True, smtp_username=USER, smtp_password=PASSWORD)
        await notifier(signed_in, "lms@example.com").send("title", "body")

    assert server.next_mail()["Subject"] == "title"


@pytest.mark.long
async def test_a_password_is_not_sent_to_a_server_with_a_wrong_certificate(encrypted, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with mail_server(tls=encrypted, sign_in=True) as (server, port):
        signed_in = settings(port, smtp_starttls=True, smtp_username=USER, smtp_password=PASSWORD)
        with pytest.raises(TransientError):
            await notifier(signed_in, "lms@example.com").send("title", "body")

    assert list(server.taken()) == []


@pytest.mark.long
async def test_a_mail_server_at_an_address_takes_mail_without_a_sender_being_set():
    with mail_server() as (server, port):
        await notifier(settings(port, smtp_from=""), "lms@example.com").send("title", "body")

    assert server.next_mail()["From"] == "slack-docebo@localhost"


@pytest.mark.long
@pytest.mark.parametrize(
    ("host", "sender"),
    [
        ("mail.acme.com", "slack-docebo@mail.acme.com"),
        ("10.0.0.7", "slack-docebo@localhost"),
        ("::1", "slack-docebo@localhost"),
        ("mail", "slack-docebo@localhost"),
    ],
)
def test_whatever_may_be_a_mail_server_can_be_written_to_without_a_sender(host, sender):
    found = settings(25, smtp_host=host, smtp_from="")

    assert found.sender == sender
    assert notifier(found, "lms@example.com")


@pytest.mark.parametrize("host", ["mail.acme.com:587", "smtp://mail.acme.com", "mail acme", "[::1]"])
def test_a_mail_server_is_named_by_its_host_alone(host):
    with pytest.raises(ValidationError, match="without port or smtp://"):
        settings(25, smtp_host=host)


def test_whether_a_mail_would_be_taken_is_asked_without_sending_one():
    with mail_server() as (server, port):
        ping_mail_server(settings(port), "lms@example.com", 10)

    assert list(server.taken()) == []


async def test_a_mail_server_whose_greeting_does_not_end_is_left():
    sent = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            for part in range(50):
                writer.write((b"220-" + b"x" * 1_000 + b"\r\n") * 1_000)
                await writer.drain()
                sent.append(part)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(smtplib.SMTPException) as caught:
            await asyncio.to_thread(ping_mail_server, settings(port), "lms@example.com", 10)

    assert to_check(caught.value) == "check SMTP_HOST and SMTP_PORT"
    assert len(sent) < 50  # megabytes; the kernel has taken some


@pytest.mark.parametrize(
    ("refusing", "told"),
    [("MAIL", "set SMTP_FROM to an address of yours"), ("RCPT", "does not take mail to NOTIFICATION_MAIL_ID")],
)
def test_a_sender_or_recipient_that_is_refused_is_told_as_such(refusing, told):
    with mail_server() as (server, port):
        server.refusing_at = refusing
        with pytest.raises(smtplib.SMTPException) as caught:
            ping_mail_server(settings(port), "lms@example.com", 10)

    assert told in to_check(caught.value)


@pytest.mark.long
@pytest.mark.parametrize("refusal", ["550 no such user", "451 try again later"])
async def test_a_mail_that_is_not_taken_is_told_without_the_address(refusal, caplog):
    with mail_server() as (server, port):
        server.refusing = refusal
        with pytest.raises(TransientError, match="not taken by: E-Mail") as caught:
            await notifier(settings(port), "lms@example.com").send("title", "body")

    assert "lms@" not in str(caught.value) + caplog.text


@pytest.mark.long
async def test_a_mail_server_that_is_down_is_told():
    with mail_server() as (_, port):
        pass
    with pytest.raises(TransientError):
        await notifier(settings(port), "lms@example.com").send("title", "body")


@pytest.mark.long
async def test_further_places_are_told_as_well():
    with mail_server() as (server, port):
        urls = f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com mailto://127.0.0.1:{port}?from=a@example.com&to=c@example.com"
        await notifier(settings(port, notification_urls=urls), "lms@example.com").send("title", "body")

        to = {server.next_mail()["To"] for _ in range(3)}

    assert to == {"lms@example.com", "b@example.com", "c@example.com"}


@pytest.mark.long
async def test_a_service_that_drips_is_given_up_and_the_others_are_told(monkeypatch):
    def run(*of, timeout, **more):  # a busy machine may be slow to start either, and to the mail nothing is to happen
        return original(*of, timeout=timeout if b"json://" in more["input"] else None, **more)

    original = subprocess.run
    monkeypatch.setattr("slack_docebo.clients.notifier.subprocess.run", run)
    monkeypatch.setattr("slack_docebo.clients.notifier.PATIENCE", 3)
    async with listening() as service:
        service.answer = drip
        with mail_server() as (server, port):
            to = notifier(settings(port, notification_urls=service.url.replace("http", "json")), "lms@example.com")
            with pytest.raises(TransientError, match=r"not taken by: JSON \(no end within 3 s\)"):
                await to.send("title", "body")

            assert server.next_mail()["Subject"] == "title"


@pytest.mark.parametrize("answer", [bomb, endless, endless_header])
@pytest.mark.long
async def test_a_service_that_sends_without_measure_is_given_up(answer):
    async with listening() as service:
        service.answer = answer
        places = settings(25, notification_urls=service.url.replace("http", "json"))
        with pytest.raises(TransientError, match="not taken by: JSON;"):
            await notifier(places, "").send("title", "body")


@pytest.mark.long
@pytest.mark.parametrize("wish", ["", "?redirect=yes"])
async def test_a_notification_does_not_follow_a_redirect(wish):
    async with listening() as service, listening() as other:
        service.answer, other.answer = elsewhere(other.url), whole(b"{}")
        places = settings(25, notification_urls=service.url.replace("http://", "json://me:planted@") + "/" + wish)
        with pytest.raises(TransientError):
            await notifier(places, "").send("title", "body")

        assert (len(service.asked), other.asked) == (1, [])


async def test_what_talks_to_a_service_knows_none_of_our_secrets(monkeypatch, tmp_path):
    seen = tmp_path / "seen"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, sys; open({str(seen)!r}, 'w').write(f'{{os.environ}} {{sys.argv}}')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DOCEBO_CLIENT_SECRET", "planted")
    async with listening() as service:
        service.answer = whole(b"{}")
        url = service.url.replace("http://", "json://me:planted@")
        await notifier(settings(25, notification_urls=url), "").send("title", "body")

    assert "PATH" in seen.read_text()
    assert "planted" not in seen.read_text()


async def test_with_nobody_to_tell_nothing_is_sent():
    nobody = notifier(NotificationSettings(_env_file=None), "")

    assert not nobody
    await nobody.send("title", "body")


def test_an_address_without_a_mail_server_is_a_wrong_setting():
    with pytest.raises(ConfigurationError, match="SMTP_HOST is not set"):
        notifier(NotificationSettings(_env_file=None), "lms@example.com")


def test_a_wrong_address_of_a_place_is_told_without_being_shown():
    with pytest.raises(ConfigurationError, match="address 2 of NOTIFICATION_URLS") as caught:
        notifier(settings(25, notification_urls="json://localhost nonsense://planted-token"), "")

    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_kind_of_trouble_has_words_and_advice(trouble):
    notice = Notice(trouble, "bulk-import", "message")

    assert HAPPENED[trouble] in notice.title
    assert ADVICE[trouble].partition("{")[0] in notice.body
    assert "{" not in notice.body


@pytest.mark.parametrize(
    ("error", "to_do"),
    [
        (TransientError("users.list"), "Start again later."),
        (LockLost("another run took this one's place"), "Leave it to the other run."),
        (KeyError("ada@example.com"), "Report this, with the run's log."),
        (
            NotConfirmed(
                "nothing was deleted; to delete the mappings of everybody, type exactly this: everybody of Acme"
            ),
            "Start again, as this says.",
        ),
    ],
)
def test_what_a_notice_says_is_to_be_done_after_an_error_is_what_the_state_begins_with(error, to_do):
    trouble = Trouble.REFUSED if isinstance(error, NotConfirmed) else Trouble.FAILED
    body = Notice(trouble, "reconcile", message_after(error)).body

    assert f"What to do: {to_do} What was done already is not done twice." in body
    assert "limit" not in body


def test_the_manual_is_where_the_settings_say_and_no_line_is_told_twice():
    told = "Look at those who failed: plan 9fy3 (applied in part): 3 failed"
    notice = Notice(Trouble.FAILED, "reconcile", told, "plan 9fy3 (applied in part): 3 failed")

    assert "explained in docs/operations.md." in notice.body
    assert "https://git.acme.com/docs/operations.md" in replace(notice, documentation="https://git.acme.com/docs").body
    assert notice.body.count("3 failed") == 1


@pytest.mark.parametrize(
    ("trouble", "flow"),
    [
        (Trouble.PARKED, "parked-events"),
        (Trouble.HELD, "parked-events"),
        (Trouble.STOPPED, "go"),
        (Trouble.FROZEN, "settings"),
    ],
)
def test_a_trouble_that_a_form_ends_names_the_form(trouble, flow):
    assert step_after(trouble).flow == flow


async def test_only_a_place_that_took_the_message_was_told():
    with mail_server() as (server, port), mail_server() as (other, other_port):
        other.refusing = "451 not now"
        url = f"mailto://127.0.0.1:{other_port}?from=a@example.com&to=b@example.com"
        everybody = notifier(settings(port, notification_urls=url), "lms@example.com")
        first = await everybody.deliver("title", "body")
        other.refusing = ""
        rest = everybody.without(first.taken)
        second = await rest.deliver("title", "body")

    assert (len(first.taken), list(first.not_taken)) == (1, ["E-Mail"])
    assert (len(second.taken), list(second.not_taken)) == (1, [])
    assert not everybody.without([*first.taken, *second.taken])
    assert [mail["To"] for mail in server.taken()] == ["lms@example.com"]
    assert [mail["To"] for mail in other.taken()] == ["b@example.com"]


def test_a_place_is_known_again_when_the_mail_server_or_its_password_is_another():
    before, after = settings(25), settings(587, smtp_host="mail.example.com", smtp_username="u", smtp_password="p")

    [place] = notifier(before, "lms@example.com").keys
    assert notifier(after, "lms@example.com").keys == [place]
    assert notifier(after, "new@example.com").keys != [place]
    assert "lms" not in place


def test_each_of_several_addresses_is_a_place_of_its_own():
    keys = notifier(settings(25), "lms@example.com, it@example.com").keys

    assert keys == [*notifier(settings(25), "lms@example.com").keys, *notifier(settings(25), "it@example.com").keys]


@pytest.mark.parametrize(
    ("rows", "mail_id"),
    [
        (table({"NOTIFICATION_MAIL_ID": " lms@example.com "}), "lms@example.com"),
        ([{"Integration": "slack", "Key": "notification_mail_id", "Value": "lms@example.com"}], "lms@example.com"),
        (["nonsense", {"integration": 3}, *table({"NOTIFICATION_MAIL_ID": "lms@example.com", "LEAVERS": "?"})], "lms@example.com"),
        (table({"NOTIFICATION_MAIL_ID": "Learning <lms@example.com>; nobody, it@example.com"}), "lms@example.com, it@example.com"),
        (table({"LEAVERS": "keep"}), ""),
        (None, ""),
    ],
)  # fmt: skip
@pytest.mark.variants(3)
def test_the_address_is_found_in_a_table_that_is_wrong_otherwise(rows, mail_id):
    assert notification_mail_id(rows) == mail_id


@pytest.mark.long
async def test_a_chat_is_sent_what_markdown_leaves_as_it_is_and_a_mail_plain_text():
    notice = Notice(Trouble.FAILED, "bulk-import", "[x](http://e.example) <!channel> @everyone *a*")
    async with listening() as service:
        service.answer = whole(b"{}")
        with mail_server() as (server, port):
            places = settings(port, notification_urls=service.url.replace("http", "json"))
            await notifier(places, "lms@example.com").send(notice.title, notice.body, notice.markdown)

            assert text(server.next_mail()).startswith(f"What happened: {notice.message}")
        assert rb"What happened: `[x](http://e.example)` \\x3c!channel\\x3e `\\x40everyone` \\*a\\*" in service.asked[0]


@pytest.mark.parametrize("message", ["<!channel> a", "<http://e.example|a b> c", "<@U0ADA> b", "@everyone c"])
@pytest.mark.variants(1)
async def test_a_chat_of_slacks_takes_what_looks_like_a_mention_and_calls_nobody(message, monkeypatch):
    notice = Notice(Trouble.FAILED, "bulk-import", message)
    place = Apprise.instantiate("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#sync")
    async with listening() as service:
        service.answer = whole(b"ok")
        monkeypatch.setattr(place, "webhook_url", service.url)

        assert await asyncio.to_thread(place.notify, notice.markdown, body_format=NotifyFormat.MARKDOWN)

        assert not set(b"<>@") & set(service.asked[0].partition(b"\r\n\r\n")[2])
