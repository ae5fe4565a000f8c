"""The chart of customers as a page of its own: drawings inside, numbers below, nothing fetched from anywhere."""

from decimal import Decimal
from html import escape

from work_data_hub.io.customer_chart_panels import Panel, month_text, shown, span_text

_WIDTH, _HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 66, 10, 22
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
  sans-serif; color: #222; background: #fff; margin: 2rem auto; max-width: 1360px; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem; }
p { color: #555; margin: .2rem 0 1.4rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 1.4rem 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: .92rem; }
figcaption span { font-weight: 400; color: #666; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: #666; }
svg .newest { font-size: 14px; font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; } th small { display: block; font-weight: 400; color: #666; }
th:first-child, td:first-child { text-align: left; }
tbody tr:hover { background: #f4f7fa; }
"""


def chart_page(panels: tuple[Panel, ...]) -> str:
    """The page as HTML text."""
    title, span = "客户状态 · Customers by status", span_text(panels[0], joined_by=" – ")
    figures = "\n".join(_figure(panel) for panel in panels)
    return f"""<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>{span} · 客户按 company_id 去重 · distinct companies a month; each panel has a scale of its own</p>
<div class="panels">
{figures}
</div>
<h2>数据 · Numbers</h2>
<div class="wide">
{_table(panels)}
</div>
</body>
</html>
"""


def _figure(panel: Panel) -> str:
    name = f"{panel.chinese} · {panel.english}: {panel.newest}"
    return f"""<figure>
<figcaption>{escape(panel.chinese)} <span>{escape(panel.english)}</span></figcaption>
<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}">
{_drawing(panel)}
</svg>
</figure>"""


def _drawing(panel: Panel) -> str:
    """Three lines to read values from, the months below, the line of the panel and its newest value."""
    scale = _Scale(panel)
    parts = [_rule(scale, share) for share in (0.0, 0.5, 1.0)]
    parts += _months(scale, panel)
    for piece in panel.pieces:
        way = " ".join(f"{scale.x(month):.1f},{scale.y(value):.1f}" for month, value in piece)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{panel.colour}" stroke-width="2"/>')
    parts += [_dot(scale, panel, month, value) for month, value in panel.points]
    month, value = panel.points[-1]
    parts.append(
        f'<text class="newest" x="{scale.x(month) + 8:.1f}" y="{scale.y(value) + 5:.1f}"'
        f' style="fill:{panel.colour}">{escape(panel.newest)}</text>'
    )
    return "\n".join(parts)


class _Scale:
    """Where months and values lie in the drawing."""

    def __init__(self, panel: Panel) -> None:
        self.top = panel.top
        self._lowest = min(0.0, *(float(value) for _, value in panel.points))
        self._first, self._last = panel.points[0][0], panel.points[-1][0]

    def x(self, month: int) -> float:
        months = max(self._last - self._first, 1)
        return _LEFT + (month - self._first) / months * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: Decimal | float) -> float:
        share = (float(value) - self._lowest) / (self.top - self._lowest)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _rule(scale: _Scale, share: float) -> str:
    y = scale.y(scale.top * share)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e0e0e0"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{scale.top * share:,.10g}</text>'
    )


def _months(scale: _Scale, panel: Panel) -> list[str]:
    """The first month and the last one."""
    ends = {panel.points[0][0]: "start", panel.points[-1][0]: "end" if len(panel.points) > 1 else "start"}
    return [
        f'<text x="{scale.x(month):.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{month_text(month)}</text>'
        for month, anchor in ends.items()
    ]


def _dot(scale: _Scale, panel: Panel, month: int, value: Decimal) -> str:
    radius = 4 if month == panel.points[-1][0] else 2
    return (
        f'<circle cx="{scale.x(month):.1f}" cy="{scale.y(value):.1f}" r="{radius}" fill="{panel.colour}">'
        f"<title>{month_text(month)}: {shown(value)}</title></circle>"
    )


def _table(panels: tuple[Panel, ...]) -> str:
    """A row a month, the newest first."""
    heads = "".join(f"<th>{escape(panel.chinese)}<small>{escape(panel.english)}</small></th>" for panel in panels)
    rows = [
        f"<tr><td>{month_text(month)}</td>{''.join(f'<td>{shown(panel.points[at][1])}</td>' for panel in panels)}</tr>"
        for at, (month, _) in enumerate(panels[0].points)
    ]
    body = "\n".join(reversed(rows))
    return f"""<table>
<thead><tr><th>月份<small>Month</small></th>{heads}</tr></thead>
<tbody>
{body}
</tbody>
</table>"""
