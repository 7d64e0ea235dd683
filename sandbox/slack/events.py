"""Events API: signed deliveries to a request URL, with Slack's retries, and a record of each result."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from sandbox.slack.kinds import User
from sandbox.slack.workspace import BOT_USER_ID, Group, Workspace

APP_ID = "A0SANDBOX"
VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105 - deprecated by Slack, checked by nobody
CHALLENGE = "sandbox-challenge"
DEFAULT_SIGNING_SECRET = "sandbox-signing-secret"  # noqa: S105 - signs nothing but the sandbox's deliveries
DEFAULT_SUBSCRIPTIONS = frozenset({"team_join", "user_change", "user_profile_changed"})
MEMBERS_CHANGED = "subteam_members_changed"
ACKNOWLEDGED_WITHIN = 3.0
RETRIED_AFTER = (0.0, 60.0, 300.0)
REDIRECTS_FOLLOWED = 2


@dataclass
class Attempt:
    """One request of a delivery and its result; without a *reason* it was acknowledged."""

    status: int | None
    reason: str | None
    milliseconds: float


@dataclass
class Delivery:
    """One event that is delivered, with its attempts."""

    event_id: str
    type: str
    user_id: str | None
    attempts: list[Attempt] = field(default_factory=list)
    result: str = "pending"


class Events:
    """The app's event subscription: where deliveries go, and their results."""

    def __init__(self, workspace: Workspace, *, time_scale: float) -> None:
        self.request_url: str | None = None
        self.signing_secret = DEFAULT_SIGNING_SECRET
        self.subscriptions = DEFAULT_SUBSCRIPTIONS
        # E-mail in events is not dependable: slack-go/slack#1017.
        self.with_email = True
        self.deliveries: list[Delivery] = []
        self._workspace = workspace
        self._time_scale = time_scale
        # Slack gives no id twice, and an inbox outlives a sandbox.
        self._numbers = itertools.count(int(time.time() * 1000))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._progress = threading.Condition()
        workspace.announce = self.announce
        workspace.announce_group = self.announce_group

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._http = httpx.AsyncClient(
            timeout=ACKNOWLEDGED_WITHIN, follow_redirects=True, max_redirects=REDIRECTS_FOLLOWED, trust_env=False
        )

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http:
            await self._http.aclose()

    def reset(self) -> None:
        """Forget past deliveries, the request URL and every other setting; deliveries under way go on."""
        self.request_url = None
        self.signing_secret = DEFAULT_SIGNING_SECRET
        self.subscriptions = DEFAULT_SUBSCRIPTIONS
        self.with_email = True
        self.deliveries = [delivery for delivery in self.deliveries if delivery.result == "pending"]

    def configure(
        self,
        request_url: str | None = None,
        signing_secret: str | None = None,
        subscriptions: list[str] | None = None,
        with_email: bool | None = None,
    ) -> None:
        """Change the settings given; leave the others as they are."""
        self.request_url = self.request_url if request_url is None else request_url
        self.signing_secret = self.signing_secret if signing_secret is None else signing_secret
        self.subscriptions = self.subscriptions if subscriptions is None else frozenset(subscriptions)
        self.with_email = self.with_email if with_email is None else with_email

    def announce(self, types: tuple[str, ...], user: User) -> None:
        """Deliver one event of each subscribed type, all with the same user; callable from any thread."""
        if not self.request_url:
            return
        now = time.time()
        if not self.with_email or "users:read.email" not in self._workspace.scopes:
            user["profile"].pop("email", None)
        for type_ in types:
            if type_ in self.subscriptions:
                event: dict[str, Any] = {"type": type_, "user": user, "event_ts": f"{now:.6f}"}
                if type_ != "team_join":
                    event["cache_ts"] = int(now)
                self._deliver(self._wrap(event, now), user["id"])

    def announce_group(self, group: Group, added: frozenset[str], removed: frozenset[str]) -> None:
        """Deliver the event about people who were added to a user group or removed from it, if it is subscribed to.

        https://docs.slack.dev/reference/events/subteam_members_changed
        """
        if not self.request_url or MEMBERS_CHANGED not in self.subscriptions or not (added or removed):
            return
        now = time.time()
        event = {
            "type": MEMBERS_CHANGED,
            "subteam_id": group.id,
            "team_id": self._workspace.team.id,
            "date_previous_update": int(now) - 1,
            "date_update": int(now),
            "added_users": sorted(added),
            "added_users_count": str(len(added)),
            "removed_users": sorted(removed),
            "removed_users_count": str(len(removed)),
        }
        self._deliver(self._wrap(event, now), None)

    def redeliver(self, payload: dict[str, Any]) -> None:
        """Deliver *payload* as it is: a repeated, an older or an unheard-of event."""
        user = payload.get("event", {}).get("user")
        self._deliver(payload, user.get("id") if isinstance(user, dict) else user)

    def app_rate_limited(self, *, wrapped: bool) -> None:
        """Deliver the event that some were left out; flat as documented, or wrapped as in the Java SDK's sample."""
        notice = {
            "type": "app_rate_limited",
            "token": VERIFICATION_TOKEN,
            "team_id": self._workspace.team.id,
            "minute_rate_limited": int(time.time()) // 60 * 60,
            "api_app_id": APP_ID,
        }
        self._deliver(self._wrap(notice, time.time()) if wrapped else notice, None)

    async def verify_url(self) -> dict[str, Any]:
        """Send a url_verification, and tell whether the challenge came back."""
        body = {"type": "url_verification", "token": VERIFICATION_TOKEN, "challenge": CHALLENGE}
        if not (self._http and self.request_url):
            raise ValueError("no request URL is set")
        content = json.dumps(body).encode()
        try:
            answer = await self._http.post(self.request_url, content=content, headers=self._signed(content))
        except httpx.HTTPError as error:
            return {"status": None, "verified": False, "error": str(error)}
        return {"status": answer.status_code, "verified": answer.is_success and CHALLENGE in answer.text}

    def settle(self, timeout: float = 180) -> bool:
        """Wait from another thread until no delivery is under way; return False if the time was too short."""
        with self._progress:
            return self._progress.wait_for(lambda: self._under_way == 0, timeout)

    def report(self) -> dict[str, Any]:
        results = [delivery.result for delivery in self.deliveries]
        return {
            "total": len(results),
            **{result: results.count(result) for result in ("pending", "delivered", "failed")},
            "deliveries": [asdict(delivery) for delivery in self.deliveries],
        }

    def _wrap(self, event: dict[str, Any], now: float) -> dict[str, Any]:
        team_id = self._workspace.team.id
        authorization = {
            "enterprise_id": None,
            "team_id": team_id,
            "user_id": BOT_USER_ID,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        number = next(self._numbers)
        return {
            "token": VERIFICATION_TOKEN,
            "team_id": team_id,
            "api_app_id": APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{number:011X}",
            "event_time": int(now),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
            "event_context": f"4-sandbox-{number}",
        }

    def _deliver(self, payload: dict[str, Any], user_id: str | None) -> None:
        type_ = payload.get("event", payload).get("type", "")
        delivery = Delivery(payload.get("event_id", ""), type_, user_id)
        self.deliveries.append(delivery)
        if self._loop is None:
            raise RuntimeError("the server is not running")
        with self._progress:
            self._under_way += 1
        # The body is fixed now: the user may change again before the loop gets to it.
        content = json.dumps(payload).encode()
        self._loop.call_soon_threadsafe(self._spawn, self._attempt_all(delivery, content))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with self._progress:
            self._under_way -= 1
            self._progress.notify_all()

    async def _attempt_all(self, delivery: Delivery, content: bytes) -> None:
        reason: str | None = None
        for number, delay in enumerate((0.0, *RETRIED_AFTER)):
            await asyncio.sleep(delay * self._time_scale)
            retry = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason} if reason else {}
            attempt, no_retry = await self._attempt(content, retry)
            delivery.attempts.append(attempt)
            reason = attempt.reason
            if reason is None:
                delivery.result = "delivered"
                return
            if no_retry:
                break
        delivery.result = "failed"

    async def _attempt(self, content: bytes, retry: dict[str, str]) -> tuple[Attempt, bool]:
        assert self._http is not None
        began = time.monotonic()
        status, reason, no_retry = None, None, False
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                answer = await self._http.post(
                    self.request_url or "", content=content, headers=self._signed(content) | retry
                )
            status = answer.status_code
            reason = None if answer.is_success else "http_error"
            no_retry = answer.headers.get("x-slack-no-retry") == "1"
        except (TimeoutError, httpx.TimeoutException):
            reason = "http_timeout"
        except httpx.TooManyRedirects:
            reason = "too_many_redirects"
        except httpx.TransportError:
            reason = "connection_failed"
        except (httpx.HTTPError, httpx.InvalidURL):
            reason = "unknown_error"
        return Attempt(status, reason, round((time.monotonic() - began) * 1000, 1)), no_retry

    def _signed(self, content: bytes) -> dict[str, str]:
        # Every attempt is signed afresh, or the last retry would be too old to be accepted.
        timestamp = str(int(time.time()))
        base = b"v0:" + timestamp.encode() + b":" + content
        signature = hmac.new(self.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": "v0=" + signature,
        }
