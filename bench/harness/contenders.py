"""Who is measured: this program and its peers, each as a command line."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

PEERS = Path(__file__).parents[1] / "peers"
PAGE_SIZE = 100

# From the base URL and a fresh output directory to a command.
Command = Callable[[str, Path], list[str]]


@dataclass(frozen=True)
class Contender:
    """One that does the job."""

    key: str  # how it is called on the command line
    title: str  # how people call it
    command: Command
    uses: tuple[str, ...] = ()  # each with its version
    suffix: str = ""  # of the names of its files
    on_disk: bool = False  # stores where `--disk` says


@dataclass(frozen=True)
class Program:
    """This program."""

    path: Path

    def whole(self) -> list[Contender]:
        """Both flows, over whole answers."""
        return self._flows([], ["--resources", "users,posts"])

    def pages(self, source: Path, in_flight: int) -> list[Contender]:
        """Both flows over pages. The source file takes the URL as a variable."""
        many = ["--resources", "posts", "--concurrency", str(in_flight)]
        return self._flows([str(source), "--var"], many, "base=")

    def _flows(self, source: list[str], options: list[str], prefix: str = "") -> list[Contender]:
        start = [str(self.path), "run", "--quiet", *options]

        def flow(more: list[str]) -> Command:
            return lambda url, out: [
                *start, *more, "--data-dir", str(out), "--log-file", str(out / "app.log"),
                *source, prefix + url,
            ]  # fmt: skip

        # The others keep no history, so neither does the one that they are held against.
        plain = ["--no-history"]
        return [
            Contender("main", "Activity Tracker", flow(plain)),
            Contender(
                "async", "Activity Tracker, async flow", flow([*plain, "--async"]), suffix="_async"
            ),
            Contender("history", "Activity Tracker, with history", flow([])),
        ]


@dataclass(frozen=True)
class Peer:
    """Another way to do the job, if what it needs is installed."""

    key: str
    title: str
    modules: tuple[str, ...]  # Python packages it needs
    programs: tuple[str, ...]
    script: str

    def missing(self, python: str) -> list[str]:
        """What it needs and this machine lacks."""
        lacking = [name for name in self.programs if not shutil.which(name)]
        return lacking + [name for name in self.modules if not module_version(python, name)]

    def contender(self, python: str) -> Contender:
        """This peer as one to be measured; it must not lack anything."""
        script = str(PEERS / self.script)
        start = [python, script] if script.endswith(".py") else ["bash", script]
        used = [f"{name} {module_version(python, name)}" for name in self.modules]
        used += [program_version(name) for name in self.programs]
        return Contender(self.key, self.title, _around(start, []), tuple(used))


WHOLE = (
    Peer("polars", "polars", ("polars",), (), "polars_frames.py"),
    Peer("duckdb", "curl + DuckDB", ("duckdb",), ("curl",), "curl_duckdb.py"),
    Peer("jq", "curl + jq", (), ("curl", "jq"), "curl_jq.sh"),
    Peer("aiohttp", "Python, aiohttp", ("aiohttp",), (), "python_asyncio.py"),
    Peer("requests", "Python, requests", ("requests",), (), "python_threads.py"),
    Peer("dlt", "dlt to JSON lines", ("dlt",), (), "dlt_jsonl.py"),
)


def over_pages(peers: list[Contender], python: str, in_flight: int) -> list[Contender]:
    """Those of `peers` that can turn pages, with so many requests at once if they know how to."""
    found = []
    for peer in peers:
        if peer.key in ("aiohttp", "requests"):
            start = [python, str(PEERS / "pages.py"), peer.key]
            tail = [str(PAGE_SIZE), str(in_flight)]
            found.append(replace(peer, command=_around(start, tail)))
        elif peer.key == "dlt":
            start = [python, str(PEERS / "dlt_jsonl.py")]
            title = f"{peer.title}, one page at a time"
            found.append(replace(peer, title=title, command=_around(start, [str(PAGE_SIZE)])))
    return found


def _around(start: list[str], tail: list[str]) -> Command:
    return lambda url, out: [*start, url, str(out), *tail]


def module_version(python: str, name: str) -> str:
    """The version of a Python package, or nothing where it is absent."""
    code = f"import {name}, importlib.metadata as m; print(m.version({name!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def program_version(name: str) -> str:
    """The first two words that a program says of its version."""
    done = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    first = (done.stdout or done.stderr).splitlines()
    words = first[0].split()[:2] if first else [name]
    return " ".join(words).replace("-", " ", 1) if name == "jq" else " ".join(words)
