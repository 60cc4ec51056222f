#!/bin/bash
# Measures sparsekit_dense_benchmark beside the libraries of the peer harness, once its setup.sh has run.
#
# usage: tools/measure_dense.sh [--rounds R] PROGRAM PEERS [FOLDER]
#
# PROGRAM: the built sparsekit_dense_benchmark; PEERS: the folder of the harness; FOLDER: where
# avx512-dense-*.csv go (docs/data). f32 and f64 beside OpenBLAS, BLIS and MKL, f32, bf16 and s8 beside oneDNN,
# which uses all of AVX-512 but no AMX unless ONEDNN_MAX_CPU_ISA is set.
set -euo pipefail
rounds=()
[ "${1:-}" = --rounds ] && rounds=(--rounds "$2") && shift 2
[ $# -ge 2 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 1; }
program=$1
folder=${3:-$(dirname "$0")/../docs/data}
source "$2/env.sh" # the harness's: where its libraries are, and what makes each use AVX-512
export ONEDNN_MAX_CPU_ISA=${ONEDNN_MAX_CPU_ISA:-AVX512_CORE_FP16}
mkl=$(ls "$local"/venv_mkl24/lib/libmkl_rt.so.*)
onednn=$local/sidroot/$triplet/libdnnl.so

measure() { # measure CSV ARGUMENTS...: pinned to one CPU, by the loader that the unpacked libraries need
  local csv=$folder/avx512-dense-$1.csv
  shift
  taskset -c "${SK_CPU:-$(($(nproc --all) - 1))}" env ${preload:+LD_PRELOAD="$preload"} "${loader[@]}" "$program" \
    "$@" > "$csv"
  echo "$csv"
}
for type in f32 f64; do
  measure $type $type "${rounds[@]}" 1,4,8,16,32,64,256 "$SK_OPENBLAS_LIB" "$SK_BLIS_LIB" "$mkl" "$onednn"
done
for type in bf16 s8; do
  measure $type $type "${rounds[@]}" 1,2,3,16,64,256 "$onednn"
  measure $type-memory $type --memory "${rounds[@]}" 1,2,3 "$onednn"
done
