"""Runs one command and says what it took: time, processor, memory of the whole process tree."""

import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
# A peer that hangs must not keep the benchmark for ever.
LIMIT_SECONDS = 1800.0
SAMPLE_SECONDS = 0.005
# With fewer looks than this, the peak was most likely between two of them.
LOOKS_AT_LEAST = 20


class Failed(Exception):
    """A command did not do its job."""


@dataclass(frozen=True)
class Took:
    """What one run took."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, children included
    others: float  # seconds of processor that went to anything else; rough, in steps of 10 ms


def timed(command: list[str], cwd: Path, servers: list[int]) -> Took:
    """Runs `command` to its end. What the `servers` burn is not counted as noise."""
    noise = _machine_busy() - _tree_cpu(servers)
    start = time.monotonic()
    process = _start(command, cwd)
    # Unlike `Popen.wait`, this says what the children took, if they were waited for.
    status, usage = _wait(process)
    wall = time.monotonic() - start
    cpu = usage.ru_utime + usage.ru_stime
    noise = _machine_busy() - _tree_cpu(servers) - noise - cpu
    _judge(command, status, cwd)
    return Took(wall, cpu, noise)


def peak_memory(command: list[str], cwd: Path) -> int | None:
    """Runs `command` and returns the most memory that its whole tree held at once, in bytes;
    nothing where it was over too soon to tell.

    Shared memory is divided by those who share it (the kernel's PSS), so that forked processes are
    not counted twice. Files that are mapped do not count. Looking slows the run down; its
    time is not worth knowing.
    """
    process = _start(command, cwd)
    done = threading.Event()
    peak = looks = 0

    def look() -> None:
        nonlocal peak, looks
        while not done.is_set():
            peak = max(peak, sum(map(_pss, _descendants(process.pid))))
            looks += 1
            done.wait(SAMPLE_SECONDS)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        status, _ = _wait(process)
    finally:
        done.set()
        watcher.join()
    _judge(command, status, cwd)
    return peak if looks >= LOOKS_AT_LEAST else None


def _start(command: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    with (cwd / "output.txt").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,  # a group of its own, to be ended whole
        )


def _environment() -> dict[str, str]:
    """Ours, without what would send requests elsewhere or change what the program does."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (name.lower().endswith("_proxy") or name.startswith("ACTIVITY_TRACKER_"))
    }


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
    def end() -> None:
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(LIMIT_SECONDS, end)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        end()
        process.wait()
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def _judge(command: list[str], status: int, cwd: Path) -> None:
    if status != 0:
        said = (cwd / "output.txt").read_text(encoding="utf-8", errors="replace")
        raise Failed(f"{' '.join(command)} ended with {status}:\n{said[-2000:]}")


def _descendants(root: int) -> list[int]:
    """`root` and all below it."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        if fields := _stat(int(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def _pss(pid: int) -> int:
    """Bytes of anonymous and shared memory that `pid` answers for."""
    lines = _proc(pid, "smaps_rollup").splitlines()
    kept = [line for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
    return sum(int(line.split()[1]) * 1024 for line in kept)


def _tree_cpu(roots: list[int]) -> float:
    """Seconds of processor that `roots` and those below them have used."""
    ticks = 0
    for root in roots:
        for pid in _descendants(root):
            ticks += sum(map(int, _stat(pid)[11:13]))
    return ticks / TICK


def _stat(pid: int) -> list[str]:
    # The name in brackets may hold anything, so what counts begins behind the last bracket.
    return _proc(pid, "stat").rpartition(")")[2].split()


def _proc(pid: int, name: str) -> str:
    """What the kernel says of `pid`; nothing if it ended meanwhile, as processes do."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _machine_busy() -> float:
    """Seconds of processor that were not idle since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        values = list(map(int, file.readline().split()[1:9]))
    user, nice, system, _idle, _waiting, irq, softirq, stolen = values
    return (user + nice + system + irq + softirq + stolen) / TICK
