#!/usr/bin/env python3
"""Writes docs/performance.md and its plots from the peer harness's raw measurements in docs/data/*.csv.

usage: performance_report.py [--data DIR] [--out FILE]

Every figure is a geometric mean, over the shapes measured, of (seconds of the fastest dense code of any
library and layout) / (seconds of the peer), both taken in one process, interleaved, each the minimum of many
rounds. `hot` repeats one matrix; `rotated` uses eight in turn. docs/data/machine.json tells where and how.
"""
import argparse
import collections
import csv
import json
import math
import pathlib

OWN = "sparsekit-"
DENSE = ("gemm", "gemv")
COLOURS = ["#1b6ca8", "#c8553d", "#588157", "#6d597a", "#b08900", "#444444", "#2a9d8f", "#9d4edd"]


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def read(folder):
    """{(rotated, n, zeros): {peer: [speed-up, one a shape]}} and {peer: is dense}."""
    cases = collections.defaultdict(list)
    for path in sorted(folder.glob("spmm*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                key = (int(row["rotate"]) > 1, int(row["N"]), round(float(row["sparsity"]), 2), row["M"], row["K"])
                cases[key].append(row)
    table = collections.defaultdict(lambda: collections.defaultdict(list))
    dense_names = set()
    for (rotated, n, zeros, _, _), rows in cases.items():
        dense = min((float(r["seconds_min"]) for r in rows if r["op"] in DENSE), default=None)
        if dense is None:
            continue
        for row in rows:
            if row["op"] in DENSE:
                dense_names.add(row["peer"])
            table[rotated, n, zeros][row["peer"]].append(dense / float(row["seconds_min"]))
    return table, dense_names


def summarise(cell, dense_names):
    """(our best speed-up and its name, best other sparse library's, its name) of one cell."""
    means = {peer: geometric_mean(v) for peer, v in cell.items()}
    ours = {p: v for p, v in means.items() if p.startswith(OWN) and p not in dense_names}
    others = {p: v for p, v in means.items() if not p.startswith(OWN) and p not in dense_names}
    mine = max(ours, key=ours.get)
    rival = max(others, key=others.get) if others else None
    return ours[mine], mine, others.get(rival, math.nan), rival


def break_even(points):
    """Zeros at which the speed-up crosses 1, linear between measured points in log speed-up."""
    points = sorted(points)
    if points[0][1] >= 1:
        return f"below {100 * points[0][0]:.0f} %"
    for (z0, s0), (z1, s1) in zip(points, points[1:]):
        if s0 < 1 <= s1:
            t = -math.log(s0) / (math.log(s1) - math.log(s0))
            return f"{100 * (z0 + t * (z1 - z0)):.0f} %"
    return f"above {100 * points[-1][0]:.0f} %"


def plot(path, title, series):
    """A line chart, zeros against speed-up on a logarithmic axis. series: {name: [(zeros, speed-up)]}."""
    width, height, left, right, top, bottom = 640, 400, 56, 190, 36, 44
    xs = sorted({z for points in series.values() for z, _ in points})
    values = [s for points in series.values() for _, s in points]
    low, high = math.log(min(min(values), 0.5)), math.log(max(values) * 1.1)

    def at(i, s):
        x = left + i * (width - left - right) / max(len(xs) - 1, 1)
        return x, height - bottom - (math.log(s) - low) / (high - low) * (height - top - bottom)

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>'
           f'<text x="{left}" y="20" font-size="14">{title}</text>']
    for s in (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32):
        if low <= math.log(s) <= high:
            y = at(0, s)[1]
            svg.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" '
                       f'stroke="{"#000" if s == 1 else "#ddd"}"/>'
                       f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{s:g}x</text>')
    for i, z in enumerate(xs):
        svg.append(f'<text x="{at(i, 1)[0]:.1f}" y="{height - 22}" text-anchor="middle">{100 * z:.0f} %</text>')
    svg.append(f'<text x="{left}" y="{height - 6}">zeros; 1x is the fastest dense code</text>')
    labels = []
    for (name, points), colour in zip(series.items(), COLOURS):
        line = [at(xs.index(z), s) for z, s in sorted(points)]
        svg.append(f'<polyline fill="none" stroke="{colour}" stroke-width="{3 if name.startswith(OWN) else 1.5}" '
                   f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}"/>')
        labels.append((line[-1][1], name, colour))
    last = 0
    for y, name, colour in sorted(labels):
        last = max(y + 4, last + 14)
        svg.append(f'<text x="{width - right + 8}" y="{last:.1f}" fill="{colour}">{name}</text>')
    path.write_text("\n".join(svg) + "\n</svg>\n")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=root / "docs" / "data")
    parser.add_argument("--out", type=pathlib.Path, default=root / "docs" / "performance.md")
    args = parser.parse_args()
    table, dense_names = read(args.data)
    if not table:
        raise SystemExit(f"performance_report.py: no spmm*.csv in {args.data}")
    machine = json.loads((args.data / "machine.json").read_text())
    counts = sorted({n for _, n, _ in table})
    zeros = sorted({z for _, _, z in table})

    text = ["# Performance", "", "<!-- Written by tools/performance_report.py from docs/data: do not edit. -->", ""]
    text += ["Speed-up of f32 sparse times dense over **the fastest dense code of any library and either layout**, "
             "one thread, uniformly random zeros, geometric mean over the shapes "
             + ", ".join(machine["shapes"]) + ". Re-laying X out is inside the timed call.", ""]
    text += ["| | |", "|---|---|"] + [f"| {k} | {v} |" for k, v in machine["facts"].items()] + [""]
    text += ["Read the ratios, not the times: the machine is shared. Dense includes sparsekit's own.", "",
             "## Over the fastest dense code", "",
             "First figure hot, second with eight matrices in turn. **Bold** cells lose to dense.", ""]
    text += ["| columns | " + " | ".join(f"{100 * z:.0f} % zeros" for z in zeros) + " | break-even (hot) |",
             "|---" * (len(zeros) + 2) + "|"]
    losing = []
    for n in counts:
        cells = []
        for z in zeros:
            hot, cold = table.get((False, n, z)), table.get((True, n, z))
            if not hot or not cold:
                cells.append("")
                continue
            h, c = summarise(hot, dense_names), summarise(cold, dense_names)
            word = f"{h[0]:.2f} / {c[0]:.2f}"
            cells.append(f"**{word}**" if min(h[0], c[0]) < 1 else word)
            for kind, s in (("hot", h), ("rotated", c)):
                if s[0] < 1:
                    losing.append(f"N = {n}, {100 * z:.0f} %, {kind}: dense is {1 / s[0]:.2f}x faster")
                if s[3] and s[2] > s[0]:
                    losing.append(f"N = {n}, {100 * z:.0f} %, {kind}: {s[3]} is {s[2] / s[0]:.2f}x faster")
        points = [(z, summarise(table[False, n, z], dense_names)[0]) for z in zeros if (False, n, z) in table]
        text.append(f"| {n} | " + " | ".join(cells) + f" | {break_even(points)} |")
    text += ["", "## Over the fastest other sparse code", "",
             "The harness's own `naive-*` loops (what an hour of intrinsics reaches) count as such. hot / rotated.", "",
             "| columns | " + " | ".join(f"{100 * z:.0f} % zeros" for z in zeros) + " |",
             "|---" * (len(zeros) + 1) + "|"]
    for n in counts:
        cells = []
        for z in zeros:
            pair = [summarise(table[r, n, z], dense_names) for r in (False, True) if (r, n, z) in table]
            cells.append(" / ".join(f"{s[0] / s[2]:.2f}" for s in pair) + (f" ({pair[0][3]})" if pair else ""))
        text.append(f"| {n} | " + " | ".join(cells) + " |")
    text += ["", "## Cells where sparsekit loses", ""]
    text += [f"- {line}" for line in losing] or ["None of those measured."]
    text += ["", "## Dense: sparsekit's own against the libraries", "",
             "Time of the fastest dense library over that of sparsekit's faster dense layout, hot: above 1 "
             "sparsekit is ahead. (The sparsity does not matter to dense code; the mean is over all cells of N.)", "",
             "| columns | ratio | fastest library |", "|---|---|---|"]
    for n in counts:
        ratios, names = [], collections.Counter()
        for z in zeros:
            cell = table.get((False, n, z), {})
            own = [v for p, v in cell.items() if p in dense_names and p.startswith(OWN)]
            rest = {p: v for p, v in cell.items() if p in dense_names and not p.startswith(OWN)}
            if not own or not rest:
                continue
            for i in range(min(len(v) for v in list(rest.values()) + own)):
                best = max(rest, key=lambda p: rest[p][i])
                names[best] += 1
                ratios.append(max(v[i] for v in own) / rest[best][i])
        if ratios:
            text.append(f"| {n} | {geometric_mean(ratios):.2f} | {names.most_common(1)[0][0]} |")
    text += ["", "## Every peer", ""]
    for n in counts:
        name = f"spmm-n{n}.svg"
        series = collections.defaultdict(list)
        for z in zeros:
            cell = table.get((False, n, z), {})
            for peer, values in cell.items():
                if peer not in dense_names and not peer.endswith("-xt"):
                    series[peer].append((z, geometric_mean(values)))
        best = sorted(series, key=lambda p: (not p.startswith(OWN), -max(s for _, s in series[p])))[:8]
        plot(args.out.parent / name, f"N = {n}, hot", {p: series[p] for p in best})
        text += [f"![Speed-up against zeros, N = {n}]({name})", ""]
    text += ["## Reproduce", "", machine["reproduce"], ""]
    args.out.write_text("\n".join(text))


if __name__ == "__main__":
    main()
