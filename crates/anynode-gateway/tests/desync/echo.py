"""Answers every request with what it saw, and `GET /log` with everything it saw since it was last asked."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = []


class Short(Exception):
    """The request ended before its end."""


def hexed(data):
    return data.hex() or "-"


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def line(self):
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            raise Short
        if not line.endswith(b"\r\n"):
            raise ValueError("a bare line feed")
        return line[:-2]

    def exactly(self, size):
        data = self.rfile.read(size)
        if len(data) != size:
            raise Short
        return data

    def chunks(self):
        while size := int(self.line().split(b";")[0], 16):
            yield self.exactly(size)
            if self.line():
                raise ValueError("a chunk does not end where it says")

    def answer(self):
        target = self.raw_requestline.split()[1]
        if target == b"/log":
            lines = "\n".join(LOG)
            LOG.clear()
            return self.say(lines)
        head = "".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items())
        try:
            if "Transfer-Encoding" in self.headers:
                if "Content-Length" in self.headers:
                    raise ValueError("both a length and chunked")
                body = b"".join(self.chunks())
                while trailer := self.line():
                    head += "trailer " + trailer.decode("latin-1").lower() + "\n"
            else:
                body = self.exactly(int(self.headers.get("Content-Length", "0")))
        except Short:
            self.close_connection = True
            return None
        except ValueError as error:
            return self.send_error(400, str(error))
        seen = [self.command, hexed(target), hexed(body), hexed(head.encode("latin-1"))]
        line = " ".join(seen)
        LOG.append(line)
        return self.say(line)

    def say(self, text):
        """HEAD is answered with a body as well, as by any handler that forgot it: the gateway has to cope."""
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None

    def send_error(self, code, message=None, explain=None):
        LOG.append(f"MALFORMED {hexed(str(message).encode())} - -")
        super().send_error(code, message, explain)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A connection that the gateway cut is no news."""


server = Server(("127.0.0.1", 0), Echo)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(server.server_address[1], flush=True)
server.serve_forever()
