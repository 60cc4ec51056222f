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


def read(paths):
    """{(rotated, n, zeros): {peer: [speed-up, one a shape]}} and {peer: is dense}."""
    cases = collections.defaultdict(list)
    for path in sorted(paths):
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


def share_text(hits, count):
    """A share with its 95 % confidence interval, Wilson's, which holds near 0 and 1 as well."""
    z = 1.96
    centre = (hits + z * z / 2) / (count + z * z)
    half = z * math.sqrt(hits * (count - hits) / count + z * z / 4) / (count + z * z)
    return f"{100 * hits / count:.1f} % ({100 * max(centre - half, 0):.0f} to {100 * min(centre + half, 1):.0f})"


def median_interval(values):
    """The median of paired rounds, and its 95 % confidence interval by the sign test."""
    values = sorted(values)
    rank = max(0, math.floor((len(values) - 1.96 * math.sqrt(len(values))) / 2))
    return values[len(values) // 2], values[rank], values[-1 - rank]


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


def crossover_section(folder, out, prefix=""):
    """Break-evens of benchmarks/choose/crossover.hpp: measured and predicted, as text and a plot. [] without data."""
    path = folder / f"{prefix}crossover.csv"
    if not path.exists():
        return []
    series = collections.defaultdict(lambda: ([], []))
    bounds = collections.defaultdict(lambda: ([], []))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = row["type"], int(row["rows"]), int(row["cols"]), int(row["columns"])
            for points, name in zip(series[key], ("measured", "predicted")):
                points.append((float(row["zeros"]), float(row[name])))
            if "measured_low" in row:  # the faster sparse is, the earlier it pays
                for points, name in zip(bounds[key], ("measured_high", "measured_low")):
                    points.append((float(row["zeros"]), float(row[name])))
    facts = json.loads((folder / f"{prefix}choose-machine.json").read_text())
    counts = sorted({key[3] for key in series})
    kinds = sorted({key[:3] for key in series})
    text = ["## Where sparse begins to pay" + facts.get("where", ""), "",
            "Scattered zeros; the share of them from which the fastest sparse form beats sparsekit's packed dense "
            "code, **measured / predicted** by the cost model of `choose`; \"below 0 %\": even full weights are faster as "
            "quads or a bitmask" + ("; in parentheses the 95 % confidence interval" if bounds else "") + ". " + facts["machine"] + " " + facts["conditions"] + " By `sparsekit_choose_benchmark --crossover FILE.csv`.", "",
            "| columns of X | " + " | ".join(f"{t} {m} x {k}" for t, m, k in kinds) + " |",
            "|---" * (len(kinds) + 1) + "|"]
    for n in counts:
        cells = []
        for key in (kind + (n,) for kind in kinds):
            if key not in series:
                cells.append("")
                continue
            measured, predicted = (break_even(p) for p in series[key])
            if key in bounds:
                measured += " (" + " to ".join(break_even(p).removesuffix(" %") for p in bounds[key]) + ")"
            cells.append(f"{measured} / {predicted}")
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
    if len(kinds) > len(COLOURS):  # the table has the smaller shapes, too
        kinds = [max((k for k in kinds if k[0] == t), key=lambda k: k[1] * k[2]) for t in dict.fromkeys(k[0] for k in kinds)]
    for place, (kind, colour) in enumerate(zip(kinds, COLOURS)):
        for which, dash in ((0, ""), (1, ' stroke-dasharray="5 4"')):
            line = [at(i, number(series[kind + (n,)][which])) for i, n in enumerate(counts) if kind + (n,) in series]
            svg.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} '
                       f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}"/>')
        svg.append(f'<text x="{width - right + 8}" y="{top + 16 * (place + 1)}" fill="{colour}">'
                   f'{kind[0]} {kind[1]} x {kind[2]}</text>')
    (out.parent / f"{prefix}crossover.svg").write_text("\n".join(svg) + "\n</svg>\n")
    return text + ["", f"![Break-even against columns of X]({prefix}crossover.svg)", ""]


def _number(share):
    return float(share.split()[-2])


def repeated_choices(folder):
    """How well the fastest forms of one run serve in another run of the same program: no model can do better. From
    again-choose-*.csv, a part of the cases of choose-*.csv timed a second time."""
    text = []
    for path in sorted(folder.glob("again-choose-*.csv")):
        runs = []
        for file_path in (path, folder / path.name.removeprefix("again-")):
            cases = collections.defaultdict(list)
            with open(file_path, newline="") as file:
                for row in csv.DictReader(file):
                    us = {name[:-3]: float(t) for name, t in row.items() if name.endswith(" us") and t}
                    cases[row["matrix"], row["zeros"], row["columns"]].append(us)
            runs.append(cases)
        for taken, judged in (runs, runs[::-1]):
            ratios = []
            for key in taken.keys() & judged.keys():
                for mine, theirs in zip(taken[key], judged[key]):
                    if min(theirs.values()) >= 2:
                        ratios.append(theirs[min(mine, key=mine.get)] / min(theirs.values()))
            text.append(f"{100 * sum(r <= 1.05 for r in ratios) / len(ratios):.1f} % (within 15 %: "
                        f"{100 * sum(r <= 1.15 for r in ratios) / len(ratios):.1f} %)")
    if not text:
        return []
    return ["", "What this machine lets one tell: a part of these cases was timed twice by the same program. Whoever takes "
            "the forms that were fastest in one of the runs is within 5 % of the fastest in the other in "
            + " and ".join(text) + " of cases; a model cannot be told to be better than that here."]


