"""A firewall before Slack or Docebo that refuses whole calls for the words of one person."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

POISON = "x' OR 1=1 UNION SELECT password"
PASSED_ON = ("authorization", "content-type", "accept")


@contextmanager
def firewall(target: str, status: int, *words: bytes, saying: bytes = b"") -> Iterator[str]:
    """Refuse each call to *target* whose address or body holds one of *words*, *saying* so in JSON; yield the base URL."""
    refused = words or (b"UNION SELECT",)

    class Firewall(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if any(word in self.path.encode() or word in body for word in refused):
                kind = "application/json" if saying else "text/html"
                self.answer(status, saying or b"<html>Forbidden by policy</html>", kind)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
            got = httpx.request(self.command, target + self.path, content=body, headers=headers, timeout=30)
            self.answer(got.status_code, got.content, got.headers.get("content-type", "application/json"))

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815  (names of the standard library)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Firewall) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
