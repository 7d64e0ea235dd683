"""A picture of what was done day by day, as text within a page: stacked bars in SVG."""

import base64
from collections.abc import Mapping, Sequence
from datetime import date

from slack_docebo.domain.texts import people

COLOURS = {"created": "#2e7d32", "updated": "#1565c0", "deactivated": "#ef6c00", "failed": "#c62828"}
WIDTH, HEIGHT, GAP, LEGEND = 720, 160, 3, 34


def bars(days: Sequence[date], counts: Mapping[tuple[date, str], int]) -> str:
    """Return an image in Markdown: a bar for each of *days*, stacked by what was done, of the *counts* by day and that."""
    highest = max((sum(counts.get((day, what), 0) for what in COLOURS) for day in days), default=0)
    width = WIDTH / max(len(days), 1)
    drawn = []
    for place, day in enumerate(days):
        top = float(HEIGHT)
        for what, colour in COLOURS.items():
            if number := counts.get((day, what), 0):
                height = number / highest * (HEIGHT - 20)
                top -= height
                at = f'x="{place * width + GAP / 2:.1f}" y="{top:.1f}" width="{width - GAP:.1f}" height="{height:.1f}"'
                drawn.append(f'<rect {at} fill="{colour}"><title>{day}: {number} {what}</title></rect>')
    for place, (what, colour) in enumerate(COLOURS.items()):
        left, below = place * 130, HEIGHT + LEGEND - 12
        drawn.append(f'<rect x="{left}" y="{below - 10}" width="10" height="10" fill="{colour}"/>')
        drawn.append(f'<text x="{left + 16}" y="{below}">{what}</text>')
    drawn.append(f'<text x="{WIDTH}" y="12" text-anchor="end">at most {people(highest)} a day</text>')
    size = f'width="{WIDTH}" height="{HEIGHT + LEGEND}" viewBox="0 0 {WIDTH} {HEIGHT + LEGEND}"'
    style = 'font-family="sans-serif" font-size="12" fill="#777"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(drawn)}</svg>'
    return f"![People by day](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
