"""Customers by status, month by month, as a picture (.png) or as a page with the numbers below it (.html)."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.domain.customers.shapes import month_of
from work_data_hub.errors import UsageError
from work_data_hub.io.customer_chart_page import chart_page
from work_data_hub.io.customer_chart_panels import Panel, month_text, panels_of, shown, span_text
from work_data_hub.io.whole_files import replace_file

FORMATS = (".png", ".html")
_COLUMNS, _ROWS = 4, 2
_INCHES, _DPI = (14, 6.4), 130
_PALE, _TEXT = "#d0d0d0", "#222222"
_MONTHS_A_YEAR = 12


def refuse_other_formats(path: Path) -> None:
    """Raise UsageError for a file that no chart can be written to: by its name, or its folder."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            "a chart is a .png or an .html",
            field="--plot",
            input_data=str(path),
            hint="name a file that ends with one of them: --plot customers.html",
        )
    if not path.parent.is_dir() or path.is_dir():
        raise UsageError(
            "there is no such folder" if not path.is_dir() else "this is a folder",
            field="--plot",
            input_data=str(path),
            hint="name a file in a folder that is there",
        )


def write_chart(path: Path, counts: pd.DataFrame) -> None:
    """Write the chart of counts by month (`status_counts`, at least one month), replacing an older one.

    A .png has English words, as no Chinese font can be relied on; an .html has both, and the numbers in a
    table. Raises UsageError for any other suffix and where the file cannot be written.
    """
    refuse_other_formats(path)
    panels = panels_of(counts)
    try:
        with replace_file(path) as part:
            if path.suffix.lower() == ".html":
                part.write_text(chart_page(panels), encoding="utf-8")
            else:
                _write_picture(part, panels)
    except OSError as error:
        raise UsageError(
            "the chart cannot be written", field="--plot", input_data=str(path), hint=error.strerror
        ) from error


def _write_picture(path: Path, panels: tuple[Panel, ...]) -> None:
    # Half a second of imports that only a picture needs.
    figure = import_module("matplotlib.figure").Figure(figsize=_INCHES, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12, wspace=0.04, hspace=0.06)
    axes = figure.subplots(_ROWS, _COLUMNS, sharex=True).ravel()
    for one, panel in zip(axes, panels, strict=True):
        _draw(one, panel)
    title = f"Customers by status, {span_text(panels[0], joined_by=' to ')}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold", color=_TEXT)
    figure.savefig(path, format="png", dpi=_DPI)


def _draw(axes: Any, panel: Panel) -> None:
    """One panel: its line from zero, its newest value beside it, and no frame."""
    months = [month for month, _ in panel.points]
    for piece in panel.pieces:
        axes.plot(*_columns(piece), color=panel.colour, linewidth=2, marker="o", markersize=3)
    newest_month, newest = panel.points[-1]
    axes.plot([newest_month], [float(newest)], color=panel.colour, marker="o", markersize=6)
    axes.annotate(
        shown(newest),
        (newest_month, float(newest)),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=12,
        fontweight="bold",
        color=panel.colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        annotation_clip=False,
    )
    lowest = min(0.0, *(float(value) for _, value in panel.points))
    axes.set_title(panel.english, loc="left", fontsize=11, color=_TEXT)
    axes.set_xlim(months[0] - 0.5, months[-1] + 0.5)
    axes.set_ylim(lowest, panel.top * 1.02)
    axes.set_yticks([0, panel.top / 2, panel.top], _ticks(panel.top), fontsize=9, color="#666666")
    ticks = _marked_months(months)
    axes.set_xticks(ticks, [_tick_text(month, months) for month in ticks], fontsize=9, color="#666666")
    axes.tick_params(length=0, labelbottom=True)
    axes.grid(axis="y", color=_PALE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_PALE)


def _columns(piece: tuple[tuple[int, Any], ...]) -> tuple[list[int], list[float]]:
    return [month for month, _ in piece], [float(value) for _, value in piece]


def _ticks(top: float) -> list[str]:
    return [f"{tick:,.10g}" for tick in (0, top / 2, top)]


def _marked_months(months: list[int]) -> list[int]:
    """The Januaries; in a stretch of a year or less the first month and the last one."""
    if months[-1] - months[0] < _MONTHS_A_YEAR:
        return sorted({months[0], months[-1]})
    return [month for month in range(months[0], months[-1] + 1) if month % _MONTHS_A_YEAR == 0]


def _tick_text(month: int, months: list[int]) -> str:
    is_short = months[-1] - months[0] < _MONTHS_A_YEAR
    return month_text(month) if is_short else f"Jan {month_of(month):%Y}"
