"""Measures contenders in pairs and makes plain values of it, ready for JSON."""

import filecmp
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contenders import Contender
from .data import DataSet
from .measure import Failed, Took, peak_memory, timed
from .servers import Server

# One that takes longer than this is measured in a few pairs only.
SLOW_SECONDS = 20.0
SLOW_PAIRS = 3


@dataclass(frozen=True)
class Places:
    """Where outputs go."""

    memory: Path  # on tmpfs, so that no disk is measured
    disk: Path  # for runs whose memory is looked at: files on tmpfs would count as memory
    wanted: Path | None  # the disk whose cost was asked for

    @contextmanager
    def fresh(self, parent: Path) -> Iterator[Path]:
        """An empty directory that is gone afterwards."""
        out = Path(tempfile.mkdtemp(prefix="activity-tracker-bench-", dir=parent))
        try:
            yield out
        finally:
            shutil.rmtree(out, ignore_errors=True)


@dataclass(frozen=True)
class Case:
    """One job, to be done by several."""

    title: str
    data: DataSet
    server: Server
    url: str
    repeat: int
    posts_only: bool = False
    ideal: float | None = None  # seconds that the waiting alone takes


@dataclass
class Row:
    """What is known of one contender in one case."""

    contender: Contender
    memory: int | None = None
    as_sent: bool = False
    runs: list[Took] = field(default_factory=list)
    beside: list[Took] = field(default_factory=list)  # the first one's run before each of `runs`


def measure(case: Case, contenders: list[Contender], places: Places) -> dict[str, Any]:
    """Measures the first contender against each of the others, in turn.

    `Failed` is raised when the first one fails. Others that fail are left out, and the result says so.
    """
    rows: list[Row] = []
    left_out: list[str] = []
    for contender in contenders:
        tell(f"{case.title}: {contender.title}: first run, memory")
        try:
            rows.append(_first_run(case, contender, places))
        except (Failed, OSError, ValueError, KeyError) as error:
            if not rows:
                raise Failed(f"{contender.title}: {error}") from error
            tell(f"{contender.title} is left out: {error}")
            left_out.append(contender.title)
    reference, others = rows[0], rows[1:]
    for number in range(case.repeat):
        tell(f"{case.title}: pair {number + 1} of {case.repeat}")
        if not others:
            reference.runs.append(_one(case, reference.contender, places))
        for row in list(others):
            if number >= SLOW_PAIRS and row.runs[0].wall > SLOW_SECONDS:
                continue
            reference.runs.append(_one(case, reference.contender, places))
            try:
                row.runs.append(_one(case, row.contender, places))
                row.beside.append(reference.runs[-1])
            except Failed as error:
                tell(f"{row.contender.title} is left out: {error}")
                left_out.append(row.contender.title)
                others.remove(row)
    return _values(case, [reference, *others]) | {"left_out": left_out}


def _first_run(case: Case, contender: Contender, places: Places) -> Row:
    """Warms up, looks at the memory, and checks that the answer is right."""
    with places.fresh(places.disk) as out:
        memory = peak_memory(contender.command(case.url, out), out)
        summary = out / f"summary{contender.suffix}.json"
        if mistake := case.data.mistake(summary, case.posts_only):
            raise Failed(f"wrong answer: {mistake}")
        posts = out / f"posts{contender.suffix}.json"
        as_sent = posts.is_file() and filecmp.cmp(posts, case.data.folder / "posts", shallow=False)
        return Row(contender, memory, as_sent)


def _one(case: Case, contender: Contender, places: Places) -> Took:
    parent = places.wanted if contender.on_disk and places.wanted else places.memory
    with places.fresh(parent) as out:
        return timed(contender.command(case.url, out), out, [case.server.pid])


def _values(case: Case, rows: list[Row]) -> dict[str, Any]:
    runs = [took for row in rows for took in row.runs]
    others = sum(took.others for took in runs) / sum(took.wall for took in runs)
    size = case.data.size
    return {
        "title": case.title,
        "size": size.name,
        "users": size.users,
        "posts": size.posts,
        "bytes": case.data.length,
        "server": case.server.name,
        "ideal": case.ideal,
        "other_load": round(max(0.0, others), 3),  # cores that were busy with something else
        "rows": [_row(row, rows[0]) for row in rows],
    }


def _row(row: Row, reference: Row) -> dict[str, Any]:
    walls = [took.wall for took in row.runs]
    pairs = list(zip(row.runs, row.beside, strict=False))
    return {
        "key": row.contender.key,
        "title": row.contender.title,
        "runs": len(walls),
        "wall": round(statistics.median(walls), 4),
        "wall_min": round(min(walls), 4),
        "wall_max": round(max(walls), 4),
        "cpu": round(statistics.median(took.cpu for took in row.runs), 4),
        "memory": row.memory,
        "as_sent": row.as_sent,
        "wall_ratio": _ratio([one.wall / other.wall for one, other in pairs]),
        "cpu_ratio": _ratio([one.cpu / other.cpu for one, other in pairs]),
        "memory_ratio": _memory_ratio(row, reference),
    }


def _memory_ratio(row: Row, reference: Row) -> float | None:
    if row is reference or not row.memory or not reference.memory:
        return None
    return round(row.memory / reference.memory, 2)


def _ratio(ratios: list[float]) -> float | None:
    """Nothing for the reference, which has no pairs with itself."""
    return round(statistics.median(ratios), 2) if ratios else None


def tell(text: str) -> None:
    """Says on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)
