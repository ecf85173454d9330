"""Plots, as SVG text."""

import math
from html import escape

COLORS = ("#1b6ca8", "#e07b00", "#3c8d40", "#b3332b", "#7a4fa3", "#7f6a5d", "#c2589b", "#6b6b6b", "#9a9a1f", "#159a9c")
WIDTH = 860
CHARACTER = 6.4  # The approximate width of a character in the font below.


def _document(height, title, body):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="16" y="26" font-size="15" font-weight="bold">{escape(title)}</text>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _text(x, y, text, anchor="start", color="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def bars(title, labels, groups, digits):
    """Plots horizontal bars: a group of bars for each entry of `groups`, one bar for each label."""
    left = 20 + CHARACTER * max((len(name) for name in groups), default=0)
    right, top, thick, gap = WIDTH - 70, 62, 13, 10
    most = max((value for values in groups.values() for value in values), default=0) or 1
    body = []
    x = left
    for i, label in enumerate(labels):
        body.append(f'<rect x="{x:.1f}" y="38" width="10" height="10" fill="{COLORS[i]}"/>')
        body.append(_text(x + 14, 47, label))
        x += 40 + CHARACTER * len(label)
    y = top
    for name, values in groups.items():
        body.append(_text(left - 8, y + thick * len(values) / 2 + 4, name, "end"))
        for i, value in enumerate(values):
            width = (right - left) * value / most
            body.append(f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{thick - 2}" fill="{COLORS[i]}"/>')
            body.append(_text(left + width + 4, y + 10, f"{value:,.{digits}f}" if value else "not measured"))
            y += thick
        y += gap
    return _document(y + 10, title, body)


def _ticks(low, high, logarithmic):
    if logarithmic:
        ticks = []
        power = 10.0 ** math.floor(math.log10(low))
        while power <= high:
            ticks += [power * m for m in (1, 2, 5) if low <= power * m <= high]
            power *= 10
        return ticks
    step = 10.0 ** math.floor(math.log10(high - low or 1))
    step = next(s for s in (step / 5, step / 2, step, step * 2) if (high - low) / s <= 8)
    return [low + i * step for i in range(int((high - low) / step) + 1)]


def lines(title, x_title, y_title, series, logarithmic=False):
    """Plots a line for each series of (x, y), on request with two logarithmic axes.

    A series with "n /" in its name has a dashed line.
    """
    points = [point for line in series.values() for point in line]
    if not points:
        return _document(60, title + ": not measured", [])
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_low, y_high = min(y for _, y in points), max(y for _, y in points)
    if not logarithmic:
        x_low, y_low = 0, 0
    left, right, top, bottom = 74, WIDTH - 30 - CHARACTER * max(len(name) for name in series), 48, 430
    scale = math.log10 if logarithmic else float

    def at(value, low, high, start, end):
        span = scale(high) - scale(low) or 1
        return start + (end - start) * (scale(value) - scale(low)) / span

    def x_of(value):
        return at(value, x_low, x_high, left, right)

    def y_of(value):
        return at(value, y_low, y_high, bottom, top)

    body = [_text((left + right) / 2, bottom + 40, x_title, "middle"), _text(16, top - 4, y_title)]
    for tick in _ticks(x_low, x_high, logarithmic):
        body.append(f'<line x1="{x_of(tick):.1f}" x2="{x_of(tick):.1f}" y1="{top}" y2="{bottom}" stroke="#e4e4e4"/>')
        body.append(_text(x_of(tick), bottom + 18, f"{tick:,g}", "middle"))
    for tick in _ticks(y_low, y_high, logarithmic):
        body.append(f'<line x1="{left}" x2="{right}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" stroke="#e4e4e4"/>')
        body.append(_text(left - 8, y_of(tick) + 4, f"{tick:,.0f}", "end"))
    names = []
    for i, (name, line) in enumerate(series.items()):
        dashed = "n /" in name
        color = COLORS[(i // 2 if logarithmic else i) % len(COLORS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        body.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"{dash}/>')
        names.append((y_of(line[-1][1]), name, color))
    y = top - 14
    for wanted, name, color in sorted(names):
        y = max(wanted, y + 14)  # Moves a name down if it overlaps with another name.
        body.append(_text(right + 10, y + 4, name, color=color))
    return _document(max(bottom + 56, y + 20), title, body)
