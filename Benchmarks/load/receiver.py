"""Receives webhooks on a free port, which it prints, and answers each with 204. At the end of its standard input it
prints `ID SECONDS` for each job: the time at which its first request had arrived completely."""

import socketserver
import sys
import threading
import time

_arrived_at: dict[str, float] = {}


class _Connection(socketserver.StreamRequestHandler):
    """A keep-alive connection. It supports only the HTTP that the worker sends."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self.rfile.readline():
            fields: dict[str, str] = {}
            while line := self.rfile.readline().strip():
                name, _, value = line.decode("ascii").partition(":")
                fields[name.lower()] = value.strip()
            self.rfile.read(int(fields["content-length"]))
            _arrived_at.setdefault(fields["jobqueue-job-id"], time.time())
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


with _Server(("127.0.0.1", 0), _Connection) as server:
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()
for id, seconds in _arrived_at.items():
    print(id, repr(seconds))