def choose_section(folder, prefix=""):
    """How often choose() is right, from the CSV of benchmarks/choose/main.cpp. [] without data."""
    text, losing, behind, notes = [], [], [], []
    for path in sorted(folder.glob(f"{prefix}choose-*.csv")):
        groups = collections.defaultdict(list)
        cheaper, over_dense = [], []
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                ratio = float(row["ratio"])
                fastest = float(row[row["fastest"] + " us"])
                if fastest < 2:
                    continue
                groups[row["group"]].append(ratio)
                if row["columns"] in ("1", "2", "8", "32", "100", "512"):  # layers of networks have other numbers
                    groups[f"N = {row['columns']}"].append(ratio)
                groups["all"].append(ratio)
                if row.get("decide_us"):
                    cheaper.append(float(row["decide_us"]) < float(row["pack_us"]))
                case = (f"{path.stem.removeprefix(prefix + 'choose-')}: {row['matrix']}, {100 * float(row['zeros']):.0f} % zeros, "
                        f"x {row['columns']}: {row['chosen']}")
                between = lambda name: (f" ({float(row[name + '_low']):.2f} to {float(row[name + '_high']):.2f})"
                                        if name + "_low" in row else "")
                if row["dense us"]:
                    slower = float(row[row["chosen"] + " us"]) / float(row["dense us"])
                    over_dense.append(slower)
                    if slower > 1.05:
                        behind.append((slower, f"{case}, {slower:.2f}x{between('over_dense')} the time of dense"))
                if ratio > 1.05:
                    losing.append((ratio, f"{case}, {ratio:.2f}x{between('ratio')} the time of {row['fastest']}"))
        for name, ratios in sorted(groups.items(), key=lambda g: (g[0].startswith("N = "), len(g[0]), g[0])):
            share = lambda limit: share_text(sum(r <= limit for r in ratios), len(ratios))
            text.append(f"| {path.stem} | {name} | {len(ratios)} | {share(1.05)} | {share(1.15)} | {max(ratios):.2f}x |")
        if cheaper:
            notes.append(f"{path.stem}: deciding takes less than packing what was taken in "
                         f"{100 * sum(cheaper) / len(cheaper):.1f} % of cases; more than 5 % slower than dense: "
                         f"{sum(r > 1.05 for r in over_dense)} cases, at worst {max(over_dense, default=1):.2f}x.")
    if not text:
        return []
    facts = json.loads((folder / f"{prefix}choose-machine.json").read_text())
    head = ["## How often choose() is right" + facts.get("where", ""), "",
            "By its model, without timing: cases of at least 2 us in which what it takes is within 5 % (15 %) of the "
            "fastest candidate, dense included, timed in turn; those more than 5 % off are timed again. Shares have their 95 % "
            "confidence interval in parentheses, as if cases were independent. The aim: 95 % within 5 %, none more than 15 % off. " + (facts["machine"] + " " + facts["conditions"] if prefix else
                                                "Conditions as above."), "",
            "| data | group | cases | within 5 % | within 15 % | worst |", "|---|---|---|---|---|---|"]
    tail = [line for note in notes for line in ("", note)]
    tail += ([] if prefix else repeated_choices(folder))
    # Folded up, since they are many. Intervals are of the median over rounds, the figures before them of the least times.
    for title, cases in (("more than 5 % off the fastest", losing), ("more than 5 % slower than dense", behind)):
        tail += ["", f"<details><summary>The {len(cases)} cases {title}, the worst first</summary>", ""]
        tail += [f"- {line}" for _, line in sorted(cases, reverse=True)] + ["", "</details>"]
    return head + text + tail + [""]


