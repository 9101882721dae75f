"""The results as a bar chart in SVG, readable on light and on dark, and for who cannot see it."""

import math
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from .table import QUIET, other_load, seconds, times

WIDTH = 760
LEFT = 200  # where bars begin; names stand before it
RIGHT = 110  # room for a bar's label
BAR = 18
STEP = 26

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .head { font-weight: 600; }
    .soft { fill: #59636e; font-size: 11px; }
    .grid { stroke: #d1d9e0; }
    .peer { fill: #8c959f; }
    .own { fill: #0969da; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .soft { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .peer { fill: #656c76; }
      .own { fill: #4493f8; }
    }
"""

Case = dict[str, Any]


def chart(results: dict[str, Any]) -> str:
    """The wall time of each contender on a logarithmic scale; over pages only if that is all."""
    whole = [case for case in results["cases"] if not case["ideal"]]
    # At S most of the time goes into starting; it has its place in the table.
    cases = [case for case in whole if case["size"] != "S"] or whole or results["cases"]
    walls = [row["wall"] for case in cases for row in case["rows"]]
    # From the power of ten below the shortest to just beyond the longest.
    low, high = math.floor(math.log10(min(walls)) - 0.1), math.log10(max(walls)) + 0.05

    def x(wall: float) -> float:
        return LEFT + (math.log10(wall) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    powers = [10.0**power for power in range(low, math.floor(high) + 1)]
    body: list[str] = []
    y = 20
    for case in cases:
        body.append(_text(LEFT, y, case["title"], "head"))
        top, bottom = y + 8, y + 12 + len(case["rows"]) * STEP
        for at in map(x, powers):
            body.append(
                f'<line class="grid" x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{bottom}"/>'
            )
        body += _bars(case, x, y + 12)
        y = bottom + 28
    y -= 14
    body += [_text(x(power), y, f"{power:g} s", "soft", "middle") for power in powers]
    body += [_text(LEFT, y + 18 * n, line, "soft") for n, line in enumerate(_notes(results), 1)]
    height = y + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="bench-title bench-desc">',
        '<title id="bench-title">How long Activity Tracker and its peers take for the same job</title>',
        f'<desc id="bench-desc">{escape(_words(cases))}</desc>',
        f"<style>{STYLE}</style>",
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(case: Case, x: Callable[[float], float], y: int) -> list[str]:
    """The bars of one case, from `y` down."""
    parts = []
    for row in case["rows"]:
        middle = y + BAR - 5
        own = "own" if row["title"].startswith("Activity Tracker") else "peer"
        end = x(row["wall"])
        label = seconds(row["wall"])
        if row["wall_ratio"] is not None:
            label += f"  × {times(row['wall_ratio'])}"
        parts.append(_text(LEFT - 8, middle, row["title"], "", "end"))
        parts.append(
            f'<rect class="{own}" x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}" rx="2"/>'
        )
        parts.append(_text(end + 6, middle, label))
        y += STEP
    return parts


def _notes(results: dict[str, Any]) -> list[str]:
    machine = results["machine"]
    where = f"{machine['date']}, {machine['cores']} cores, {machine['cpu']}"
    if other_load(results) > QUIET:
        where += "; the machine was not quiet: do not quote"
    return ["wall time, logarithmic; × as long as the first, pair by pair", where]


def _words(cases: list[Case]) -> str:
    """The chart as a sentence for each case."""
    said = []
    for case in cases:
        rows = ", ".join(f"{row['title']} {seconds(row['wall'])}" for row in case["rows"])
        said.append(f"{case['title']}: {rows}.")
    return " ".join(said)


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind} text-anchor="{anchor}">{escape(text)}</text>'
