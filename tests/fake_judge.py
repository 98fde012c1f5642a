"""A chat-completions server on this machine that misbehaves as told: each request takes the next of its manners."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeJudge:
    """`manners`: what the next requests get, the last for ever; `heard`: their bodies; `keys`: their authorisations."""

    def __init__(self, *manners):
        self.manners, self.heard, self.keys, self.paths = list(manners) or ["realistic"], [], [], []
        self.url = ""

    def manner(self):
        return self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]


def completion(text, usage=(1000, 20)):
    return {"choices": [{"message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}


REALISTIC = json.dumps({"realistic": True, "reason": "the door swings"})
BODIES = {
    "realistic": completion(REALISTIC), "fenced": completion(f"Sure:\n```json\n{REALISTIC}\n```"),
    "unrealistic": completion(json.dumps({"realistic": False, "reason": "parts fly apart"})),
    "prose": completion("It looks fine to me."), "wrong type": completion('{"realistic": "yes", "reason": "x"}'),
    "no content": completion(None), "no choices": {"error": "oops"}, "a list": completion("[true]"),
}


@contextmanager
def serving(judge: FakeJudge):
    """The server's address is judge.url while this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            judge.heard.append(json.loads(body))
            judge.keys.append(self.headers.get("Authorization"))
            judge.paths.append(self.path)
            manner = judge.manner()
            if manner == "hang up":
                self.connection.close()
                return
            status, headers, data = 200, {}, BODIES.get(manner)
            if isinstance(manner, int):
                status, data = manner, {"error": f"refused for {self.headers.get('Authorization')}"}
                headers = {"Retry-After": "7"} if manner == 429 else {}
            if manner == "the key":
                data = completion(json.dumps({"realistic": True, "reason": f"{self.headers.get('Authorization')} told me"}))
            raw = b"<html>" if manner == "html" else json.dumps(data).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    judge.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
