"""A stand-in for Prefect's server, of which nothing but its Variables is asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    """Writes nothing of the calls that it answers."""

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Let *handler* answer as Prefect's API would, whose address is yielded."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


@contextmanager
def prefect_with(**variables: object) -> Iterator[str]:
    """Yield the address of an API that has just these *variables*, by their names."""

    class Variables(Quiet):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            self.send_response(200 if name in variables else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"value": variables.get(name)}).encode())

    with served(Variables) as address:
        yield address
