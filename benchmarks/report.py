"""Write a run as JSON and as a Markdown table, and print the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that suits it."""
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison(rows: list[dict[str, Any]]) -> str:
    """Return the table of problems x libraries."""
    body = []
    for row in rows:
        ratio = f"{row['times_ours']:.3g}" if row["times_ours"] else ""
        criterion = "" if row["criterion"] is None else f"{row['criterion']:.5f}"
        body.append(
            [
                row["problem"],
                row["library"],
                duration(row["median_seconds"]),
                duration(row["best_seconds"]),
                str(row["repetitions"]),
                ratio,
                criterion,
                row["verdict"].replace("|", "\\|"),
            ]
        )
    header = ["problem", "library", "median", "best", "runs", "median / ours", "criterion", "verdict"]
    titles = dict.fromkeys(f"- `{row['problem']}`: {row['title']}" for row in rows)
    return markdown(header, body) + "\n\n" + "\n".join(titles)


def about(run: dict[str, Any]) -> str:
    """Return the machine and the versions in words."""
    machine = run["machine"]
    versions = "; ".join(f"{name} {' '.join(map(str, found.values()))}" for name, found in run["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"commit {machine['commit']}, {machine['date']}, load {machine['load_average']:.1f} at the end."
        + (f"\n\nVersions: {versions}." if versions else "")
    )


def write(name: str, run: dict[str, Any], table: str | None = None) -> None:
    """Write results/NAME.json and results/NAME.md."""
    text = f"{table or comparison(run['rows'])}\n\n{about(run)}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(run, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
