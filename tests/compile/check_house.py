#!/usr/bin/env python3
"""Checks the rules of the house that a reader of include/sparsekit relies on.

usage: check_house.py INCLUDE_DIRECTORY

Includes go downward only, from one storey to its own or a lower one, without cycles; xsimd and intrinsics
appear only in simd/; library code (all but io/) has no std::vector; every header has #pragma once, opens with
a comment that says what it is for, and is at most 500 lines long. Prints each violation as file:line: reason.
"""
import pathlib
import re
import sys

# From the top of the house to its foundation. A storey is a list of folders and of files beside them.
STOREYS = [
    ("front door", ["sparsekit.hpp"]),
    ("io", ["io/"]),
    ("verb", ["multiply.hpp", "check.hpp", "operands.hpp", "panels.hpp", "choose.hpp", "choose/", "adapters/"]),
    ("plan", ["plan/"]),
    ("pack", ["pack.hpp", "pack/"]),
    ("kernels", ["kernels/"]),
    ("vocabulary of the verb", ["policy.hpp", "epilogue.hpp", "quantize.hpp", "workspace.hpp", "active_set.hpp"]),
    ("simd", ["simd/"]),
    ("convert", ["convert/"]),
    ("formats", ["formats/"]),
    ("core", ["core/"]),
    ("base", ["status.hpp", "config.hpp", "version.hpp"]),
]
# Parts that only these may include.
ONLY_FROM = {"io": {"io"}, "front door": set()}
# Parts that may include these only (and themselves).
ONLY_TO = {"io": {"formats", "convert", "core", "base"}}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
VECTOR_CODE = [
    (re.compile(r"#\s*include\s*<(xsimd/|[a-z]*mmintrin\.h|x86intrin\.h|arm_neon\.h|arm_sve\.h)"), "vector header"),
    (re.compile(r"\bxsimd::"), "xsimd"),
    (re.compile(r"\b_mm(256|512)?_\w+|\b__m(128|256|512)[id]?\b|\b__mmask\d+\b"), "x86 intrinsic"),
    (re.compile(r"\bv\w+_(f|s|u|p|bf)(8|16|32|64)\b|\b(float|int|uint)(8|16|32|64)x\d+_t\b"), "NEON intrinsic"),
]
ALLOCATION = re.compile(r"\bstd::(vector|deque|list|map|set|unordered_map|unordered_set)\b")
MAX_LINES = 500


def storey_of(path):
    for level, (name, members) in enumerate(STOREYS):
        if any(path.startswith(m) if m.endswith("/") else path == m for m in members):
            return level, name
    return None


def without_comments(text):
    """The text with comments blanked out, line numbers kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


class House:
    def __init__(self, include):
        self.include = pathlib.Path(include)
        self.root = self.include / "sparsekit"
        self.violations = []
        self.edges = {}

    def complain(self, path, line, reason):
        self.violations.append(f"include/sparsekit/{path}:{line}: {reason}")

    def resolve(self, path, kind, target):
        """The path below include/sparsekit that an include names, or None for a foreign header."""
        if target.startswith("sparsekit/"):
            return target.removeprefix("sparsekit/")
        if kind == "<":
            return None
        found = ((self.root / path).parent / target).resolve()
        try:
            return found.relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return target

    def check_include(self, path, number, kind, target):
        included = self.resolve(path, kind, target)
        if included is None:
            return
        if not (self.root / included).is_file():
            self.complain(path, number, f"includes {target}, which does not exist")
            return
        self.edges.setdefault(path, []).append(included)
        here, there = storey_of(path), storey_of(included)
        if here is None or there is None:
            return
        if there[1] not in ONLY_TO.get(here[1], {there[1]}) | {here[1]}:
            self.complain(path, number, f"{here[1]} includes {included} of {there[1]}, which it must not need")
        elif there[0] < here[0] or here[1] not in ONLY_FROM.get(there[1], {here[1]}):
            self.complain(path, number, f"{here[1]} includes {included} of {there[1]}: includes go downward only")

    def check_file(self, path):
        text = (self.root / path).read_text()
        lines = without_comments(text).splitlines()
        if storey_of(path) is None:
            self.complain(path, 1, "belongs to no storey of the house (see tests/compile/check_house.py)")
        if not text.startswith("//"):
            self.complain(path, 1, "does not open with a comment that says what it is for")
        if path.endswith(".hpp") and "#pragma once" not in text:
            self.complain(path, 1, "has no #pragma once")
        if len(lines) > MAX_LINES:
            self.complain(path, len(lines), f"is longer than {MAX_LINES} lines")
        for number, line in enumerate(lines, 1):
            if match := INCLUDE.match(line):
                self.check_include(path, number, match[1], match[2])
            if not path.startswith("simd/"):
                for pattern, what in VECTOR_CODE:
                    if match := pattern.search(line):
                        self.complain(path, number, f"{what} outside simd/: {match[0].strip()}")
            if not path.startswith("io/") and (match := ALLOCATION.search(line)):
                self.complain(path, number, f"{match[0]} in library code: core/storage.hpp has the owners")

    def check_cycles(self):
        state = {}

        def visit(path, trail):
            if state.get(path) == "done":
                return
            if state.get(path) == "open":
                self.complain(path, 1, "includes itself: " + " -> ".join(trail[trail.index(path):] + [path]))
                return
            state[path] = "open"
            for included in self.edges.get(path, []):
                visit(included, trail + [path])
            state[path] = "done"

        for path in sorted(self.edges):
            visit(path, [])


def main():
    house = House(sys.argv[1])
    files = sorted(p.relative_to(house.root).as_posix() for p in house.root.rglob("*") if p.suffix in (".hpp", ".inc"))
    for path in files:
        house.check_file(path)
    house.check_cycles()
    print("\n".join(house.violations) or f"{len(files)} headers keep the rules of the house")
    return 1 if house.violations or not files else 0


if __name__ == "__main__":
    sys.exit(main())
