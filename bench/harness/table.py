"""The results as Markdown."""

from typing import Any

Results = dict[str, Any]

QUIET = 0.1  # cores; with more going on beside it, a measurement is not worth comparing


def table(results: Results) -> str:
    """All cases, then where and with what they were measured."""
    parts = [_case(case) for case in results["cases"]]
    return "\n\n".join([*parts, _footer(results)]) + "\n"


def _case(case: Results) -> str:
    head = ["", "wall", "×", "processor", "×", "peak memory", "×", "posts stored as sent"]
    ideal = case["ideal"]
    if ideal:
        head.insert(2, "of the ideal")
    lines = [f"**{case['title']}**", "", _line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for row in case["rows"]:
        cells = [
            row["title"],
            seconds(row["wall"]),
            times(row["wall_ratio"]),
            seconds(row["cpu"]),
            times(row["cpu_ratio"]),
            amount(row["memory"]),
            times(row["memory_ratio"]),
            "yes" if row["as_sent"] else "no",
        ]
        if ideal:
            cells.insert(2, f"{row['wall'] / ideal:.2f} ×")
        lines.append(_line(cells))
    if ideal:
        lines += ["", f"The ideal is what the waiting alone takes: {seconds(ideal)}."]
    if case["left_out"]:
        lines += ["", f"Left out, because it failed: {'; '.join(case['left_out'])}."]
    return "\n".join(lines)


def _footer(results: Results) -> str:
    machine = results["machine"]
    servers = " and ".join(dict.fromkeys(case["server"] for case in results["cases"]))
    lines = [
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory'] / 2**30:.0f} GiB, {machine['system']}. "
        f"{', '.join(results['versions'])}. Served by {servers}.",
    ]
    if results["skipped"]:
        skipped = [
            f"{one['title']} (lacks {', '.join(one['missing'])})" for one in results["skipped"]
        ]
        lines.append(f"Skipped, not installed: {'; '.join(skipped)}.")
    if (load := other_load(results)) > QUIET:
        lines.append(
            f"**The machine was not quiet:** {load:.1f} cores were busy with something else. "
            "Do not quote these figures."
        )
    return "\n\n".join(lines)


def other_load(results: Results) -> float:
    """How many cores were busy with something else, in the worst case."""
    return max(float(case["other_load"]) for case in results["cases"])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def seconds(value: float) -> str:
    """A time for people: 12 ms, 0.84 s, 12.3 s."""
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def times(ratio: float | None) -> str:
    """How many times as much as the first row; nothing where there is nothing to compare."""
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 3 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def amount(count: int | None) -> str:
    """Bytes for people: 36 KiB, 35.4 MiB, 3,242 MiB."""
    if count is None:
        return "too short to tell"
    if count < 2**20:
        return f"{count / 2**10:.0f} KiB"
    return f"{count / 2**20:.1f} MiB" if count < 100 * 2**20 else f"{count / 2**20:,.0f} MiB"
