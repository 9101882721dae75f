"""What was measured on: the machine, and the versions of what took part."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """The machine and the day."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": int(memory.group(1)) * 1024 if memory else 0,
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def program_version(program: Path) -> str:
    """The version that the program says it is."""
    return _run([str(program), "--version"]).partition(" ")[2]


def commit(repository: Path) -> str:
    """The commit that the clone is at, and whether something was changed since."""
    said = _run(["git", "-C", str(repository), "describe", "--always", "--exclude=*", "--dirty"])
    return f"({said})" if said else ""


def python_version(python: str) -> str:
    """The version of the Python that the peers run on."""
    return _run([python, "-c", "import platform; print(platform.python_version())"])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
