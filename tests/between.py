"""A proxy before Slack or Docebo: it may answer a call itself, or change what is answered."""

import http.server
import json
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

PASSED_ON = ("authorization", "content-type", "accept")
GIVEN_BACK = ("x-oauth-scopes",)


class Call(NamedTuple):
    """A request, with the path as it was written."""

    method: str
    path: str
    body: bytes


class Answer(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"


def in_json(value: Any, status: int = 200) -> Answer:
    """Return *value* as an answer."""
    return Answer(status, json.dumps(value).encode())


def showing(answer: Any, is_shown: Callable[[Any], bool]) -> Any:
    """Return a page of Docebo's list of accounts with those alone that *is_shown* picks, and with a count that fits."""
    items = [one for one in answer["data"]["items"] if is_shown(one)]
    return {**answer, "data": {**answer["data"], "items": items, "count": len(items), "total_count": len(items)}}


def refusing(docebo_ids: Collection[int]) -> Callable[[Call], Answer | None]:
    """Return what lets a batch about any of the accounts *docebo_ids* be answered: each row is refused."""

    def instead(call: Call) -> Answer | None:
        return refused(call, lambda row: int(row.get("user_id") or 0) in docebo_ids)

    return instead


def refused(call: Call, is_to_blame: Callable[[Any], bool]) -> Answer | None:
    """Return the answer to a batch with a row that *is_to_blame*: each row is refused; None of another call."""
    rows = json.loads(call.body)["items"] if call.path.endswith("/user/batch") else []
    if not any(map(is_to_blame, rows)):
        return None
    answers = [{"row_index": n, "success": False, "message": "Locked", "output": {}} for n in range(len(rows))]
    return in_json({"data": answers})


def _nothing(*_: Any) -> None:
    """Meddle with nothing."""


@contextmanager
def between(
    target: str,
    instead: Callable[[Call], Answer | None] = _nothing,
    changed: Callable[[Call, Any], Any] = _nothing,
) -> Iterator[str]:
    """Pass calls on to *target*, and yield the base URL.

    What *instead* returns of a call is answered, and nothing is passed on; what *changed* makes of an answer's JSON is
    answered in its place. Where they return None, the call goes its way.
    """

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            call = Call(self.command, self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if answer := instead(call):
                self.answer(answer, {})
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
            got = client.request(call.method, target.rstrip("/") + call.path, content=call.body, headers=headers)
            answer = Answer(got.status_code, got.content, got.headers.get("content-type", "application/json"))
            if got.status_code == 200 and (other := changed(call, got.json())) is not None:
                answer = in_json(other)
            self.answer(answer, {name: got.headers[name] for name in GIVEN_BACK if name in got.headers})

        def answer(self, answer: Answer, headers: dict[str, str]) -> None:
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PUT = do_GET  # noqa: N815  (names of the standard library)

    with httpx.Client() as client, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
