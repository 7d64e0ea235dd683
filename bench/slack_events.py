"""Slack's events, signed, and requests that only look like them."""

import hashlib
import hmac
import json
import random
import time
from collections.abc import Sequence

SECRET = "bench-signing-secret"
TEAM, APP = "T0BENCH", "A0BENCH"


def event_id(number: int) -> str:
    """Return the id of event *number*."""
    return f"Ev{number:010d}"


def body(number: int) -> bytes:
    """Return the body of one event as Slack sends it."""
    user = {
        "id": f"U{number:09d}",
        "team_id": TEAM,
        "name": f"person.{number}",
        "deleted": False,
        "color": "9f69e7",
        "real_name": f"Person {number}",
        "tz": "Europe/Amsterdam",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "profile": {
            "title": "Engineer",
            "phone": "+31 20 123 4567",
            "skype": "",
            "real_name": f"Person {number}",
            "real_name_normalized": f"Person {number}",
            "display_name": f"person{number}",
            "fields": {},
            "status_text": "in a meeting",
            "status_emoji": ":spiral_calendar_pad:",
            "status_expiration": 0,
            "avatar_hash": "ge3b51ca72de",
            "email": f"person.{number}@example.com",
            "first_name": "Person",
            "last_name": str(number),
            "image_24": "https://avatars.example/24.png",
            "image_512": "https://avatars.example/512.png",
            "team": TEAM,
        },
        "is_admin": False,
        "is_bot": False,
        "is_restricted": False,
        "is_app_user": False,
        "updated": 1_700_000_000 + number,
        "is_email_confirmed": True,
    }
    event = {"type": "user_profile_changed", "user": user, "cache_ts": 1_700_000_000, "event_ts": f"{number}.000100"}
    envelope = {
        "token": "t",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id(number),
        "event_time": 1_700_000_000,
        "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": "UBOT", "is_bot": True}],
        "event_context": f"4-bench-{number}",
    }
    return json.dumps(envelope).encode()


def request(content: bytes, *, port: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a whole signed HTTP request; *headers* replace those of the same name."""
    timestamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), b"v0:" + timestamp.encode() + b":" + content, hashlib.sha256).hexdigest()
    fields = {
        "Host": f"127.0.0.1:{port}",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
        **dict(headers),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /slack/events HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + content


def hostile(number: int, port: int, chance: random.Random) -> bytes:
    """Return a request that no secret has signed; malformed in one of many ways."""
    content = body(number)
    noise = chance.randbytes(chance.randrange(1, 200))
    match number % 12:
        case 0:
            headers = [("X-Slack-Signature", "v0=" + chance.randbytes(32).hex())]
        case 1:
            headers = [("X-Slack-Signature", noise.decode("latin-1").replace("\r", "").replace("\n", ""))]
        case 2:
            headers = [
                ("X-Slack-Request-Timestamp", chance.choice(["abc", "", "1.5", "-1", "9" * 400, "\xb2\xb3", "٣"]))
            ]
        case 3:
            headers = [("X-Slack-Request-Timestamp", str(int(time.time()) - 301))]
        case 4:
            content, headers = noise, [("X-Slack-Signature", "v0=" + "0" * 64)]
        case 5:
            content = b"[" * chance.randrange(1, 50_000)
            headers = [("X-Slack-Signature", "v0=" + "a" * 64)]
        case 6:
            headers = [("Content-Type", chance.choice(["text/plain", "", "application/x-www-form-urlencoded", "\xff"]))]
        case 7:
            headers = [("Content-Length", "99999999999")]
            return request(b"", port=port, headers=headers)
        case 8:
            headers = [("X-Slack-Signature", "v0=é" + "0" * 63), ("X-Slack-Retry-Num", "x" * 1000)]
        case 9:
            return request(content, port=port)[:-10] + b"0123456789"  # altered after it was signed
        case 10:
            return request(content, port=port).replace(b"POST", chance.choice([b"GET", b"PUT", b"HEAD", b"BREW"]), 1)
        case _:
            return chance.randbytes(60).replace(b"\n", b" ") + b"\r\n\r\n"
    return request(content, port=port, headers=headers)
