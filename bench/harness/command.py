"""The command line: what is measured, in which order, and where the results go."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import machine
from .chart import chart
from .contenders import PAGE_SIZE, WHOLE, Contender, Program, over_pages
from .data import SIZES, DataSet, Size, prepare
from .measure import Failed
from .servers import sample_api, whole_files
from .session import Case, Places, measure, tell
from .table import amount, table

BENCH = Path(__file__).parents[1]
REPOSITORY = BENCH.parent


@dataclass(frozen=True)
class Paged:
    """The job over pages."""

    size: Size
    latency_ms: int
    in_flight: tuple[int, ...]

    def title(self, in_flight: int) -> str:
        pages = self.size.posts // PAGE_SIZE
        return (
            f"{pages:,} pages of {PAGE_SIZE} posts, each after {self.latency_ms} ms, "
            f"{in_flight} requests in flight"
        )

    def ideal(self, in_flight: int) -> float:
        return self.size.posts / PAGE_SIZE / in_flight * self.latency_ms / 1000


PAGED = Paged(Size("pages", 10_000, 100_000, 5), 50, (16, 64))
SMALL_PAGED = Paged(Size("small-pages", 10, 1_000, 1), 5, (4,))


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    program: Path
    built_here: bool  # from this clone, whose commit then says more than the version
    sizes: list[Size]
    paged: Paged | None
    peers: list[Contender]
    python: str
    repeat: int | None
    places: Places
    cache: Path

    def pairs(self, size: Size) -> int:
        return self.repeat or size.repeat


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    results_dir: Path = options.results
    # As an exception, so that servers and directories are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.render:
            results = json.loads((results_dir / "latest.json").read_text(encoding="utf-8"))
            _write(results, results_dir)
        elif options.self_test:
            _self_test(options)
        else:
            results = _measure(options)
            results_dir.mkdir(parents=True, exist_ok=True)
            text = json.dumps(results, indent=2, ensure_ascii=False)
            (results_dir / "latest.json").write_text(text + "\n", encoding="utf-8")
            print(_write(results, results_dir))
    except (Failed, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        tell(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures Activity Tracker beside its peers."
    )
    add = parser.add_argument
    add("--sizes", default="S,M,L,pages", help="which of S, M, L and the paged job [all]")
    add("--repeat", type=int, help="pairs [S 20, M 10, L 3, pages 5]")
    add(
        "--peers",
        default="all",
        help=f"all, none, or some of {','.join(peer.key for peer in WHOLE)}",
    )
    add("--program", type=Path, help="the program to measure [built with cargo]")
    add("--python", default=sys.executable, help="the Python that has the peers' packages")
    add("--disk", type=Path, metavar="DIR", help="measure the program with its files in DIR too")
    add(
        "--cache",
        type=Path,
        default=_default_cache(),
        metavar="DIR",
        help="keeps the data between runs",
    )
    add(
        "--results",
        type=Path,
        default=BENCH / "results",
        metavar="DIR",
        help="where the results go",
    )
    add("--render", action="store_true", help="only make table and chart from the results again")
    add("--self-test", action="store_true", help="only try this benchmark itself, in seconds")
    return parser


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "activity-tracker-bench"


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    names = options.sizes.split(",")
    unknown = [name for name in names if name not in (*SIZES, "pages")]
    keys = {peer.key for peer in WHOLE}
    wanted = {"all": keys, "none": set()}.get(options.peers) or set(options.peers.split(",")) - {
        "none"
    }
    if unknown or wanted - keys:
        raise Failed(f"unknown: {', '.join([*unknown, *(wanted - keys)])}")
    python = shutil.which(options.python) or options.python
    peers, skipped = [], []
    for peer in (peer for peer in WHOLE if peer.key in wanted):
        if missing := peer.missing(python):
            tell(f"skipped: {peer.title}: not installed: {', '.join(missing)}")
            skipped.append({"title": peer.title, "missing": missing})
        else:
            peers.append(peer.contender(python))
    options.cache.mkdir(parents=True, exist_ok=True)
    # Beside the data and not below /tmp, which may be a tmpfs.
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=options.cache.resolve()) as scratch:
        plan = Plan(
            program=_program(options.program),
            built_here=not options.program,
            sizes=[SIZES[name] for name in names if name in SIZES],
            paged=PAGED if "pages" in names else None,
            peers=peers,
            python=python,
            repeat=options.repeat,
            places=_places(Path(scratch), options.disk),
            cache=options.cache.resolve(),
        )
        return {**_carry_out(plan), "skipped": skipped}


def _places(scratch: Path, wanted: Path | None) -> Places:
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        tell("there is no /dev/shm: the disk is measured too")
        memory = scratch
    if wanted:
        wanted = wanted.resolve()
        wanted.mkdir(parents=True, exist_ok=True)
    return Places(memory, scratch, wanted)


def _program(given: Path | None) -> Path:
    """The program that was given, or else built from this clone."""
    if given:
        return given.resolve(strict=True)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    return (REPOSITORY / target / "release/activity-tracker").resolve(strict=True)


def _carry_out(plan: Plan) -> dict[str, Any]:
    about = machine.describe()
    version = machine.program_version(plan.program)
    commit = machine.commit(REPOSITORY) if plan.built_here else ""
    plan.cache.mkdir(parents=True, exist_ok=True)
    cases = []
    for size in plan.sizes:
        tell(f"{size.name}: making the data")
        data = prepare(size, plan.cache, plan.program, version)
        cases.append(_whole(plan, data))
    if plan.paged:
        data = prepare(plan.paged.size, plan.cache, plan.program, version)
        cases += _pages(plan, plan.paged, data)
    versions = [f"Activity Tracker {version} {commit}".strip()]
    if plan.peers:
        versions.append(f"Python {machine.python_version(plan.python)}")
    versions += sorted({used for peer in plan.peers for used in peer.uses})
    return {"machine": about, "versions": versions, "cases": cases}


def _whole(plan: Plan, data: DataSet) -> dict[str, Any]:
    size = data.size
    contenders = Program(plan.program).whole()
    if plan.places.wanted:
        to_disk = "Activity Tracker, to disk"
        contenders.insert(1, replace(contenders[0], key="disk", title=to_disk, on_disk=True))
    work = plan.places.disk / "server"
    work.mkdir(exist_ok=True)
    with whole_files(plan.cache, work) as server:
        title = f"{size.name}: {size.users:,} users, {size.posts:,} posts, {amount(data.length)}"
        case = Case(title, data, server, f"{server.url}/{size.name}", plan.pairs(size))
        return measure(case, contenders + plan.peers, plan.places)


def _pages(plan: Plan, paged: Paged, data: DataSet) -> list[dict[str, Any]]:
    cases = []
    with ExitStack() as stack:
        latency = ["--latency", f"{paged.latency_ms}ms"]
        server = stack.enter_context(sample_api(plan.program, *data.size.options(), *latency))
        for in_flight in paged.in_flight:
            contenders = Program(plan.program).pages(BENCH / "pages.toml", in_flight)
            peers = over_pages(plan.peers, plan.python, in_flight)
            if in_flight != paged.in_flight[0]:
                # It has one request in flight whatever it is told; measuring that once will do.
                peers = [peer for peer in peers if peer.key != "dlt"]
            case = Case(
                paged.title(in_flight),
                data,
                server,
                server.url,
                plan.pairs(data.size),
                posts_only=True,
                ideal=paged.ideal(in_flight),
            )
            cases.append(measure(case, contenders + peers, plan.places))
    return cases


def _write(results: dict[str, Any], folder: Path) -> str:
    """Writes the table and the chart; returns the table."""
    text = table(results)
    (folder / "table.md").write_text(text, encoding="utf-8")
    (folder / "chart.svg").write_text(chart(results), encoding="utf-8")
    return text


def _self_test(options: argparse.Namespace) -> None:
    """Everything once on small data, with nothing left behind."""
    with tempfile.TemporaryDirectory(prefix="activity-tracker-bench-") as name:
        scratch = Path(name)
        plan = Plan(
            program=_program(options.program),
            built_here=not options.program,
            sizes=[SIZES["S"]],
            paged=SMALL_PAGED,
            peers=[],
            python=sys.executable,
            repeat=1,
            places=_places(scratch, scratch / "disk"),
            cache=scratch / "cache",
        )
        results = {**_carry_out(plan), "skipped": [{"title": "all peers", "missing": ["nothing"]}]}
        rows = [row for case in results["cases"] for row in case["rows"]]
        # Main, disk, async and history over whole answers; main, async and history over pages.
        if len(rows) != 7 or not all(row["as_sent"] for row in rows):
            raise Failed(
                f"self-test: rows are missing, or something was not stored as sent: {rows}"
            )
        _write(json.loads(json.dumps(results)), scratch)
        xml.etree.ElementTree.parse(scratch / "chart.svg")
    print("self-test passed")
