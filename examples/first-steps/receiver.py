"""A small webhook receiver: checks the signature of each job, prints the job, and responds with a result.

    python3 examples/first-steps/receiver.py [port]

It shows what a receiver has to do. It is for experiments only: it keeps its results in memory.
"""

import hashlib
import hmac
import http.server
import json
import pathlib
import sys
import time

SECRET = pathlib.Path(__file__).with_name("receiver.secret").read_bytes().rstrip(b"\r\n")
BODY_BYTES_MAX = 2 * 1024 * 1024
# Older requests are rejected, so that a recorded request cannot be replayed.
AGE_SECONDS_MAX = 300

results = {}


def is_genuine(headers, body):
    timestamp = headers.get("Jobqueue-Timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > AGE_SECONDS_MAX:
        return False
    expected = "v1=" + hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    # In constant time: the duration of an ordinary comparison reveals how many bytes of a guess were right.
    return hmac.compare_digest(expected.encode(), headers.get("Jobqueue-Signature", "").encode())


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Closes idle keep-alive connections.
    timeout = 60

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413, {"error": "Content-Length must be at most 2 MiB"})
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body):
            return self.answer(401, {"error": "the signature is missing, wrong or too old"})
        job = json.loads(body)
        # A job may arrive more than once. Its id identifies it, and its effect must happen once.
        if job["id"] not in results:
            print(f"attempt {job['attempt']} of {job['type']} {job['id']}: {json.dumps(job['payload'])}", flush=True)
            results[job["id"]] = {"received": job["payload"], "at": int(time.time())}
        self.answer(200, results[job["id"]])

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(f"waiting for jobs at http://127.0.0.1:{server.server_port}/jobs", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
