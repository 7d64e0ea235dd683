"""The models as our processes reach them: each call may be slow, fail, or be carried out without an answer."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox.docebo.accounts import LEVELS
from tests.simulation.company import ANSWERS_BEHIND, LIST_BEHIND, ORGANISATION, Company
from tests.simulation.locks import Locks
from tests.simulation.processes import Process
from tests.simulation.watching import Watch, is_write
from tests.simulation.wire import Unanswered, Unreached

SLOW = 25.0  # seconds: less than a call may take, and as long as a gateway waits
PAUSED = 1500.0
LONGER = 40.0  # seconds for which Docebo is at work on a batch whose caller died
BUSY = 2.0
DOCEBO_PORT = 2  # nobody listens there: the clients' transports end here


class Models:
    """Carries calls to Slack and Docebo, and their answers back, with the *faults* of a story."""

    def __init__(
        self,
        company: Company,
        watch: Watch,
        locks: Locks,
        faults: Mapping[tuple[str, str, int], str],
        note: Callable[[str], None],
    ) -> None:
        self.calls = 0
        self.is_calm = False
        self.docebo_port = DOCEBO_PORT
        self._company = company
        self._watch = watch
        self._locks = locks
        self._faults = faults  # by process, "read" or "write", and number
        self._note = note
        slack, docebo = company.sandbox.applications()
        self._slack = httpx.ASGITransport(slack)
        self._docebo = httpx.ASGITransport(docebo)

    async def slack(self, process: Process, request: httpx.Request) -> httpx.Response:
        """Let Slack answer."""
        return await self._call(process, self._under_local_id(request), self._slack)

    async def docebo(self, process: Process, request: httpx.Request) -> httpx.Response:
        """Let Docebo answer at its present address only: there is one model, which cannot be two platforms."""
        if request.url.port != self.docebo_port:
            raise Unreached
        return await self._call(process, request, self._docebo)

    async def _call(self, process: Process, request: httpx.Request, model: httpx.ASGITransport) -> httpx.Response:
        if process.is_dead:
            await _for_ever()
        self.calls += 1
        fault, begun = self._fault(process, request), time.time()
        way = random.Random(f"{process.name} {self.calls}").uniform(0.05, 0.6)
        await asyncio.sleep(SLOW if fault in {"slow", "unavailable"} else way)
        if fault == "killed":
            await self._die(process)
        if fault == "unreached":
            raise Unreached
        if fault == "lost":
            raise Unanswered
        if fault == "unavailable":
            return httpx.Response(503)  # from a gateway, which did not pass the call on
        answer = await self._answer(process, request, model, fault, begun)
        if fault == "killed at work":
            await self._die(process)
        if fault == "unanswered":
            raise Unanswered
        if fault == "paused":
            await self._pause(process)
        await asyncio.sleep(way)
        if is_write(request):
            self._watch.after_write()
        if fault == "done, then locked":
            process.store.is_busy = True
        return httpx.Response(503) if fault == "done, then unavailable" else answer

    def _fault(self, process: Process, request: httpx.Request) -> str:
        way = "write" if is_write(request) else "read"
        process.calls[way] += 1
        number = process.calls[way]
        fault = "" if self.is_calm else self._faults.get((process.name, way, number), "")
        if fault:
            process.faults.append(fault)
            self._note(f"{way} {number} of {process.name}, {request.url.path}: {fault}")
        return fault

    async def _answer(
        self, process: Process, request: httpx.Request, model: httpx.ASGITransport, fault: str, begun: float
    ) -> httpx.Response:
        self._watch.look_at_mapping(process)
        if is_write(request):
            busy = LONGER if fault == "killed at work" else BUSY
            self._watch.before_write(process, begun=begun, busy_seconds=busy)
        if told := self._refusal(process, request) or self._exchange(request):
            return told
        answer = await model.handle_async_request(request)
        await answer.aread()
        self._watch.after_call(process)
        return self._as_shown(process, request, answer, fault) if answer.status_code == 200 else answer

    async def _pause(self, process: Process) -> None:
        """Let the process stand still, and lose its session with the store; if it was cancelled meanwhile, it ends only then."""
        self._locks.lose(process.name)
        until, given_up = time.time() + PAUSED, False
        while (rest := until - time.time()) > 0:
            try:
                await asyncio.sleep(rest)
            except asyncio.CancelledError:
                given_up = True
        if given_up:
            raise asyncio.CancelledError

    async def _die(self, process: Process) -> None:
        """Stop the process for good where it stands, before it can clean up."""
        process.store.is_dead = True
        self._locks.lose(process.name)
        self._note(f"{process.name} is dead")
        await _for_ever()

    # -- what the sandbox does not do -----------------------------------------------------------------------

    def _refusal(self, process: Process, request: httpx.Request) -> httpx.Response | None:
        """Return Slack's answer about somebody whom it does not show, if so; note that *process* has asked in vain."""
        person = self._company.person_of(request.url.params.get("user", ""))
        if person and (person.poisoned or person.hidden):
            process.not_shown.add(person.number)
        if person and person.poisoned:
            return httpx.Response(200, json={"ok": True, "user": "nonsense"})
        if person and person.hidden:
            return httpx.Response(200, json={"ok": False, "error": "user_not_visible"})
        return None

    def _exchange(self, request: httpx.Request) -> httpx.Response | None:
        """Return Slack's answer to the question for people's other ids, once it shows those of the organisation alone."""
        if request.url.path != "/api/migration.exchange" or not self._company.is_organisation:
            return None
        asked = request.url.params["users"].split(",")
        is_back = request.url.params.get("to_old") == "true"
        other = self._company.local_id if is_back else self._company.organisation_id
        told = {
            "enterprise_id": ORGANISATION,
            "user_id_map": {one: other(one) for one in asked},
            "invalid_user_ids": [],
        }
        return httpx.Response(200, json={"ok": True, **told})

    def _under_local_id(self, request: httpx.Request) -> httpx.Request:
        asked = request.url.params.get("user", "")
        local = self._company.local_id(asked)
        if local == asked:
            return request
        return httpx.Request(request.method, request.url.copy_set_param("user", local), headers=request.headers)

    def _as_shown(self, process: Process, request: httpx.Request, answer: httpx.Response, fault: str) -> httpx.Response:
        """Return *answer* without what is hidden, not shown yet, or left out by a list that is short."""
        match request.url.path, request.method:
            case "/api/users.list", _:
                change = self._shorten_people if fault == "short" else self._show_people
            case "/api/auth.test", _ if self._company.is_organisation:
                change = self._show_organisation
            case "/api/users.info", _:
                change = self._show_person
            case path, "GET" if path.removeprefix("/manage/v1/user/").isdecimal():
                change = self._show_account
            case "/manage/v1/user", "GET":
                change = self._shorten_accounts if fault == "short" else self._show_accounts
            case _:
                return answer
        body: Any = answer.json()
        change(process, request, body)
        return httpx.Response(200, json=body)

    def _show_people(self, _process: Process, _request: httpx.Request, body: Any) -> None:
        answered = (self._company.answered(user, behind=LIST_BEHIND) for user in body.get("members", ()))
        body["members"] = [user for user in answered if user]

    def _shorten_people(self, process: Process, request: httpx.Request, body: Any) -> None:
        """End the list here, as if it were whole; note the mapped people in Slack whom it leaves out."""
        self._show_people(process, request, body)
        place = self._company.sandbox.slack.index_of
        last = max((place(self._company.local_id(user["id"])) or 0 for user in body["members"]), default=0)
        if body["response_metadata"]["next_cursor"]:
            later = (person for person in self._company.people if (place(person.slack_id) or 0) > last)
            known = (person for person in later if person.gone_since is None and person.slack_id in self._watch.mapped)
            process.left_out |= {person.number for person in known}
        body["response_metadata"]["next_cursor"] = ""

    def _show_organisation(self, _process: Process, _request: httpx.Request, body: Any) -> None:
        body["enterprise_id"] = ORGANISATION

    def _show_person(self, _process: Process, _request: httpx.Request, body: Any) -> None:
        if not body.get("ok"):
            return
        if user := self._company.answered(body["user"], behind=ANSWERS_BEHIND):
            body["user"] = user
        else:
            body.clear()
            body.update({"ok": False, "error": "user_not_found"})

    def _show_accounts(self, process: Process, request: httpx.Request, body: Any) -> None:
        data = body["data"]
        if (since := self._company.lagging_since) is not None:
            stamp = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S}"
            data["items"] = [item for item in data["items"] if item["creation_date"] < stamp]
        sought = request.url.params.get("search_text", "")
        if any(person.unfindable and sought in person.addresses for person in self._company.people):
            data["items"], data["has_more_data"] = [], True
        self._watch.shown(process, data["items"])

    def _show_account(self, process: Process, _request: httpx.Request, body: Any) -> None:
        user = body["data"]["user_data"]
        level = "user" if int(user["level"]) == LEVELS["user"] else "administrator"
        self._watch.shown(process, [{"user_id": user["user_id"], "level": level}])

    def _shorten_accounts(self, process: Process, request: httpx.Request, body: Any) -> None:
        self._show_accounts(process, request, body)
        data = body["data"]
        data["has_more_data"] = False
        if "total_count" in data:
            data["total_count"] = len(data["items"])


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()
