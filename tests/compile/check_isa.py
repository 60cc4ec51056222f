#!/usr/bin/env python3
"""Looks into objects that are compiled for one instruction set each, and links them into one program.

usage: check_isa.py vectors  --isa NAME --build DIR COMPILER FLAG…
       check_isa.py tiles    --isa NAME --build DIR COMPILER FLAG…
       check_isa.py link     --build DIR COMPILER FLAG…
       check_isa.py faults   --build DIR COMPILER FLAG…

vectors: the object of tests/compile/isa/probe.cpp has fused multiply-adds on registers of that instruction set, uses
         nothing beyond it, and keeps accumulators in registers: no innermost loop with such a multiply-add moves a
         vector to or from the stack.
tiles:   the same of tests/compile/isa/tiles.cpp, the tiles of balanced quads, wide rows and packed dense weights, which
         are the largest: a sum that is spilled once a step costs more than the multiply-add. All of them must be there.
link:    objects for AVX-512, AVX2 and the x86-64 baseline in one program, in both link orders. No function that the
         linker may merge (weak) outside the namespaces named after an instruction set uses instructions that the
         baseline lacks; and each object runs its own code: on emulated CPUs that have nothing more (a wider
         instruction stops the program there), and AVX-512 on this one if it has it.
faults:  the faults of tests/compile/isa/faults.cpp are found by the two checks above.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Functions that differ in name where their code differs: ours, and xsimd's registers (at -O0 they are functions).
TAG = re.compile(r"sparsekit::v0::(avx512|avx2|neon|scalar)\w*_(release|debug)_\w+|^xsimd::types::simd_register<")

FLAGS = {
    "avx512": ["-march=x86-64-v4"],
    "avx2": ["-march=x86-64-v3"],
    "baseline": ["-march=x86-64"],
    "scalar": ["-march=x86-64-v3", "-DSPARSEKIT_FORCE_SCALAR"],
    "neon": [],
}
X86_STACK = re.compile(r"^v?mov[a-z0-9]*\s.*%[xyz]mm\d+.*", re.I)
VECTOR = {  # multiply-adds that must be there; registers that must not
    "avx512": (re.compile(r"^vfn?m(add|sub)\w*p[sd]\s.*%zmm"), None),
    "avx2": (re.compile(r"^vfn?m(add|sub)\w*p[sd]\s.*%ymm"), re.compile(r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[1-7]\b")),
    "scalar": (re.compile(r"^vfn?m(add|sub)\w*s[sd]\s"), re.compile(r"%zmm")),
    "neon": (re.compile(r"^fml[as]\s+v\d+\.(4s|2d)"), None),
}
# Instructions of AVX and later that an x86-64 baseline CPU does not have.
BEYOND_BASELINE = re.compile(r"^(v[a-z]\w*|shlx|shrx|sarx|rorx|mulx|pdep|pext|andn|bextr|blsr|blsi|blsmsk|kmov\w*|tzcnt|lzcnt)\s")


def run(command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


class Instruction:
    def __init__(self, address, text):
        self.address, self.text = address, text

    def jump_target(self):
        match = re.match(r"^(?:j\w+|b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\w+,)\s+([0-9a-f]+)\b", self.text)
        return int(match[1], 16) if match else None


def disassemble(binary, objdump="objdump"):
    """{mangled name: [Instruction]} of an object."""
    functions, body = {}, []
    for line in run([objdump, "-d", "--no-show-raw-insn", "-w", binary]).splitlines():
        if match := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            body = functions.setdefault(match[1], [])
        elif match := re.match(r"^\s*([0-9a-f]+):\s+(.*\S)", line):
            body.append(Instruction(int(match[1], 16), match[2]))
    return functions


def demangle(names):
    return dict(zip(names, run(["c++filt"], input="\n".join(names) + "\n").splitlines())) if names else {}


def innermost_loops(body):
    """Runs of instructions that a backward jump closes and that hold no other such run."""
    spans = []
    for i in body:
        target = i.jump_target()
        if target is not None and body[0].address <= target <= i.address:
            spans.append((target, i.address))
    for start, end in spans:
        if not any((s, e) != (start, end) and start <= s and e <= end for s, e in spans):
            yield [i for i in body if start <= i.address <= end]


def moves_to_stack(body, isa):
    """A function that says whether an instruction moves a whole vector to or from the stack."""
    if isa == "neon":
        return lambda text: re.match(r"^(ld|st)(r|p|ur)\s+q\d+.*\[(sp|x29)", text) is not None
    frame = "|%rbp" if any(re.match(r"^mov\s+%rsp,%rbp", i.text) for i in body[:12]) else ""
    stack = re.compile(rf"\((%rsp{frame})[,)]")
    return lambda text: X86_STACK.match(text) is not None and stack.search(text) is not None


def examine_vectors(item, isa, objdump, products=None):
    """Counts multiply-adds and the inner loops that have them; the third result is a list of errors."""
    functions = disassemble(item, objdump)
    names = demangle(list(functions))
    wanted, forbidden = VECTOR[isa]
    wanted = products or wanted
    multiply_adds = loops = 0
    errors = []
    for mangled, body in functions.items():
        multiply_adds += sum(1 for i in body if wanted.match(i.text))
        errors += [f"{names[mangled]}: {i.text}: beyond {isa}" for i in body if forbidden and forbidden.search(i.text)]
        on_stack = moves_to_stack(body, isa)
        for loop in innermost_loops(body):
            if not any(wanted.match(i.text) for i in loop):
                continue
            loops += 1
            errors += [f"{names[mangled]}: an inner loop moves a vector to or from the stack: {i.text}"
                       for i in loop if on_stack(i.text)]
    if multiply_adds == 0 or loops == 0:
        errors.append(f"no vector multiply-add of {isa} in a loop of the object")
    return multiply_adds, loops, errors


def compile_probe(args, isa, source, name, flags=()):
    build = pathlib.Path(args.build)
    build.mkdir(parents=True, exist_ok=True)
    item = build / f"{name}.o"
    run([args.compiler, *args.flags, *FLAGS[isa], *flags, f"-DPROBE={isa}", "-c", HERE / "isa" / source, "-o", item])
    return item


def check_vectors(args):
    prefix = "aarch64-linux-gnu-" if args.isa == "neon" and os.uname().machine != "aarch64" else ""
    item = compile_probe(args, args.isa, "probe.cpp", f"probe_{args.isa}")
    multiply_adds, loops, errors = examine_vectors(item, args.isa, prefix + "objdump")
    print("\n".join(errors[:20]))
    print(f"{args.isa}: {multiply_adds} multiply-adds, {loops} inner loops with them, {len(errors)} errors")
    return len(errors)


# The functions that hold the loops of the main tiles. NEON has no masked load: tiles of dense tails (the last
# parameter before the operands is true, or wide_x::in_place_masked) pick the elements of their last vector up one by
# one, in memory.
TILES = ["run_row_block<.* float, .*row_output<", "run_row_block<.* double, .*sums_wait>", "run_register_tiles<", "sum_tile<",
         "run_wide_groups<", "add_narrow<.* signed char, ", "add_narrow<.*::bfloat16, ",
         "add_narrow_columns<.* signed char, ", "add_narrow_columns<.*16, "]
NEON_TAIL = re.compile(r"kernels::(sum_tile<.*, \d+, \d+, true, |run_wide_groups<.*, 1, \([^)]*wide_x\)2, )")
# What multiplies s8 and bf16 there, and the extensions that have it. Without them, by g++ 12, s8 moves 1 (AVX-512) or
# 15 (NEON) vectors a step to or from the stack, bf16 on NEON 4.
TILE_FLAGS = {"avx512": ["-mavx512vnni", "-mavx512bf16"], "neon": ["-march=armv8.2-a+dotprod+bf16"]}
TILE_PRODUCTS = {
    "avx512": re.compile(VECTOR["avx512"][0].pattern + r"|^(vpdpbusd|vdpbf16ps)\s.*%zmm"),
    "avx2": re.compile(VECTOR["avx2"][0].pattern + r"|^vpmadd(wd|ubsw)\s.*%ymm"),
    "neon": re.compile(VECTOR["neon"][0].pattern + r"|^([su]dot|bfmlal[bt])\s"),
}


def check_tiles(args):
    prefix = "aarch64-linux-gnu-" if args.isa == "neon" and os.uname().machine != "aarch64" else ""
    item = compile_probe(args, args.isa, "tiles.cpp", f"tiles_{args.isa}", TILE_FLAGS.get(args.isa, []))
    multiply_adds, loops, errors = examine_vectors(item, args.isa, prefix + "objdump", TILE_PRODUCTS[args.isa])
    names = demangle(list(disassemble(item, prefix + "objdump"))).values()
    if args.isa == "neon":
        errors = [e for e in errors if not NEON_TAIL.search(e)]
    errors += [f"no function {tile}" for tile in TILES if not any(re.search(tile, name) for name in names)]
    print("\n".join(errors[:20]))
    print(f"{args.isa}: {multiply_adds} multiply-adds, {loops} inner loops with them, {len(errors)} errors")
    return len(errors)


def check_faults(args):
    item = compile_probe(args, "avx2", "faults.cpp", "faults")
    _, _, errors = examine_vectors(item, "avx2", "objdump")
    on_stack = [e for e in errors if e.startswith("sum_on_stack: an inner loop moves")]
    merged = [e for e in check_weak(item) if "weak function merged(" in e]
    print("\n".join(on_stack + merged))
    return 0 if on_stack and merged else 1


def weak_functions(item):
    lines = (line.split() for line in run(["nm", item]).splitlines())
    return [fields[-1] for fields in lines if fields[-2] in ("W", "w", "u", "V")]


def check_weak(item):
    functions = disassemble(item)
    weak = [name for name in weak_functions(item) if name in functions]
    errors = []
    for mangled, name in demangle(weak).items():
        if not TAG.search(name):
            errors += [f"{item.name}: weak function {name} has {i.text}" for i in functions[mangled][:2000]
                       if BEYOND_BASELINE.match(i.text)][:1]
    print(f"{item.name}: {len(weak)} weak functions, {len(errors)} that other objects must not get")
    return errors


def cpu_has(flag):
    return re.search(rf"\b{flag}\b", pathlib.Path("/proc/cpuinfo").read_text()) is not None


def check_link(args):
    build = pathlib.Path(args.build)
    objects, errors = {}, []
    for isa in ("avx512", "avx2", "baseline"):
        objects[isa] = compile_probe(args, isa, "probe.cpp", isa)
        errors += check_weak(objects[isa])
    main = build / "main.o"
    run([args.compiler, "-O1", "-std=c++20", "-c", HERE / "isa/main.cpp", "-o", main])
    qemu = shutil.which("qemu-x86_64")
    cases = [("baseline", [qemu, "-cpu", "Nehalem"], qemu), ("avx2", [qemu, "-cpu", "Haswell"], qemu),
             ("baseline", [], True), ("avx2", [], cpu_has("avx2")), ("avx512", [], cpu_has("avx512bw"))]
    for order in (["avx512", "avx2", "baseline"], ["baseline", "avx2", "avx512"]):
        program = build / "_".join(order)
        run([args.compiler, main, *[objects[isa] for isa in order], "-o", program])
        for isa, emulator, possible in cases:
            where = " ".join(["link order", *order, "on", *(emulator[1:] if emulator else ["this CPU"])])
            if not possible:
                print(f"{isa}: not run, {where}: no such CPU or emulator")
                continue
            done = subprocess.run([*emulator, str(program), isa], capture_output=True, text=True)
            print(f"{where}: {done.stdout.strip() or 'stopped by signal ' + str(-done.returncode)}")
            if done.returncode != 0:
                errors.append(f"{isa} fails: {where}")
    print("\n".join(errors))
    return len(errors)


CHECKS = {"vectors": check_vectors, "tiles": check_tiles, "link": check_link, "faults": check_faults}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=list(CHECKS))
    parser.add_argument("--isa", choices=sorted(VECTOR))
    parser.add_argument("--build", required=True)
    parser.add_argument("compiler")
    args, args.flags = parser.parse_known_args()
    try:
        return 1 if CHECKS[args.check](args) else 0
    except subprocess.CalledProcessError as error:
        print(f"failed: {' '.join(error.cmd)}\n" + "\n".join(error.stderr.splitlines()[:30]))
        return 1


if __name__ == "__main__":
    sys.exit(main())
