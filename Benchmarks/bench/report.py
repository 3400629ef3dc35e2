"""Prints the table of a run and writes its results file."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from .figure import Figure

_HEADINGS = ("figure", "unit", "raw limit", "", "jobqueue", "ratio", "target", "")

# Narrower than the table, so that terminals do not wrap it.
_REMARK_WIDTH = 100


def table(sections: dict[str, list[Figure]]) -> str:
    """One line per figure, with its details below."""
    rows = [_HEADINGS] + [_row(figure) for figures in sections.values() for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_aligned(_HEADINGS, widths), "-" * (sum(widths) + 2 * len(widths))]
    for section, figures in sections.items():
        lines.append(section)
        for figure in figures:
            lines.append(_aligned(_row(figure), widths))
            lines += [f"      {line}" for line in _remarks(figure)]
    return "\n".join(lines)


def write(path: Path, run: dict[str, object], sections: dict[str, list[Figure]], warnings: list[str]) -> None:
    results = run | {
        "figures": [_entry(section, figure) for section, figures in sections.items() for figure in figures],
        "warnings": warnings,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        f"  {figure.name}",
        figure.unit,
        "" if figure.raw is None else _rounded(figure.raw),
        figure.raw_name,
        _rounded(figure.value),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        "" if figure.target is None else str(figure.target),
        {None: "", True: "met", False: "MISSED"}[figure.is_met],
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Aligns numbers right and text left."""
    cells = [
        cell.rjust(width) if column in (2, 4, 5) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _remarks(figure: Figure) -> Iterable[str]:
    if figure.details:
        text = ", ".join(f"{name.replace('_', ' ')} {_rounded(value)}" for name, value in figure.details.items())
        yield from textwrap.wrap(text, _REMARK_WIDTH)
    if figure.note:
        yield figure.note


def _entry(section: str, figure: Figure) -> dict[str, object]:
    entry: dict[str, object] = {
        "section": section,
        "name": figure.name,
        "unit": figure.unit,
        "ours": _short(figure.value),
        "rounds": [_short(value) for value in figure.rounds],
    }
    if figure.raw is not None and figure.ratio is not None:
        entry["raw_limit"] = figure.raw_name
        entry["raw"] = _short(figure.raw)
        entry["raw_rounds"] = [_short(value) for value in figure.raw_rounds]
        entry["ratio"] = _short(figure.ratio)
    if figure.target is not None:
        entry["target"] = str(figure.target)
        entry["met"] = figure.is_met
    if figure.details:
        entry["details"] = {name: _short(value) for name, value in figure.details.items()}
    if figure.note:
        entry["note"] = figure.note
    return entry


def _rounded(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _short(value: float) -> float:
    """Rounds to four significant digits, the most that is reproducible."""
    shortened = float(f"{value:.4g}")
    return int(shortened) if shortened.is_integer() else shortened
