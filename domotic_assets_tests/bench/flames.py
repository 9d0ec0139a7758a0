"""Flame graphs as pictures: stacks side by side, their callers below, as wide as they were often seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

WIDTH, ROW = 1200, 15
LEAST_WIDTH = 2.0
"""Narrower frames are left out: they would be specks of a large file."""
_CHARACTER = 6.3


@dataclass
class _Frame:
    name: str
    number: int = 0
    callees: dict[str, "_Frame"] = field(default_factory=dict)


def flame_graph(stacks: Mapping[tuple[str, ...], int], title: str) -> str:
    """An SVG of stacks, outermost frame first, and how often each was seen."""
    root = _Frame("all")
    for stack, number in stacks.items():
        root.number += number
        frame = root
        for name in stack:
            frame = frame.callees.setdefault(name, _Frame(name))
            frame.number += number
    boxes = list(_boxes(root, 0.0, 0, WIDTH / max(1, root.number)))
    height = (max((depth for _, _, depth, _ in boxes), default=0) + 3) * ROW
    shapes = "\n".join(_shape(*box, height, root.number) for box in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="10">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="4" y="12" font-size="12">{escape(title)}: {root.number:,} samples</text>\n'
        f"{shapes}\n</svg>\n"
    )


_Box = tuple[_Frame, float, int, float]
"""A frame, its left edge, how deep it lies, and how wide a sample is."""


def _boxes(frame: _Frame, left: float, depth: int, scale: float) -> Iterator[_Box]:
    yield frame, left, depth, scale
    for callee in sorted(frame.callees.values(), key=lambda one: one.name):
        if callee.number * scale >= LEAST_WIDTH:
            yield from _boxes(callee, left, depth + 1, scale)
        left += callee.number * scale


def _shape(frame: _Frame, left: float, depth: int, scale: float, height: int, total: int) -> str:
    width, top = frame.number * scale, height - (depth + 1) * ROW
    # Own code in one family of colours, others' in another; the shade is the name's.
    shade = crc32(frame.name.encode())
    hue = 20 + shade % 25 if "domotic" in frame.name else 190 + shade % 40
    fits = int(width / _CHARACTER)
    label = frame.name if len(frame.name) <= fits else frame.name[: max(0, fits - 1)] + "…"
    text = f'<text x="{left + 2:.1f}" y="{top + 11}">{escape(label)}</text>' if fits > 3 else ""
    return (
        f"<g><title>{escape(frame.name)} {frame.number / total:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue},70%,75%)"/>'
        f"{text}</g>"
    )
