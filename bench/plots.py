"""Plots of the reports in a folder: how figures grow with size, and sides beside one another.

    python -m bench.plots [bench/results]

`<bench>-growth.svg` has, for each unit, the medians of all figures that carry a size, on two logarithmic axes;
`<bench>-sides.svg` the figures that several sides have in seconds, as bars with their spread.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.report import RESULTS

LINES_A_PANEL = 12
PLOTTED = ("s", "ms", "MB", "MiB", "GiB", "bytes", "recall")
STYLES = ("o-", "s--", "^-.", "d:")


def plot_report(file: Path) -> list[Path]:
    """Writes the plots of one report; none where it has no figures of that kind."""
    content = json.loads(file.read_text())
    return [*_growth(content, file.parent), *_sides(content, file.parent)]


def _growth(content: Mapping[str, Any], folder: Path) -> list[Path]:
    lines: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for figure in content["figures"]:
        if figure["size"] is not None and figure["median"] > 0 and figure["unit"] in PLOTTED:
            name = f"{figure['what']} ({figure['side']})"
            lines[figure["unit"]][name].append((figure["size"], figure["median"]))
    panels = {
        unit: {name: sorted(points) for name, points in found.items() if len(points) > 1}
        for unit, found in lines.items()
    }
    panels = {unit: dict(list(found.items())[:LINES_A_PANEL]) for unit, found in panels.items() if found}
    if not panels:
        return []
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(6.5 * len(panels), 5), squeeze=False, layout="constrained")
    for axis, (unit, found) in zip(axes[0], panels.items(), strict=True):
        for number, (name, points) in enumerate(found.items()):
            axis.loglog(*zip(*points, strict=True), STYLES[number % len(STYLES)], label=name)
        low, high = axis.get_ylim()
        axis.set(xlabel="size", ylabel=unit, ylim=(low / 2, high * 2))  # a spread of 2 % is not a slope
        axis.grid(True, which="both", alpha=0.3)
        axis.legend(fontsize="x-small")
    return [_save(figure, folder / f"{content['bench']}-growth.svg", content)]


def _sides(content: Mapping[str, Any], folder: Path) -> list[Path]:
    by_what: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for figure in content["figures"]:
        if figure["size"] is None and figure["unit"] == "s":
            by_what[figure["what"]].append(figure)
    shared = {what: figures for what, figures in by_what.items() if len(figures) > 1}
    if not shared:
        return []
    from matplotlib import pyplot

    labels, colours, medians, low, high = [], [], [], [], []
    sides = list(dict.fromkeys(one["side"] for figures in shared.values() for one in figures))
    for what, figures in shared.items():
        for one in figures:
            labels.append(f"{what} | {one['side']}")
            colours.append(f"C{sides.index(one['side'])}")
            medians.append(one["median"])
            low.append(one["median"] - one["min"])
            high.append(one["max"] - one["median"])
    figure, axis = pyplot.subplots(figsize=(10, 0.3 * len(labels) + 1), layout="constrained")
    axis.barh(labels, medians, xerr=(low, high), height=0.7, color=colours)
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="seconds (median; whiskers: min to max)")
    return [_save(figure, folder / f"{content['bench']}-sides.svg", content)]


def _save(figure: Any, file: Path, content: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot

    machine = content["machine"]
    figure.suptitle(f"{content['bench']}: {machine['cores']} cores, load {machine['load_before']:.1f} at the start")
    figure.savefig(file)
    pyplot.close(figure)
    return file


def main() -> None:
    """Plots every report of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS)
    for file in sorted(parser.parse_args().folder.glob("*.json")):
        for plot in plot_report(file):
            print(plot)


if __name__ == "__main__":
    main()
