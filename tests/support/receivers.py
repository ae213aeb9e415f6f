"""Who receives messages, as real endpoints on this machine: HTTP, HTTPS and SMTP. What came is kept as it came.

with http_receiver() as chat, mail_receiver() as post:
    ...                      # send to chat.url and post.port
    chat.received[0].json
    post.mails[0]["Subject"]
"""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpReceiver:
    """Takes every POST as Slack does, or answers all of them with `status`."""

    url: str
    received: list[Received] = field(default_factory=list)
    status: int = 200

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def http_receiver(*, certificate: Path | None = None) -> Iterator[HttpReceiver]:
    """An endpoint; over TLS with a PEM file of certificate and key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            receiver.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = b"ok"
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    receiver = HttpReceiver(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    with _running(server):
        yield receiver


@dataclass
class MailReceiver:
    """A mail server that keeps what it is given; `refuses` makes it accept nobody."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: bool = False


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """The part of https://www.rfc-editor.org/rfc/rfc5321 that a client without sign-in needs."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 ready")
            for raw in self.rfile:
                line = raw.decode().strip()
                word = line[:4].upper()
                if word == "DATA":
                    self._say("354 go on")
                    self._take()
                elif word == "RCPT" and receiver.refuses:
                    self._say("550 no such user")
                    continue
                elif word == "RCPT":
                    receiver.recipients.append(line.partition(":")[2].strip(" <>"))
                self._say("221 bye" if word == "QUIT" else "250 done")
                if word == "QUIT":
                    return

        def _take(self) -> None:
            lines = []
            for raw in self.rfile:
                if raw == b".\r\n":
                    break
                lines.append(raw[1:] if raw.startswith(b"..") else raw)
            receiver.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = MailReceiver(server.server_address[1])
    with _running(server):
        yield receiver


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
