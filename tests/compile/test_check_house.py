#!/usr/bin/env python3
"""Checks the checker: a house with one fault of each kind, and each must be found."""
import pathlib
import subprocess
import sys
import tempfile

GOOD = "// What it is for.\n#pragma once\n"
FAULTS = {
    "core/up.hpp": (GOOD + '#include "../formats/ok.hpp"\n', "core includes formats/ok.hpp of formats"),
    "formats/ok.hpp": (GOOD, None),
    "kernels/raw.hpp": (GOOD + "auto f() { return _mm512_setzero_ps(); }\n", "x86 intrinsic outside simd/"),
    "kernels/neon.hpp": (GOOD + "auto f() { return vdupq_n_f32(0); }\n", "NEON intrinsic outside simd/"),
    "kernels/names.hpp": (GOOD + "auto f(xsimd::batch<float> b);\n", "xsimd outside simd/"),
    "kernels/header.hpp": (GOOD + "#include <immintrin.h>\n", "vector header outside simd/"),
    "kernels/comment.hpp": (GOOD + "// _mm512_setzero_ps would do\n", None),
    "simd/raw.hpp": (GOOD + "#include <immintrin.h>\n", None),
    "pack/vector.hpp": (GOOD + "std::vector<int> v;\n", "std::vector in library code"),
    "io/vector.hpp": (GOOD + "#include <vector>\nstd::vector<int> v;\n", None),
    "multiply.hpp": (GOOD + '#include "io/vector.hpp"\n', "verb includes io/vector.hpp of io"),
    "io/verb.hpp": (GOOD + '#include "../multiply.hpp"\n', "io includes multiply.hpp of verb, which it must not need"),
    "core/guard.hpp": ("// What it is for.\n", "has no #pragma once"),
    "core/opening.hpp": ("#pragma once\n", "does not open with a comment"),
    "core/long.hpp": (GOOD + "\n" * 500, "is longer than 500 lines"),
    "core/a.hpp": (GOOD + '#include "b.hpp"\n', "includes itself: core/a.hpp -> core/b.hpp -> core/a.hpp"),
    "core/b.hpp": (GOOD + '#include "a.hpp"\n', None),
    "attic/old.hpp": (GOOD, "belongs to no storey"),
    "core/missing.hpp": (GOOD + '#include "nowhere.hpp"\n', "which does not exist"),
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        for path, (text, _) in FAULTS.items():
            file = pathlib.Path(folder, "sparsekit", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        checker = pathlib.Path(__file__).with_name("check_house.py")
        done = subprocess.run([sys.executable, checker, folder], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    expected = {path: reason for path, (_, reason) in FAULTS.items() if reason}
    errors = [f"not found: {path}: {reason}" for path, reason in expected.items()
              if not any(f"/{path}:" in line and reason in line for line in lines)]
    if len(lines) != len(expected) or done.returncode != 1:
        errors.append(f"{len(lines)} complaints instead of {len(expected)}:\n{done.stdout}{done.stderr}")
    print("\n".join(errors) or f"all {len(expected)} faults are found")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
