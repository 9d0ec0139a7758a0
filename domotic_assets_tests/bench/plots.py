"""A plot of how something grows, as a picture."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 720, 300, 48
_COLOURS = ("#1f6feb", "#d1552c", "#2c8a4b")


def growth(title: str, across: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """An SVG of lines over one axis, both axes from 0. lines: name with its unit to points (x, y)."""
    most_x = max((x for points in lines.values() for x, _ in points), default=1.0)
    most_y = max((y for points in lines.values() for _, y in points), default=1.0)
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-size="13">{escape(title)}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 12}" text-anchor="end">{escape(across)}</text>',
    ]
    for part in range(5):
        x, y = MARGIN + wide * part / 4, HEIGHT - MARGIN - high * part / 4
        under = HEIGHT - MARGIN + 16
        parts += [
            f'<line x1="{MARGIN}" y1="{y:.0f}" x2="{WIDTH - MARGIN}" y2="{y:.0f}" stroke="#ddd"/>',
            f'<text x="{MARGIN - 6}" y="{y + 4:.0f}" text-anchor="end">{most_y * part / 4:.3g}</text>',
            f'<text x="{x:.0f}" y="{under}" text-anchor="middle">{most_x * part / 4:,.0f}</text>',
        ]
    for place, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join(
            f"{MARGIN + wide * x / most_x:.1f},{HEIGHT - MARGIN - high * y / most_y:.1f}" for x, y in points
        )
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
            f'<text x="{MARGIN + 8 + 150 * place}" y="{MARGIN - 10}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
