"""A server that misbehaves at random: JSONPlaceholder's shape, and any fault that a network or a stranger can make."""

import gzip
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable

USERS = 40
POSTS = 400
COMMENTS = 600
HANG = 1.5  # seconds of silence; longer than the watch's --timeout


class Server:
    """Listens on a free port of 127.0.0.1 until the process ends. A share of the responses, `faults`, are bad."""

    def __init__(self, seed: int, faults: float) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.served: Counter[str] = Counter()
        self.open_connections = 0
        self._lock = threading.Lock()
        self._version = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open_connections += 1
        try:
            with connection:
                connection.settimeout(30)
                buffered = b""
                while b"\r\n\r\n" not in buffered:
                    read = connection.recv(65536)
                    if not read:
                        return
                    buffered += read
                self._respond(connection, buffered)
        except OSError:
            pass  # the client gave up, which is its right
        finally:
            with self._lock:
                self.open_connections -= 1

    def _respond(self, connection: socket.socket, request: bytes) -> None:
        path = request.split(b" ", 2)[1].decode("latin-1")
        resource = path.strip("/").split("?")[0]
        with self._lock:
            bad = self.random.random() < self.faults
            fault = self.random.choice(FAULTS) if bad else good
            self.served[fault.__name__] += 1
            self._version += 1
            body = records(resource, self._version // 30)
        if body is None:
            connection.sendall(head(404, 0))
            return
        fault(connection, body, self.random)


def records(resource: str, version: int) -> bytes | None:
    """What the API has; every thirty requests some records are others."""
    if resource == "users":
        found = [
            {"id": n, "name": f"Name {n} {version % 3 if n < 3 else ''}", "username": f"u{n}", "email": f"u{n}@mail{n % 5}.biz"}
            for n in range(1, USERS + 1)
        ]
    elif resource == "posts":
        found = [
            {"id": n, "userId": n % USERS + 1, "title": f"title {n}", "body": "words " * 20 + str(version if n % 50 == 0 else "")}
            for n in range(1 + version % 7, POSTS + 1 + version % 7)
        ]
    elif resource == "comments":
        found = [
            {"id": n, "postId": n % POSTS + 1, "name": f"comment {n}", "email": f"c{n}@else.org", "body": "more words " * 8}
            for n in range(1, COMMENTS + 1)
        ]
    else:
        return None
    return json.dumps(found, indent=1).encode()


def head(status: int, length: int | None, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", "Connection: close", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def good(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body)) + body)


def good_gzip(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    packed = gzip.compress(body)
    connection.sendall(head(200, len(packed), "Content-Encoding: gzip") + packed)


def broken_gzip(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    packed = gzip.compress(body)[: chance.randrange(30, 400)]
    connection.sendall(head(200, len(packed), "Content-Encoding: gzip") + packed)


def gzip_bomb(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    packed = gzip.compress(b"[" + b" " * 100_000_000)
    connection.sendall(head(200, len(packed), "Content-Encoding: gzip") + packed)


def no_response(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    pass


def reset(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body)) + body[: chance.randrange(len(body))])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def truncated(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body)) + body[: chance.randrange(len(body))])


def silent(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    time.sleep(HANG)


def silent_in_body(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body)) + body[: len(body) // 2])
    time.sleep(HANG)


def drip(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body)))
    for byte in body[:200]:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def server_error(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(chance.choice([500, 502, 503, 504]), 2) + b"no")


def refused(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(chance.choice([400, 401, 403, 404, 410, 418]), 2) + b"no")


def too_many(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(429, 0, f"Retry-After: {chance.choice(['0', '1', '600', 'soon'])}"))


def redirect_loop(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(302, 0, "Location: ?again"))


def huge_headers(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, len(body), "X-Padding: " + "x" * 200_000) + body)


def bad_chunks(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, None, "Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n" + body)


def no_last_chunk(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, None, "Transfer-Encoding: chunked") + f"{len(body):x}\r\n".encode() + body + b"\r\n")


def not_json(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    page = b"<html>maintenance</html>" * chance.randrange(1, 1000)
    connection.sendall(head(200, len(page)) + page)


def noise(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(chance.randbytes(chance.randrange(1, 5000)))


def empty(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, 2) + b"[]")


def bad_records(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    page = body.replace(b'"id": 7,', b'"id": null,').replace(b'"id": 9,', b'"id": 9223372036854775807,')
    connection.sendall(head(200, len(page)) + page)


def nulls(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    page = b"[null,1,\"x\",[],{}]"
    connection.sendall(head(200, len(page)) + page)


def long_record(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    size = 20_000_000
    before, after = b'[{"id":1,"name":"', b'"}]'
    connection.sendall(head(200, len(before) + size + len(after)) + before)
    for _ in range(size // 100_000):
        connection.sendall(b"x" * 100_000)
    connection.sendall(after)


def endless(connection: socket.socket, body: bytes, chance: random.Random) -> None:
    connection.sendall(head(200, None) + b"[")
    until = time.monotonic() + 20
    number = 0
    while time.monotonic() < until:
        number += 1
        connection.sendall(b'{"id":%d,"userId":1,"title":"t","body":"b","name":"n","username":"u"},' % number)


FAULTS: list[Callable[[socket.socket, bytes, random.Random], None]] = [
    good_gzip, broken_gzip, gzip_bomb, no_response, reset, truncated, silent, silent_in_body, drip, server_error, refused,
    too_many, redirect_loop, huge_headers, bad_chunks, no_last_chunk, not_json, noise, empty, bad_records, nulls, long_record, endless,
]
