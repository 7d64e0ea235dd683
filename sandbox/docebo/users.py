"""Docebo's calls on users: listed, shown, made, changed, moved and deleted, one by one or in batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from sandbox.docebo import batch
from sandbox.docebo.accounts import LEVELS, Account, UsernameTakenError
from sandbox.docebo.attributes import LANGUAGES, RefusedError
from sandbox.docebo.calls import BATCH, ApiError, bearer
from sandbox.docebo.fields import described
from sandbox.docebo.listing import BadQueryError, user_page
from sandbox.docebo.platform import CONNECT_USER_ID, Platform
from sandbox.docebo.tokens import Tokens
from sandbox.gate import Gate

ACTIVE_LANGUAGES = [{"code": name, "browsercode": code, "name": name.capitalize()} for code, name in LANGUAGES.items()]


class UserCalls:
    """What `/manage/v1/user` does."""

    def __init__(self, platform: Platform, tokens: Tokens, gate: Gate) -> None:
        self.platform = platform
        self.tokens = tokens
        self.gate = gate

    async def list_(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        query: dict[str, Any] = {**body, **request.query_params}
        if "exclude[]" in request.query_params:
            query["exclude[]"] = request.query_params.getlist("exclude[]")
        fault = request.state.fault
        share = float(fault.options.get("share", 0.5)) if fault and fault.kind == "shrinking" else 1.0
        counted = not (fault and fault.options.get("uncounted"))
        try:
            empty = bool(fault and fault.kind == "empty_page")
            page = user_page(query, self.platform, share=share, counted=counted, empty=empty)
        except BadQueryError as error:
            raise ApiError(400, str(error)) from error
        self.gate.counters.rows["GET /manage/v1/user"] += page["count"]
        return page

    async def view(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        account = account_of(self.platform, request.path_params["id"])
        number = self.platform.shown_number
        user_data = {
            "user_id": number(account.user_id),
            "username": self.platform.shown(account.username),
            "first_name": account.firstname,
            "last_name": account.lastname,
            "email": account.email,
            "valid": number(account.active),
            "level": self.platform.level(account.level, number(LEVELS[account.level])),
            "timezone": account.timezone,
            "date_format": account.date_format,
            "expiration": account.expiration,
            "force_change": number(account.force_change),
            "email_validation_status": number(account.email_validated),
        }
        if not self.platform.switches.level_viewed:
            del user_data["level"]
        fields = [
            {**described(field, self.platform), "value": self.platform.shown_value(account, field)}
            for field in self.platform.fields.values()
        ]
        branches = [{"id": branch_id} for branch_id in account.branches]
        shown = {"branches": branches} if self.platform.switches.branches_shown else {}
        return {"user_data": user_data, "additional_fields": fields, **shown}

    async def session(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        account = self.tokens.account(bearer(request))
        assert account is not None
        if (without := self.platform.switches.without_user) == "empty":
            return {"id": None, "username": None}
        if without:
            raise ApiError(int(without), "This token has no user.")
        return {
            "id": self.platform.shown_number(account.user_id),
            "username": self.platform.shown(account.username),
            "firstname": account.firstname,
            "lastname": account.lastname,
            "email": account.email,
            "user_level": self.platform.switches.session_level or account.level,
            "timezone": account.timezone,
            "language": account.language,
            **({"active_languages": ACTIVE_LANGUAGES} if self.platform.switches.session_languages else {}),
        }

    async def create(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        attributes = self.platform.reader().single(body)
        name = attributes.get("email") if self.platform.switches.email_as_username else body.get("userid")
        for attribute, value in (("userid", name), ("password", attributes.get("password"))):
            if not value:
                raise RefusedError(attribute, "Required field")
        try:
            account = self.platform.accounts.add(self.platform.reader().name(str(name)), **attributes)
        except UsernameTakenError:
            raise RefusedError("userid", "Username not available") from None
        self.platform.notified += bool(body.get("send_notification_email"))
        self.gate.counters.rows["created"] += 1
        return {"success": True, "user_id": self.platform.shown_number(account.user_id), "confirmation_needed": False}

    async def update(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        account = account_of(self.platform, request.path_params["id"])
        attributes = self.platform.reader().single(body)
        if self.platform.switches.email_as_username:
            if attributes.get("email"):
                attributes["username"] = attributes["email"]
        elif body.get("userid"):
            attributes["username"] = self.platform.reader().name(str(body["userid"]))
        self._change(account, attributes)
        return {"success": True, "updated_id": self.platform.shown_number(account.user_id)}

    async def move_to_branch(self, _request: Request, body: dict[str, Any]) -> Any:
        [branch_id] = [int(one) for one in body["branch_ids"]]
        if branch_id not in self.platform.branches:
            raise RefusedError("branch_ids", "Branch not found")
        user_ids = [] if "move" in self.platform.switches.ignored.split(",") else map(int, body["user_ids"])
        for user_id in user_ids:
            if self.platform.accounts.get(user_id) is not None:
                self.platform.edit(user_id, {"branches": (branch_id,)})
        return {"success": True}

    async def change_status(self, _request: Request, body: dict[str, Any]) -> Any:
        active = str(body.get("status")) == "1"
        if str(body.get("status")) not in ("0", "1"):
            raise ApiError(400, "status must be 0 or 1")
        updated, not_updated = [], []
        changes = {} if "status" in self.platform.switches.ignored.split(",") else {"active": active}
        for user_id in body.get("user_ids", ()):
            try:
                self._change(account_of(self.platform, user_id), changes)
                updated.append(str(user_id))
            except ApiError:
                not_updated.append(str(user_id))
        success = bool(updated) or not not_updated
        told = {"success": success, "updated_ids": updated, "not_updated_ids": not_updated}
        rows = [{"user_id": user_id, "success": user_id in updated} for user_id in (*updated, *not_updated)]
        answers = {"array": [told], "ids": updated, "rows": rows, "silent": {"success": success}}
        return answers.get(self.platform.switches.status_answer, told)

    async def delete(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        accounts = [self.platform.known(user_id) for user_id in body.get("user_ids", ())]
        accounts += [self.platform.accounts.by_username(str(name)) for name in body.get("user_names", ())]
        deleted = []
        for account in accounts:
            if account and account.user_id != CONNECT_USER_ID:
                self.platform.delete(account.user_id)
                deleted.append(self.platform.shown_number(account.user_id))
        self.gate.counters.rows["deleted"] += len(deleted)
        return {"success": True, "deleted_user_ids": deleted}

    async def check_username(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"success": self.platform.accounts.by_username(request.path_params["userid"]) is None}

    async def check_validity(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "message": []}

    async def batch(self, request: Request, body: dict[str, Any]) -> Any:
        try:
            batch.check(body, self.platform)
        except batch.BatchRefusedError as error:
            raise ApiError(error.status, error.message, error.code) from error
        fault = request.state.fault
        refused = {}
        if fault and fault.kind == "rows_refused":
            reason = fault.options.get("message", "User cannot be updated")
            refused = {name.casefold(): reason for name in fault.options["usernames"]}
        results = batch.carry_out(body["items"], body["options"], self.platform, refused)
        self.gate.counters.rows.update(batch.count(results))
        self.gate.counters.rows[BATCH] += len(results)
        base = self.platform.switches.row_index_base
        answers = [
            {
                "row_index": index,
                "success": result.error is None,
                "message": result.error or "",
                "output": {
                    "user_id": None if result.user_id is None else self.platform.shown_number(result.user_id),
                    "username": result.username and self.platform.shown(result.username),
                    "error": result.error,
                },
            }
            for index, result in enumerate(results, start=base)
        ]
        if self.platform.switches.batch_answer == "object":
            return {str(place): answer for place, answer in enumerate(answers)}
        if self.platform.switches.batch_answer == "bare":
            return [{name: said for name, said in answer.items() if name != "output"} for answer in answers]
        if self.platform.switches.batch_answer == "failed":
            return [answer for answer in answers if not answer["success"]]
        return answers

    def _change(self, account: Account, attributes: Mapping[str, Any]) -> None:
        try:
            changed = self.platform.accounts.change(account.user_id, attributes)
        except UsernameTakenError:
            raise RefusedError("userid", "Username not available") from None
        self.gate.counters.rows["updated" if changed else "unchanged"] += 1


def account_of(platform: Platform, user_id: Any) -> Account:
    """Return the account that a call means; raise ApiError if there is none."""
    account = platform.known(user_id)
    if account is None:
        raise ApiError(404, "User not found")
    return account
