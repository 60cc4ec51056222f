#!/usr/bin/env python3
"""Compiles every ```cpp block of the documentation, and runs those that are whole programs.

usage: check_docs.py ROOT BUILD_DIRECTORY COMPILER FLAG...

A block with a main function is compiled, linked and run. Any other block is a fragment: it is compiled inside a
function after the declarations of tests/docs/preamble.hpp, or at namespace scope if it starts with #include,
template, namespace, struct or class. Two marks in a comment line above a block change that:
  <!-- docs: same-as FILE -->   the block must also be the text of FILE (below its opening comment)
  <!-- docs: not-code -->       the block is not compiled (say why in the text)
Local links of the documents must name files that exist.
"""
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^ *```\s*$", re.M | re.S)
MARK = re.compile(r"<!-- docs: (same-as (?P<file>\S+)|(?P<skip>not-code)) -->\s*$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(#[^)]*)?\)")
NAMESPACE_SCOPE = re.compile(r"\s*(#include|template|namespace|struct|class)\b")


class Block:
    def __init__(self, path, line, body, mark):
        self.where = f"{path}:{line}"
        self.body = body
        self.mark = mark
        self.is_program = re.search(r"\bint main\(", body) is not None

    def source(self):
        if self.is_program:
            return self.body
        includes = "".join(line + "\n" for line in self.body.splitlines() if line.startswith("#include"))
        rest = "".join(line + "\n" for line in self.body.splitlines() if not line.startswith("#include"))
        # `namespace sk = sparsekit;` and using-directives may stand inside a function too.
        at_namespace_scope = NAMESPACE_SCOPE.match(rest) and not rest.lstrip().startswith("namespace sk")
        function = rest if at_namespace_scope else f"[[maybe_unused]] sk::status fragment() {{\n{rest}  return {{}};\n}}\n"
        return f'{includes}#include "preamble.hpp"\n{function}'


def blocks_of(path, root):
    text = path.read_text()
    for match in BLOCK.finditer(text):
        if match["language"] not in ("cpp", "c++", "cxx"):
            continue
        indent = match["indent"]
        body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        mark = MARK.search(text[:match.start()])
        yield Block(path.relative_to(root), text.count("\n", 0, match.start()) + 1, body, mark)


def check_links(path, root):
    errors = []
    for match in LINK.finditer(re.sub(r"```.*?```", "", path.read_text(), flags=re.S)):
        target = match[1]
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
            errors.append(f"{path.relative_to(root)}: the link {target} leads nowhere")
    return errors


def program_text(path):
    """The file's text without the comment that opens it."""
    lines = path.read_text().splitlines(keepends=True)
    while lines and (lines[0].startswith("//") or not lines[0].strip()):
        lines.pop(0)
    return "".join(lines)


def check_block(block, root, build, compiler):
    if block.mark and block.mark["skip"]:
        return None
    if block.mark and block.mark["file"]:
        file = root / block.mark["file"]
        if not file.exists() or program_text(file).strip() != block.body.strip():
            return f"{block.where}: differs from {block.mark['file']}"
    name = re.sub(r"\W", "_", block.where)
    source = build / f"{name}.cpp"
    source.write_text(block.source())
    command = [*compiler, f"-I{root / 'tests/docs'}", str(source)]
    command += ["-o", str(build / name), "-pthread"] if block.is_program else ["-fsyntax-only"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 and block.is_program:
        done = subprocess.run([str(build / name)], capture_output=True, text=True, cwd=build, timeout=60)
    if done.returncode != 0:
        return f"{block.where}: failed\n{block.source()}\n" + "\n".join(done.stderr.splitlines()[:20])
    return None


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    compiler = sys.argv[3:]
    build.mkdir(parents=True, exist_ok=True)
    documents = sorted({*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("packaging/**/*.md"),
                        *root.glob("benchmarks/**/*.md"), *root.glob("examples/**/*.md")})
    blocks = [block for path in documents for block in blocks_of(path, root)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = [e for e in pool.map(lambda b: check_block(b, root, build, compiler), blocks) if e]
    for path in documents:
        errors += check_links(path, root)
    print("\n".join(errors))
    print(f"{len(blocks)} code blocks in {len(documents)} documents, {len(errors)} errors")
    return 1 if errors or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
