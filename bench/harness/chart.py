"""The results as a bar chart in SVG, readable on light and on dark, and for who cannot see it."""

import math
from typing import Any
from xml.sax.saxutils import escape

from .table import seconds, times

WIDTH = 760
LEFT = 190  # where bars begin; names stand before it
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
    """The wall time of each contender over whole answers, on a logarithmic scale."""
    cases = [case for case in results["cases"] if not case["ideal"] and case["size"] != "S"]
    cases = cases or [case for case in results["cases"] if not case["ideal"]]
    walls = [row["wall"] for case in cases for row in case["rows"]]
    # From the power of ten below the shortest to just beyond the longest.
    low, high = math.floor(math.log10(min(walls)) - 0.1), math.log10(max(walls)) + 0.05

    def x(wall: float) -> float:
        return LEFT + (math.log10(wall) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    body, y = [], 20
    for case in cases:
        block, y = _block(case, x, y)
        body += block
    bottom = y
    grid = []
    for power in range(low, math.floor(high) + 1):
        at = x(10.0**power)
        grid.append(f'<line class="grid" x1="{at:.1f}" y1="28" x2="{at:.1f}" y2="{bottom}"/>')
        grid.append(_text(at, bottom + 14, f"{10.0**power:g} s", "soft", "middle"))
    note = "wall time, logarithmic; behind the bar: times as long as Activity Tracker"
    grid.append(_text(LEFT, bottom + 32, note, "soft"))
    machine = results["machine"]
    where = f"{machine['date']}, {machine['cores']} cores, {machine['cpu']}"
    grid.append(_text(LEFT, bottom + 48, where, "soft"))
    height = bottom + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
        '<title id="title">How long Activity Tracker and its peers take for the same job</title>',
        f'<desc id="desc">{escape(_words(cases))}</desc>',
        f"<style>{STYLE}</style>",
        *grid,
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _block(case: Case, x: Any, y: int) -> tuple[list[str], int]:
    """The bars of one case from `y` on, and where the next one may begin."""
    parts = [_text(LEFT, y, case["title"], "head")]
    y += 12
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
    return parts, y + 22


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