def layers_section(folder, prefix=""):
    """Pruned layers by what choose() takes, from the tables of examples/face_detection. [] without data."""
    text, details = [], []
    for path in sorted(folder.glob(f"{prefix}layers-*.csv")):
        network = path.stem.removeprefix(f"{prefix}layers-")
        rounds = {"chosen us": [], "dense us": [], "dense interleaved us": []}  # of each layer a list
        predicted = measured = 0
        lines = ["| layer | zeros | choose() takes | predicted | measured |", "|---|---|---|---|---|"]
        for row in rows_of(path):
            for name, list_of in rounds.items():
                list_of.append([float(t) for t in row[name].split()])
            chosen, dense = rounds["chosen us"][-1], rounds["dense us"][-1]
            middle, low, high = median_interval([d / c for c, d in zip(chosen, dense)])
            lines.append(f"| {row['layer']}, {row['rows']} x {row['cols']} x {row['pixels']} | {100 * float(row['zeros']):.0f} % | "
                         f"{row['form']} | {float(row['predicted']):.2f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
            predicted += min(dense) / float(row["predicted"])
            measured += min(dense)
        sums = {name: [sum(t) for t in zip(*lists)] for name, lists in rounds.items()}
        # Of each layer the layout that is faster.
        better = [sum(t) for t in zip(*(min(pair, key=min) for pair in zip(rounds["dense us"], rounds["dense interleaved us"])))]
        over = lambda dense: "{:.2f} ({:.2f} to {:.2f})".format(*median_interval([d / c for c, d in zip(sums["chosen us"], dense)]))
        text.append(f"| {network} | {len(lines) - 2} | {min(sums['chosen us']) / 1e3:.2f} ms | {measured / predicted:.2f} | "
                    f"{over(sums['dense us'])} | {over(better)} |")
        details += ["", f"<details><summary>{network}, layer by layer</summary>", ""] + lines + ["", "</details>"]
    if not text:
        return []
    facts = json.loads((folder / f"{prefix}choose-machine.json").read_text())
    return ["## Pruned layers through choose()" + facts.get("where", ""), "",
            facts["machine"] + " " + facts["conditions"], "",
            "Each where it stands in its network, in network order, bias, addition and activation fused: the speed-up over "
            "packed dense weights, the median over rounds with its 95 % confidence interval. Aims over dense weights in their "
            "better layout: 1.7 (face), 2.2 (pose).", "",
            "| network | layers | together | predicted | over dense in the same layout | over dense, each layer in its better layout |",
            "|---|---|---|---|---|---|"] + text + details + [""]


def scoreboard(folder, out, prefix=""):
    """What tools/scoreboard.py measures."""
    return (crossover_section(folder, out, prefix) + choose_section(folder, prefix) + layers_section(folder, prefix))


def networks_section(folder):
    """Pruned networks beside LiteRT, from the CSVs of benchmarks/networks. [] without data."""
    whole_path, layers_path = folder / "networks.csv", folder / "network-layers.csv"
    if not whole_path.exists() or not layers_path.exists():
        return []
    facts = json.loads((folder / "networks-machine.json").read_text())
    with open(whole_path, newline="") as file:
        whole = list(csv.DictReader(file))
    with open(layers_path, newline="") as file:
        layers = list(csv.DictReader(file))
    ms = lambda row, name: 1e3 * float(row[name])
    least = lambda row, kind: min(float(row[f"{kind}-{layout}"]) for layout in ("planar", "interleaved"))
    text = ["## Pruned networks", "", facts["machine"] + " " + facts["conditions"], "",
            "Whole networks, one thread, interleaved in one process, outputs compared with the recorded ones: the engine "
            "of the examples (planar activations) with zeros skipped and with packed dense weights, and LiteRT "
            "(XNNPACK). Aims: 1.3x (face) and 1.6x (pose) over LiteRT.", "",
            "| network | zeros skipped | own dense | LiteRT | over own dense | over LiteRT |", "|---|---|---|---|---|---|"]
    for r in whole:
        s, d, t = (ms(r, c) for c in ("sparse", "dense", "litert"))
        text.append(f"| {r['network']} | {s:.2f} ms | {d:.2f} ms | {t:.2f} ms | {d / s:.2f}x | {t / s:.2f}x |")
    text += ["", "Where the time goes: the pruned 1x1 layers, each timed on the input it has there, and what is left, the "
             "depthwise and other convolutions, resizing, additions and all that moves between layers, which no zeros help.", "",
             "| network | pruned layers, zeros skipped | pruned layers, dense | the rest | rest's share of the sparse run |",
             "|---|---|---|---|---|"]
    for r in whole:
        rest = ms(r, "sparse") - ms(r, "pruned_sparse")
        text.append(f"| {r['network']} | {ms(r, 'pruned_sparse'):.2f} ms | {ms(r, 'pruned_dense'):.2f} ms | {rest:.2f} ms | "
                    f"{100 * rest / ms(r, 'sparse'):.0f} % |")
    text += ["", "All pruned layers together, each alone in its better layout (aims: 1.6x face, 2.0x pose over own dense), and own "
             "dense against LiteRT running the same layer as a model of one operator, the time of an empty model "
             "subtracted (aims: geometric mean 0.95, no layer below 0.9):", "",
             "| network | layers | choose() over own dense | best of pack() and choose() | choose() over LiteRT | "
             "own dense over LiteRT, mean | worst | layers below 0.9 |", "|---|---|---|---|---|---|---|---|"]
    for network in dict.fromkeys(r["network"] for r in layers):
        mine = [r for r in layers if r["network"] == network]
        total = lambda f: sum(f(r) for r in mine)
        dense, litert = total(lambda r: least(r, "dense")), total(lambda r: float(r["litert"]))
        chosen = total(lambda r: least(r, "choose"))
        best = total(lambda r: min(least(r, "choose"), least(r, "pack")))
        against = [float(r["litert"]) / least(r, "dense") for r in mine]
        text.append(f"| {network} | {len(mine)} | {dense / chosen:.2f}x | {dense / best:.2f}x | {litert / chosen:.2f}x | "
                    f"{geometric_mean(against):.2f} | {min(against):.2f} | {sum(a < 0.9 for a in against)} |")
    text += ["", "Each shape (the fastest of equal ones), speed over LiteRT's; **bold**: slower than LiteRT.", "",
             "| rows x columns x pixels | zeros | LiteRT us | dense | pack() | choose() |", "|---|---|---|---|---|---|"]
    shapes = {}
    for r in layers:
        key = int(r["rows"]), int(r["cols"]), int(r["pixels"])
        if key not in shapes or float(r["litert"]) < float(shapes[key]["litert"]):
            shapes[key] = r
    for (m, k, n), r in shapes.items():
        cells = [float(r["litert"]) / least(r, kind) for kind in ("dense", "pack", "choose")]
        text.append(f"| {m} x {k} x {n} | {100 * (1 - int(r['nnz']) / (m * k)):.0f} % | {1e6 * float(r['litert']):.1f} | "
                    + " | ".join(f"{c:.2f}" if c >= 1 else f"**{c:.2f}**" for c in cells) + " |")
    text += ["", "### Kept as panels", "",
             "Where X and Y stay in the panel layout (panels.hpp), as in an engine that keeps its activations so, nothing is "
             "re-laid and nothing is strided. All pruned layers together, against the same weights with planar X and Y:", "",
             "| network | pack(), planar | pack(), panels | gain | dense, planar | dense, panels | gain | over own dense in its "
             "better layout |", "|---|---|---|---|---|---|---|---|"]
    for network in dict.fromkeys(r["network"] for r in layers):
        mine = [r for r in layers if r["network"] == network]
        total = lambda name: 1e3 * sum(float(r[name]) for r in mine)
        cells = []
        for kind in ("pack", "dense"):
            planar, panels = total(f"{kind}-planar"), total(f"{kind}-panels")
            cells += [f"{planar:.2f} ms", f"{panels:.2f} ms", f"{planar / panels:.2f}x"]
        better = 1e3 * sum(least(r, "dense") for r in mine)
        text.append(f"| {network} | " + " | ".join(cells) + f" | {better / total('pack-panels'):.2f}x |")
    return text + ["", facts["reproduce"], ""]


def rows_of(path):
    """The rows of a CSV; none where there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def least_by(rows, key, name):
    """{key(row): {name(row): its least seconds, in whichever layout}}."""
    table = collections.defaultdict(dict)
    for row in rows:
        times = table[key(row)]
        times[name(row)] = min(float(row["seconds"]), times.get(name(row), math.inf))
    return table


def structured_command(mode, csv_name):
    return ["", f"Reproduce: `sparsekit_structured_benchmark {mode} --csv docs/data/{csv_name}` (CONTRIBUTING.md tells how it is "
            "built), then `python3 tools/performance_report.py`.", ""]


def pattern_subsection(folder, aims_of):
    """N:M and blocks over dense of the same type, from the CSV of benchmarks/structured --table. [] without data."""
    name = "avx512-structured.csv"
    rows = rows_of(folder / name)
    if not rows:
        return []
    kind = lambda row: (row["type"], row["x_type"])
    table = least_by(rows, lambda row: (kind(row), int(row["columns"])), lambda row: row["name"])
    counts = sorted({n for _, n in table})
    text = ["### N:M and blocks", "",
            "Time of packed dense weights of the same type over that of the pattern, each in its better layout; the aim in "
            "parentheses, where there is one. **Bold**: behind the aim. One column: 4096 x 4096, weights from memory; more: "
            "512 x 512, weights in cache.", "",
            "| weights (X) | pattern | " + " | ".join(f"N = {n}" for n in counts) + " |", "|---" * (len(counts) + 2) + "|"]
    for types in dict.fromkeys(kind(row) for row in rows):
        label = f"{types[0]} ({types[1]})"
        dense = {n: table[types, n]["dense"] for n in counts if (types, n) in table}
        text.append(f"| {label} | dense | " + " | ".join(f"{1e6 * dense[n]:.0f} us" if n in dense else "" for n in counts) + " |")
        for pattern in dict.fromkeys(row["name"] for row in rows if kind(row) == types and row["name"] != "dense"):
            aims = aims_of.get(f"{types[0]} {pattern}", {})
            cells = []
            for n in counts:
                seconds = table.get((types, n), {}).get(pattern)
                if seconds is None:
                    cells.append("")
                    continue
                ratio, aim = dense[n] / seconds, aims.get(str(n))
                behind = aim is not None and round(ratio, 2) < aim
                cells.append((f"**{ratio:.2f}**" if behind else f"{ratio:.2f}") + (f" ({aim:g})" if aim is not None else ""))
            text.append(f"| {label} | {pattern} | " + " | ".join(cells) + " |")
    return text + structured_command("--table", name)


def hand_subsection(folder):
    """Removed channels, from the CSV of benchmarks/structured --hand. [] without data."""
    name = "avx512-hand-landmark.csv"
    rows = rows_of(folder / name)
    if not rows:
        return []
    table = least_by(rows, lambda row: (row["layer"], int(row["columns"])), lambda row: row["name"])
    layers = {row["layer"]: row for row in rows}
    text = ["### Removed channels", "",
            "Layers of a hand-landmark network (MediaPipe) from which channel pruning removed columns, as `to_structured` finds "
            "them; f32, X generated; each in its better layout. `pack` also skips zeros that are scattered in the columns left.", "",
            "| layer | removed columns, rows | nonzero | columns of X | structured | over dense | over pack |",
            "|---|---|---|---|---|---|---|"]
    for (layer, n), seconds in table.items():
        r, t = layers[layer], seconds["structured"]
        share = int(r["nnz"]) / (int(r["rows"]) * int(r["cols"]))
        text.append(f"| {layer}, {r['rows']} x {r['cols']} | {r['removed_cols']}, {r['removed_rows']} | {100 * share:.0f} % | {n} | "
                    f"{1e6 * t:.1f} us | {seconds['dense'] / t:.2f} | {seconds['pack'] / t:.2f} |")
    return text + ["", "FILE is what `python3 tools/convert_channel_pruned.py weights_csr.npz FILE` makes of "
                   "models/hand_landmark_full_channel_pruned/weights_csr.npz."] + structured_command("--hand FILE", name)


def pose_subsection(folder):
    """A network's layers in int8, from the CSV of benchmarks/structured --pose. [] without data."""
    name = "avx512-pose-int8.csv"
    rows = rows_of(folder / name)
    if not rows:
        return []
    table = least_by(rows, lambda row: row["layer"], lambda row: row["name"])
    fastest = {}  # of each layer and name, the row
    for row in rows:
        key = row["layer"], row["name"]
        if key not in fastest or float(row["seconds"]) < float(fastest[key]["seconds"]):
            fastest[key] = row
    text = ["### A pruned network's layers in int8", "",
            "1x1 layers of the pose network, 75 % zeros without structure, with the X that a photograph gives them. Weights are "
            "s8 with a scale for each output channel (max/127), X is u8 with one scale and zero point (its least and largest "
            "number); sums are dequantised, biased and limited to f32 in the kernel's last store. X is quantised beforehand, not "
            "timed. The error is that of Y: the norm of the difference over Y's, and the largest difference over Y's range.", "",
            "| layer | f32 dense | f32 `pack` | s8 dense | s8 `choose` | fastest sparse s8 | choose over f32 pack | over s8 dense | "
            "error of the norm | at most, of the range |", "|---" * 10 + "|"]
    kinds = ("f32 dense", "f32 pack", "s8 dense", "s8 choose", "s8 sparse")
    for layer, seconds in table.items():
        r = fastest[layer, "s8 choose"]
        cells = [f"{1e6 * seconds[k]:.1f} us" if k in seconds else "" for k in kinds]
        cells[3] += f" ({r['form']})"
        if "s8 sparse" in seconds:
            cells[4] += f" ({fastest[layer, 's8 sparse']['form']})"
        text.append(f"| {layer}, {r['rows']} x {r['cols']} x {r['columns']} | " + " | ".join(cells)
                    + f" | {seconds['f32 pack'] / seconds['s8 choose']:.2f} | {seconds['s8 dense'] / seconds['s8 choose']:.2f} | "
                    f"{100 * float(r['error_of_norm']):.2f} % | {100 * float(r['error_of_range']):.2f} % |")
    total = {k: sum(seconds.get(k, math.nan) for seconds in table.values()) for k in kinds}
    over = lambda k: geometric_mean([seconds[k] / seconds["s8 choose"] for seconds in table.values()])
    text.append("| **together** | " + " | ".join("" if math.isnan(total[k]) else f"{1e6 * total[k]:.0f} us" for k in kinds)
                + f" | {total['f32 pack'] / total['s8 choose']:.2f} (geometric mean {over('f32 pack'):.2f}) | "
                f"{total['s8 dense'] / total['s8 choose']:.2f} ({over('s8 dense'):.2f}) | | |")
    return text + structured_command("--pose ../shared/data/models/pose_detection/layers", name)


def structured_section(folder):
    """What benchmarks/structured measures. [] without any of its CSVs."""
    path = folder / "avx512-structured-machine.json"
    if not path.exists():
        return []
    facts = json.loads(path.read_text())
    text = pattern_subsection(folder, facts["aims"]) + hand_subsection(folder) + pose_subsection(folder)
    head = ["## Structured zeros, and int8 (AVX-512)", "", facts["machine"] + " " + facts["conditions"], ""]
    return head + text if text else []


def recommendation_section(root):
    """Which pattern to train for: the table of docs/structured.md, so that there is one."""
    lines = (root / "docs" / "structured.md").read_text().splitlines()
    first = lines.index("## Which pattern to train for") + 2
    table = lines[first:lines.index("", first)]
    return ["## Which pattern to train", "",
            "The table of [structured.md](structured.md), where its figures and those of AVX2 are:", ""] + table + [""]


def gemv_section(folder):
    """One to three columns of X and zeros of x, from the CSV of benchmarks/gemv. [] without data."""
    path = folder / "avx512-gemv.csv"
    if not path.exists():
        return []
    facts = json.loads((folder / "avx512-structured-machine.json").read_text())
    tables = collections.defaultdict(lambda: collections.defaultdict(dict))  # what: case: zeros: (over dense, GB/s)
    read_speed = ""
    with open(path, newline="") as file:
        for r in csv.DictReader(file):
            if r["zeros_in"] == "read":
                read_speed = r["gb_s"]
            elif r["name"] != "dense":
                case = f"{r['type']}, {r['rows']} x {r['cols']} by {r['columns']}, {r['from']}"
                tables[r["zeros_in"]][case][float(r["zeros"])] = float(r["over_dense"]), float(r["gb_s"])
    text = ["## One to three columns, and zeros of x (AVX-512)", "",
            facts["machine"] + " One thread, in turn in one process, the least of 30 rounds; weights from memory are flushed "
            f"from all caches before each. A plain sum reads {read_speed} GB/s from memory there. Speed-up over packed dense "
            "weights of the same type; in brackets the GB/s of the sparse weights. bf16 and f16 with x of f32, s8 with u8. By "
            "`sparsekit_gemv_benchmark --rounds 10`.", ""]
    titles = {"weights": "Zeros in the weights (`pack`)", "x": "Zeros of x (`active_set`, finding them included)"}
    for what, cases in tables.items():
        zeros = sorted({z for values in cases.values() for z in values})
        text += ["| " + titles[what] + " | " + " | ".join(f"{100 * z:.0f} %" for z in zeros) + " |",
                 "|---" * (len(zeros) + 1) + "|"]
        for case, values in cases.items():
            text.append(f"| {case} | " + " | ".join(f"{values[z][0]:.2f} ({values[z][1]:.0f})" for z in zeros) + " |")
        text.append("")
    return text


def packing_section(folder):
    """What packing quads costs, from benchmarks/kernels/packing.cpp. [] without data."""
    path = folder / "packing.csv"
    if not path.exists():
        return []
    text = ["## What packing costs", "",
            "Balanced row quads, f32, 2048 x 512, on the machine of the section before: packing in multiplies with 64 columns "
            "(bar: 15), on one thread and on two; memory (bar: 6.2 bytes a nonzero); and what noticing Inf and NaN while X is "
            "re-laid, which promise 1 needs, costs of such a multiply (aim: below 3 %).", "",
            "| zeros | packing | on two threads | multiply, 64 columns | packing in multiplies | bytes a nonzero | promise 1 |",
            "|---|---|---|---|---|---|---|"]
    with open(path, newline="") as file:
        for r in csv.DictReader(file):
            pack, both, multiply = (float(r[c]) for c in ("pack_us", "pack_two_threads_us", "multiply_us"))
            look = max(0.0, float(r["move_and_look_us"]) - float(r["move_us"]))
            text.append(f"| {100 * float(r['zeros']):.0f} % | {pack / 1e3:.2f} ms | {both / 1e3:.2f} ms | {multiply:.0f} us | "
                        f"{pack / multiply:.1f} | {float(r['bytes_per_nonzero']):.2f} | {100 * look / multiply:.1f} % |")
    return text + [""]


NEON_SECTION = [
    "## NEON: instructions a nonzero", "",
    "There is no AArch64 clock here, so this counts instructions in the disassembly (g++ 12 -O2) of the hot loops of "
    "`spmm_packed_quads` for f32, one quad by 16 columns: 16 sums in registers, loads of X in pairs, and multiply-adds that take "
    "a value by element, so that broadcasts cost nothing.", "",
    "| loop | multiply-adds | instructions | nonzeros | instructions a nonzero |", "|---|---|---|---|---|",
    "| columns of four rows | 16 | 29 | 4 | 7.3 |",
    "| of three rows | 48 | 85 | 12 | 7.1 |",
    "| of two rows | 48 | 95 | 12 | 7.9 |",
    "| singles | 16 | 46 | 4 | 11.5 |", "",
    "XNNPACK's `f32-spmm-16x1-minmax-neonfma`, read from its source (64 bytes of X as two paired loads, one "
    "broadcast load of the weight, one load and addition of the distance to the next row of X, two prefetches, the "
    "loop), executes 13 a nonzero for the same 4 multiply-adds. Its `16x4` kernels, which multiply by element as ours do, come to "
    "25 for 4 (6.3 a nonzero), but only where four neighbouring rows have the same columns. Quads find such sharing in scattered "
    "patterns: at 50 % zeros most nonzeros lie in columns of two to four rows, at 90 % most are singles. XNNPACK reads X where "
    "it lies; quads re-lay it, two instructions for each four elements.", "",
    "These loops spilled sums to the stack until each column of a pattern was fenced off: g++ schedules AArch64 code "
    "before it allocates registers. A test (`compile.tiles_neon`) now looks for such moves.", ""]


def spmv_section(folder, prefix=""):
    """One vector at a time: the harness's f64 and f32 SpMV, two threads, what packing costs. [] without data."""
    sources = sorted(folder.glob(f"{prefix}spmv-f*.csv"))
    if not sources:
        return []
    facts = json.loads((folder / f"{prefix}spmv-machine.json").read_text())
    text = ["## SpMV: one vector at a time" + facts.get("where", ""), "", facts["machine"] + " " + facts["conditions"], "",
            "Time of the fastest peer (" + facts["peers"] + ") over sparsekit's: above 1 sparsekit is ahead. `pack` "
            "is the packed matrix, `csr` the caller's arrays as they are. Packing is validation and pack() together, into "
            "memory never touched before, in products of the fastest peer that reads CSR as it is.", ""]
    losing = []
    for source in sources:
        cases = collections.defaultdict(dict)
        with open(source, newline="") as file:
            for row in csv.DictReader(file):
                if "packing" in row:  # of benchmarks/spmv; else of the harness
                    seconds = float(row["seconds"])
                    row |= {"nnz": row["entries"], "peer": row["name"], "seconds_min": seconds,
                            "setup_seconds": seconds * float(row["packing"] or 0)}
                    if row["peer"] == OWN + "sell":
                        continue
                cases[row["matrix"], int(row["nnz"])][row["peer"]] = row
        kind = source.stem.removeprefix(prefix).removeprefix("spmv-")
        text += [f"| {kind} | entries | pack / fastest peer | csr / fastest peer | of the CSR roofline | packing |",
                 "|---|---|---|---|---|---|"]
        means = [], []
        for (matrix, nnz), rows in cases.items():
            seconds = {peer: float(row["seconds_min"]) for peer, row in rows.items()}
            others = {peer: t for peer, t in seconds.items() if not peer.startswith(OWN)}
            rival = min(others, key=others.get)
            pack = next(peer for peer in seconds if peer.startswith(OWN + "pack"))
            raw = next(peer for peer in seconds if peer.startswith(OWN + "csr"))
            ratios = others[rival] / seconds[pack], others[rival] / seconds[raw]
            for mean, ratio in zip(means, ratios):
                mean.append(ratio)
            plain = min(t for peer, t in others.items() if not peer.endswith(("-opt", "-optimized", "-tuned")))
            name = pathlib.PurePath(matrix).name.split(".")[0].replace(":", "_")
            roofline = f"{float(rows[pack]['fraction_of_read']):.2f}" if "fraction_of_read" in rows[pack] else ""
            text.append(f"| {name} | {nnz} | {ratios[0]:.2f} ({rival}) | {ratios[1]:.2f} | {roofline} | "
                        f"{float(rows[pack]['setup_seconds']) / plain:.0f} |")
            losing += [f"{kind}, {name}: {peer} is {seconds[pack] / t:.2f}x faster than pack"
                       for peer, t in others.items() if t < seconds[pack]]
        text += [f"| **geometric mean** | | **{geometric_mean(means[0]):.2f}** | {geometric_mean(means[1]):.2f} | | |", ""]
    text += ["Behind:", ""] + ([f"- {line}" for line in losing] or ["- nowhere, of these"]) + [""]
    threads = folder / f"{prefix}spmv-threads.csv"
    if threads.exists():
        text += ["Two threads over one (`par(thread_pool)`; the same bits), f64, and what packing costs once its memory has "
                 "been used before, in products by `csr`:", "",
                 "| matrix | csr | pack | packing |", "|---|---|---|---|"]
        with open(threads, newline="") as file:
            for row in csv.DictReader(file):
                t = {key: float(value) for key, value in row.items() if key != "matrix"}
                text.append(f"| {row['matrix'].split('.')[0]} | {t['csr_one_thread'] / t['csr_two_threads']:.2f} | "
                            f"{t['pack_one_thread'] / t['pack_two_threads']:.2f} | "
                            f"{t['pack_setup'] / t['csr_one_thread']:.0f} |")
        text.append("")
    text += [facts["notes"], ""]
    packing = folder / f"{prefix}spmv-packing.csv"
    if packing.exists():
        text += ["Packing f64 since (2026-11-26; validation and pack() together, memory used before, minima of many rounds; "
                 "before and after in different runs), in microseconds and in products by `pack` and by `csr`:", "",
                 "| matrix | before | now | products by pack | by csr |", "|---|---|---|---|---|"]
        with open(packing, newline="") as file:
            text += ["| " + " | ".join(row.values()) + " |" for row in csv.DictReader(file)]
        text += ["", facts["packing_notes"], ""]
    return text + [facts["reproduce"], ""]


def threads_section(folder):
    """What a second thread brings to SpMM and GEMV. [] without data."""
    path = folder / "avx512-threads.csv"
    if not path.exists():
        return []
    facts = json.loads((folder / "avx512-threads-machine.json").read_text())
    cells, hand_overs = collections.defaultdict(dict), []
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if not row["rows"]:
                hand_overs.append(f"a {row['what']} takes {1e6 * float(row['two_threads']):.1f} us")
                continue
            cells[row["type"], int(row["rows"]), int(row["cols"]), int(row["columns"])][float(row["zeros"])] = row
    zeros = sorted({z for cell in cells.values() for z in cell})
    text = ["## Two threads (AVX-512)", "", facts["machine"] + " " + facts["conditions"], "",
            "Speed on two threads over one (`par(thread_pool)`; the same bits), and the microseconds on one: packed dense "
            "weights, and `pack` by zeros. X and Y are row-major. " + "; ".join(hand_overs).capitalize() + ".", "",
            "| type | shape | columns | " + " | ".join(f"{100 * z:.0f} %" if z else "dense" for z in zeros) + " |",
            "|---|---|---|" + "---|" * len(zeros)]
    for (kind, rows, cols, columns), cell in cells.items():
        ratios = (f"{float(cell[z]['one_thread']) / float(cell[z]['two_threads']):.2f} "
                  f"({1e6 * float(cell[z]['one_thread']):.0f})" for z in zeros)
        text.append(f"| {kind} | {rows}x{cols} | {columns} | " + " | ".join(ratios) + " |")
    return text + ["", facts["notes"], "", facts["reproduce"], ""]


BOUNDS = ("peak", "peak-dots", "read")


def beside_libraries(shapes):
    """Of {shape: {name: seconds}}: geometric means of our GFLOP/s and of the fastest library's time over ours, the worst
    shape's ratio and name, and the library there; NaN and None without libraries. `shapes` are (m, k, n)."""
    rates, ratios = [], []
    for (m, k, n), seconds in shapes.items():
        ours = min(t for name, t in seconds.items() if name.startswith("sparsekit"))
        rates.append(2e-9 * m * k * n / ours)
        others = {name: t for name, t in seconds.items() if not name.startswith("sparsekit") and name not in BOUNDS}
        if others:
            rival = min(others, key=others.get)
            ratios.append((others[rival] / ours, f"{m}x{k}", rival))
    if not ratios:
        return geometric_mean(rates), math.nan, (math.nan, "", None)
    return geometric_mean(rates), geometric_mean([r[0] for r in ratios]), min(ratios)


def dense_section(folder):
    """Own dense beside the libraries on AVX2: f32 by the harness, f64 by benchmarks/dense. [] without data."""
    facts_path = folder / "dense-machine.json"
    if not facts_path.exists():
        return []
    facts = json.loads(facts_path.read_text())
    cells = collections.defaultdict(lambda: collections.defaultdict(dict))  # type, N: shape: name: seconds
    for path in sorted(folder.glob("dense-f*.csv")):
        for r in rows_of(path):
            if "peer" in r:
                if r["op"] not in DENSE or int(r["rotate"]) > 1:
                    continue
                r = {"type": "f32", "rows": r["M"], "cols": r["K"], "columns": r["N"], "name": r["peer"],
                     "seconds": r["seconds_min"]}
            n = int(r["columns"])
            cells[r["type"], n][int(r["rows"]), int(r["cols"]), n][r["name"]] = float(r["seconds"])
    text = ["## Dense on AVX2", "", facts["machine"], "", facts["conditions"], "",
            "Time of the fastest library, in its better layout for each shape, over that of sparsekit in its: above 1 sparsekit "
            "is ahead (aims: 0.95, 8 and 16 columns ahead; no shape below 0.9). **Bold**: behind the aim.", "",
            "| type | columns | GFLOP/s, mean | mean | worst shape | fastest library there |", "|---|---|---|---|---|---|"]
    for (kind, n), shapes in sorted(cells.items()):
        rate, mean, worst = beside_libraries(shapes)
        shown = f"{mean:.2f}" if mean >= 0.95 else f"**{mean:.2f}**"
        low = f"{worst[0]:.2f} ({worst[1]})"
        text.append(f"| {kind} | {n} | {rate:.0f} | {shown} | {low if worst[0] >= 0.9 else f'**{low}**'} | {worst[2]} |")
    return text + ["", facts["reproduce"], ""]


def dense_avx512_section(folder):
    """Own dense of any type beside CBLAS libraries and oneDNN, from the CSVs of benchmarks/dense. [] without data."""
    rows = [r for path in sorted(folder.glob("avx512-dense-*.csv")) for r in rows_of(path)]
    if not rows:
        return []
    facts = json.loads((folder / "avx512-structured-machine.json").read_text())
    cells = collections.defaultdict(lambda: collections.defaultdict(dict))  # type, from, N: shape: name: seconds
    bound = collections.defaultdict(dict)  # the same: the least seconds that our product could take
    code = {}
    for r in rows:
        key, shape = (r["type"], r["from"], int(r["columns"])), tuple(int(r[c]) for c in ("rows", "cols", "columns"))
        cells[key][shape][r["name"]] = float(r["seconds"])
        if r["name"] in BOUNDS:
            least = float(r["seconds"]) if r["name"] == "read" else 2e-9 * math.prod(shape) / float(r["gflops"])
            bound[key][shape] = min(least, bound[key].get(shape, math.inf))
        code[key, f"{shape[0]}x{shape[1]}", r["name"]] = f"{r['name']} ({r['kernel']})" if r["kernel"] else r["name"]
    text = ["## Dense in each type (AVX-512)", "",
            facts["machine"] + " One thread, in turn in one process, the least of many rounds, results compared (s8 exactly); weights "
            "from memory are flushed from all caches before each. bf16 by X of bf16, s8 by X of u8. The share is of what "
            "multiply-adds between registers reach (cache; dot products, if those are faster) or of how fast a plain loop reads the "
            "packed weights (memory). Then the time of the fastest library, in its better layout for each shape, over that of sparsekit "
            "in its: above 1 sparsekit is ahead. Aims: bf16 and s8 a share of 0.92 by 16 columns and more, and from "
            "memory; f32 and f64 0.95 of the libraries. **Bold**: behind the aim.", "",
            "| type | weights in | columns | GFLOP/s, mean | share | over the fastest library | worst shape | fastest library there |",
            "|---" * 8 + "|"]
    for key, shapes in sorted(cells.items()):
        kind, place, n = key
        rate, mean, worst = beside_libraries(shapes)
        share = geometric_mean([bound[key][shape] / min(t for name, t in seconds.items() if name.startswith("sparsekit"))
                                for shape, seconds in shapes.items()])
        narrow = kind in ("bf16", "s8")
        in_cache_by_few = place == "cache" and n < 16  # bound by what caches give
        mark = lambda v, behind: "" if math.isnan(v) else f"**{v:.2f}**" if behind else f"{v:.2f}"
        text.append(f"| {kind} | {place} | {n} | {rate:.0f} | {mark(share, narrow and not in_cache_by_few and round(share, 2) < 0.92)} | "
                    f"{mark(mean, not narrow and round(mean, 2) < 0.95)} | " + (f"{worst[0]:.2f} ({worst[1]})" if worst[2] else "") + " | "
                    + (code[key, worst[1], worst[2]] if worst[2] else "") + " |")
    return text + ["", "Reproduce: `tools/measure_dense.sh build/release/benchmarks/dense/sparsekit_dense_benchmark ../shared/peers`.", ""]


def better_layouts(rows, key):
    """{key(row): {name without its layout: least seconds}}."""
    return least_by(rows, key, lambda r: r["name"].removesuffix("-xt"))


def own_dense_section(folder):
    """pack() over our own packed dense weights, from the CSVs of benchmarks/spmm. [] without data."""
    rows = [r for path in sorted(folder.glob("avx512-spmm-*.csv")) for r in rows_of(path)]
    if not rows:
        return []
    facts = json.loads((folder / "avx512-structured-machine.json").read_text())
    zeros_of = lambda r: round(1 - int(r["entries"]) / (int(r["rows"]) * int(r["cols"])), 2)
    table = better_layouts(rows, lambda r: (r["type"], int(r["columns"]), zeros_of(r), int(r["matrices"]), r["rows"], r["cols"]))
    ratios = collections.defaultdict(list)
    for (kind, n, zeros, count, *_), seconds in table.items():
        ratios[kind, n, zeros, count].append(seconds["dense"] / seconds["pack"])
    levels = sorted({zeros for _, _, zeros, _ in ratios})
    text = ["## Over sparsekit's own dense, by type (AVX-512)", "",
            facts["machine"] + " Uniformly random zeros; time of packed dense weights of the same type over that of `pack()`, each in "
            "its better layout, in turn in one process, one thread, the least of many rounds; geometric mean over 512x512, 2048x512, "
            "512x2048 and 1536x384. First figure: one matrix; second: eight in turn. **Bold** cells lose to dense.", ""]
    for kind in sorted({key[0] for key in ratios}):
        text += [f"| {kind}, columns | " + " | ".join(f"{100 * z:.0f} %" for z in levels) + " |", "|---" * (len(levels) + 1) + "|"]
        for n in sorted({key[1] for key in ratios if key[0] == kind}):
            cells = []
            for z in levels:
                means = [geometric_mean(ratios[kind, n, z, count]) for count in (1, 8) if (kind, n, z, count) in ratios]
                word = " / ".join(f"{m:.2f}" for m in means)
                cells.append(f"**{word}**" if means and min(means) < 1 else word)
            text.append(f"| {n} | " + " | ".join(cells) + " |")
        text.append("")
    return text + ["Reproduce: `sparsekit_spmm_benchmark f64 > docs/data/avx512-spmm-f64.csv`.", ""]


def dlmc_section(folder):
    """Pruned networks' patterns beside random ones, from the CSVs of benchmarks/spmm. [] without data."""
    rows = [r for path in sorted(folder.glob("avx512-dlmc-*.csv")) for r in rows_of(path)]
    if not rows:
        return []
    facts = json.loads((folder / "avx512-structured-machine.json").read_text())
    table = better_layouts(rows, lambda r: (r["type"], int(r["columns"]), r["matrix"]))
    share = {r["matrix"]: 1 - int(r["entries"]) / (int(r["rows"]) * int(r["cols"])) for r in rows}
    level = {matrix: min((0.5, 0.7, 0.8, 0.9, 0.95, 0.98), key=lambda z: abs(z - zeros)) for matrix, zeros in share.items()}
    text = ["## Patterns of pruned networks beside random ones (AVX-512)", "",
            facts["machine"] + f" {len(share)} patterns of the Deep Learning Matrix Collection, with random values: time of `pack()` of a "
            "uniformly random pattern of the same shape and number of entries over that of `pack()` of the file's, each in its better "
            "layout, in turn in one process, one thread, the least of many rounds; geometric means, files under the share of zeros that "
            "is closest. In brackets the speed-up of the file's over packed dense weights. Aim: a mean of 0.88. **Bold**: behind it.", ""]
    for kind in sorted({key[0] for key in table}):
        counts = sorted({key[1] for key in table if key[0] == kind})
        text += [f"| {kind}, zeros | files | " + " | ".join(f"N = {n}" for n in counts) + " |", "|---" * (len(counts) + 2) + "|"]
        levels = sorted(set(level.values()))
        for group in levels + [None]:
            names = [m for m in share if group in (None, level[m])]
            cells = []
            for n in counts:
                seconds = [table[kind, n, m] for m in names if (kind, n, m) in table]
                mean = geometric_mean([t["uniform"] / t["pack"] for t in seconds])
                shown = f"**{mean:.2f}**" if round(mean, 2) < 0.88 else f"{mean:.2f}"
                cells.append(f"{shown} ({geometric_mean([t['dense'] / t['pack'] for t in seconds]):.2f})")
            text.append(f"| {'**all**' if group is None else f'{100 * group:.0f} %'} | {len(names)} | " + " | ".join(cells) + " |")
        text.append("")
    behind = sorted((t["uniform"] / t["pack"], f"{kind}, {matrix}, N = {n}") for (kind, n, matrix), t in table.items())
    text += ["The ten slowest beside random ones:", ""] + [f"- {word}: {ratio:.2f}" for ratio, word in behind[:10]]
    return text + ["", "Reproduce: `sparsekit_spmm_benchmark f32 --columns 1,8,32,64,256 $(find ../shared/data/dlmc -name '*.smtx' | sort) > "
                   "docs/data/avx512-dlmc-f32.csv`.", ""]


def sparse_avx2_section(folder):
    """pack() beside the libraries on AVX2. [] without data."""
    path = folder / "avx2-spmm-machine.json"
    if not path.exists():
        return []
    facts = json.loads(path.read_text())
    table, dense_names = read(folder.glob("avx2-spmm-n*.csv"))
    aims = {float(zeros): aim for zeros, aim in facts["aims"].items()}
    text = ["## Sparse on AVX2", "", facts["machine"], "", facts["conditions"], "",
            "f32, uniformly random zeros, geometric mean over four shapes, worst and best shape in parentheses: time of the fastest "
            "dense code, ours included, over that of `pack()`, each in its better layout; then of the fastest other sparse library. "
            "**Bold**: behind the aim.", "",
            "| columns | zeros | hot | eight matrices in turn | aim | over other sparse code, hot / in turn |",
            "|---|---|---|---|---|---|"]
    for n, zeros in sorted({(n, z) for _, n, z in table}):
        speed, rivals = [], []
        for rotated in (False, True):
            cell = table[rotated, n, zeros]
            ours = [max(pair) for pair in zip(cell["sparsekit-pack"], cell["sparsekit-pack-xt"])]
            mean = geometric_mean(ours)
            shown = f"{mean:.2f}" if mean >= aims.get(zeros, 1) else f"**{mean:.2f}**"
            speed.append(f"{shown} ({min(ours):.2f} to {max(ours):.2f})")
            others = {p: geometric_mean(v) for p, v in cell.items() if not p.startswith(OWN) and p not in dense_names}
            rival = max(others, key=others.get)
            rivals.append(f"{mean / others[rival]:.2f} ({rival})")
        text.append(f"| {n} | {100 * zeros:.0f} % | {speed[0]} | {speed[1]} | {aims.get(zeros, '')} | {rivals[0]} / {rivals[1]} |")
    return text + ["", facts["bound"], "", facts["reproduce"], ""]


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=root / "docs" / "data")
    parser.add_argument("--out", type=pathlib.Path, default=root / "docs" / "performance.md")
    args = parser.parse_args()
    table, dense_names = read(args.data.glob("spmm*.csv"))
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
    text += dense_avx512_section(args.data) + dense_section(args.data)
    text += own_dense_section(args.data) + dlmc_section(args.data) + sparse_avx2_section(args.data)
    text += recommendation_section(root) + structured_section(args.data)
    text += gemv_section(args.data)
    text += spmv_section(args.data, "avx512-") + spmv_section(args.data)
    text += threads_section(args.data)
    text += scoreboard(args.data, args.out, "avx512-") + scoreboard(args.data, args.out)
    text += networks_section(args.data) + packing_section(args.data) + NEON_SECTION
    text += ["## Reproduce", "", machine["reproduce"], ""]
    args.out.write_text("\n".join(text))


if __name__ == "__main__":
    main()
