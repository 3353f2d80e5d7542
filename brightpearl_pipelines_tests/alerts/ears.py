"""Who listens in the tests: a real SMTP server and a real HTTP listener, each on a port of its own."""

import base64
import datetime
import ipaddress
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

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class PostOffice:
    """An SMTP server. `down`: refuses every mail for now."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    """Whether each mail came over TLS."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    offers_tls: bool = True


@contextmanager
def post_office(certificate: Path | None = None, *, tls_at_once: bool = False) -> Iterator[PostOffice]:
    """`certificate`: a file with key and certificate; with it the server offers STARTTLS, or speaks TLS at once."""
    office = PostOffice(offers_tls=certificate is not None and not tls_at_once)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    class Clerk(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            secure = False
            if tls_at_once:
                self._wrap()
                secure = True
            self._say("220 post.test")
            while line := self.rfile.readline().decode().strip():
                word = line.partition(" ")[0].upper()
                match word:
                    case "EHLO":
                        offers = ["STARTTLS"] if office.offers_tls and not secure else []
                        lines = ["post.test", *offers, "AUTH PLAIN"]
                        for each in lines[:-1]:
                            self._say(f"250-{each}")
                        self._say(f"250 {lines[-1]}")
                    case "STARTTLS":
                        self._say("220 go")
                        self._wrap()
                        secure = True
                    case "AUTH":
                        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                        office.logins.append((user, password))
                        self._say("235 welcome")
                    case "MAIL" if office.down:
                        self._say("451 we are closed, shop.owner@example.com")
                    case "DATA":
                        self._say("354 go")
                        office.mails.append(message_from_bytes(self._data(), policy=policy.default))
                        office.encrypted.append(secure)
                        self._say("250 taken")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 ok")

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())
            self.wfile.flush()

        def _wrap(self) -> None:
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb")

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                self.connection.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request, client_address) -> None:
            """A client that goes away in the middle, such as one that trusts no such certificate, is no trouble."""

    with Server(("127.0.0.1", 0), Clerk) as server:
        office.port = server.server_address[1]
        with _serving(server):
            yield office


@dataclass
class Listener:
    """Takes posts; `status` is what it answers with."""

    url: str = ""
    posts: list[dict] = field(default_factory=list)
    status: int = 200

    @property
    def texts(self) -> list[str]:
        return [each["text"] for each in self.posts]


@contextmanager
def listener() -> Iterator[Listener]:
    """A Slack-compatible webhook."""
    ear = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if ear.status == 200:
                ear.posts.append(json.loads(body))
            self.send_response(ear.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test judges by what came."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ear.url = f"http://127.0.0.1:{server.server_address[1]}/services/T1/B2/hunter2"
        with _serving(server):
            yield ear


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def certificate(folder: Path, host: str = "127.0.0.1") -> Path:
    """A self-signed certificate for this machine, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
