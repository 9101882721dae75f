"""The servers: the sample API that is built into the program, and one for whole files."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NGINX = """
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log {work}/nginx.log warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  types {{ }}
  default_type "application/json; charset=utf-8";
  client_body_temp_path {work}/tmp;
  proxy_temp_path {work}/tmp;
  fastcgi_temp_path {work}/tmp;
  uwsgi_temp_path {work}/tmp;
  scgi_temp_path {work}/tmp;
  server {{
    listen 127.0.0.1:{port};
    root {root};
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    name: str
    url: str
    pid: int


@contextmanager
def sample_api(program: Path, *options: str) -> Iterator[Server]:
    """The program's own API, on a free port."""
    process = subprocess.Popen(
        [str(program), "sample-api", "--port", "0", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[^ ]+", line)
        if not found:
            raise RuntimeError(f"the sample API did not start: {line}{process.stderr.read()}")
        yield Server("the sample API", found.group(), process.pid)
    finally:
        _end(process)


@contextmanager
def whole_files(root: Path, work: Path) -> Iterator[Server]:
    """Serves the files below `root` with nginx, or without it from a few lines of Python."""
    port = _free_port()
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx:
        (work / "tmp").mkdir(parents=True, exist_ok=True)
        config = work / "nginx.conf"
        config.write_text(NGINX.format(work=work, port=port, root=root), encoding="utf-8")
        command = [nginx, "-p", str(work), "-c", str(config)]
    else:
        command = [
            sys.executable,
            str(Path(__file__).with_name("static_server.py")),
            str(root),
            str(port),
        ]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _answers(url, process)
        yield Server(_nginx_version(nginx) if nginx else "Python's sendfile", url, process.pid)
    finally:
        _end(process)


def _nginx_version(nginx: str) -> str:
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
    return said.strip().rpartition(" ")[2].replace("/", " ") or "nginx"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Waits until something answers at `url`, be it a refusal."""
    for _ in range(500):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.02)
    raise RuntimeError(f"no server at {url}")


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
