"""A web server on this machine that misbehaves as it is told."""

import gzip
import http.server
import threading
import time

PAGE = b"<!DOCTYPE html><html><body>please log in</body></html>"


class Server:
    """Serves `body`; each request is answered by the next word of `script`, the last word for ever."""

    def __init__(self, body, script):
        self.body, self.script, self.requests = body, list(script), []
        handler = type("Handler", (_Handler,), {"server_of_test": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # clients that hang up are what these tests are about
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_port}/file.bin"

    def next_word(self):
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, body = self.server_of_test, self.server_of_test.body
        asked = self.headers.get("Range")
        server.requests.append(asked)
        word = server.next_word()
        if word.isdigit():
            self.send_error(int(word))
        elif word == "html":
            self.answer(PAGE, content_type="text/html; charset=utf-8")
        elif word == "html without saying so":
            self.answer(PAGE)
        elif word == "wrong":
            self.answer(bytes(len(body)))
        elif word == "cut":
            begin = int(asked[6:-1]) if asked else 0
            self.answer(body[begin : begin + len(body) // 4], begin, announced=len(body) - begin)
        elif word == "silent":
            time.sleep(2)
        elif word == "stalls":
            self.answer(body[:10], announced=len(body))
            self.wfile.flush()
            time.sleep(2)
        elif word == "endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(10_000):
                self.wfile.write(bytes(4096))
        elif word == "slow":
            self.answer(body, pause=0.01)
        elif word == "encoded":
            self.answer(body, encoding="gzip")
        elif word == "compresses":
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                self.answer(gzip.compress(body), encoding="gzip")
            else:
                self.answer(body)
        elif word == "no ranges":
            self.answer(body)
        elif word == "ok":
            begin = int(asked[6:-1]) if asked else 0
            if begin >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
            else:
                self.answer(body[begin:], begin)
        else:
            raise AssertionError(word)

    def answer(self, body, begin=0, announced=None, content_type=None, encoding=None, pause=0.0):
        self.send_response(206 if begin else 200)
        if begin:
            whole = len(self.server_of_test.body)
            self.send_header("Content-Range", f"bytes {begin}-{whole - 1}/{whole}")
        if content_type:
            self.send_header("Content-Type", content_type)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(announced or len(body)))
        self.end_headers()
        for i in range(0, len(body), 4096):
            self.wfile.write(body[i : i + 4096])
            time.sleep(pause)
