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


def crossover_section(folder, out):
    """Break-evens of benchmarks/choose/crossover.cpp: measured and predicted, as text and a plot. [] without data."""
    path = folder / "crossover.csv"
    if not path.exists():
        return []
    series = collections.defaultdict(lambda: ([], []))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            measured, predicted = series[row["type"], int(row["rows"]), int(row["cols"]), int(row["columns"])]
            measured.append((float(row["zeros"]), float(row["measured"])))
            predicted.append((float(row["zeros"]), float(row["predicted"])))
    facts = json.loads((folder / "choose-machine.json").read_text())
    counts = sorted({key[3] for key in series})
    kinds = sorted({key[:3] for key in series})
    text = ["## Where sparse begins to pay", "",
            "Scattered zeros; the share of them from which the fastest sparse form beats sparsekit's packed dense "
            "code, **measured / predicted** by the cost model of `choose`. " + facts["machine"], "",
            "| columns of X | " + " | ".join(f"{t} {m} x {k}" for t, m, k in kinds) + " |",
            "|---" * (len(kinds) + 1) + "|"]
    for n in counts:
        cells = [" / ".join(break_even(p) for p in series[kind + (n,)]) for kind in kinds]
        text.append(f"| {n} | " + " | ".join(cells) + " |")
    width, height, left, right, top, bottom = 640, 360, 56, 190, 36, 44
    number = lambda points: _number(break_even(points))
    at = lambda i, share: (left + i * (width - left - right) / max(len(counts) - 1, 1),
                           height - bottom - share / 100 * (height - top - bottom))
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>'
           f'<text x="{left}" y="20" font-size="14">Zeros from which sparse pays (dashed: predicted)</text>']
    for share in range(0, 101, 20):
        y = at(0, share)[1]
        svg.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{share} %</text>')
    for i, n in enumerate(counts):
        svg.append(f'<text x="{at(i, 0)[0]:.1f}" y="{height - 22}" text-anchor="middle">{n}</text>')
    svg.append(f'<text x="{left}" y="{height - 6}">columns of X</text>')
    for place, (kind, colour) in enumerate(zip(kinds, COLOURS)):
        for which, dash in ((0, ""), (1, ' stroke-dasharray="5 4"')):
            line = [at(i, number(series[kind + (n,)][which])) for i, n in enumerate(counts)]
            svg.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} '
                       f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}"/>')
        svg.append(f'<text x="{width - right + 8}" y="{top + 16 * (place + 1)}" fill="{colour}">'
                   f'{kind[0]} {kind[1]} x {kind[2]}</text>')
    (out.parent / "crossover.svg").write_text("\n".join(svg) + "\n</svg>\n")
    return text + ["", "![Break-even against columns of X](crossover.svg)", ""]


def _number(share):
    return float(share.split()[-2])


def choose_section(folder):
    """How often choose() is right, from the CSV of benchmarks/choose/main.cpp. [] without data."""
    text, losing = [], []
    for path in sorted(folder.glob("choose-*.csv")):
        groups = collections.defaultdict(list)
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                ratio = float(row["ratio"])
                fastest = float(row[row["fastest"] + " us"])
                if fastest < 2:
                    continue
                groups[row["group"]].append(ratio)
                groups["all"].append(ratio)
                if ratio > 1.15:
                    losing.append((ratio, f"{path.stem}: {row['matrix']}, {row['columns']} columns: {row['chosen']} "
                                          f"taken, {row['fastest']} is {ratio:.2f}x faster"))
        for name, ratios in groups.items():
            share = lambda limit: f"{100 * sum(r <= limit for r in ratios) / len(ratios):.1f} %"
            text.append(f"| {path.stem} | {name} | {len(ratios)} | {share(1.05)} | {share(1.15)} | {max(ratios):.2f}x |")
    if not text:
        return []
    facts = json.loads((folder / "choose-machine.json").read_text())
    head = ["## How often choose() is right", "",
            "By its model, without timing: cases of at least 2 us in which what it takes is within 5 % (15 %) of the "
            "fastest candidate, dense included, timed in turn. " + facts["machine"] + " " + facts["conditions"], "",
            "| data | group | cases | within 5 % | within 15 % | worst |", "|---|---|---|---|---|---|"]
    tail = ["", "Cases more than 15 % off, the worst first:", ""]
    tail += [f"- {line}" for _, line in sorted(losing, reverse=True)[:40]] or ["- none"]
    if len(losing) > 40:
        tail += ["", f"and {len(losing) - 40} more, in docs/data."]
    return head + text + tail + [""]


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
    text += crossover_section(args.data, args.out) + choose_section(args.data)
    text += ["## Reproduce", "", machine["reproduce"], ""]
    args.out.write_text("\n".join(text))


if __name__ == "__main__":
    main()
