#!/usr/bin/env bash
# Finds a face with a pruned network, its zeros skipped, on Debian 12 or 13: installs what it needs (as root or
# with sudo), builds the example, downloads and converts the network, runs it; within 5 minutes on two cores.
#
#   scripts/demo.sh [OPTIONS OF face_detection]
#     -i FILE      your own picture (PPM or PNG; default: the astronaut of scikit-image)
#     -o FILE      where the picture with the box goes (default build/demo/face.ppm)
#     --model DIR  a converted model (default: MediaPipe's face detector, downloaded from PyPI)
#
# Without network: `scripts/demo.sh --model DIR -i FILE` uses what is already there.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
models=$top/build/models
python=$top/build/deps/python

model= picture= output= others=()
while [ $# -gt 0 ]; do
  case $1 in
    --model | -i | -o)
      [ $# -ge 2 ] || { echo "demo: $1 needs a value" >&2; exit 1; }
      # The program runs where the user stands: paths stay as they were given.
      case $1 in --model) model=$2 ;; -i) picture=$2 ;; -o) output=$2 ;; esac
      shift 2
      ;;
    *) others+=("$1"); shift ;;
  esac
done

log=$top/build/demo/log.txt
mkdir -p "$top/build/demo"
quietly() { # quietly WHAT COMMAND…: says what is done; shows the end of the output if it fails
  local what=$1
  shift
  echo "demo: $what"
  "$@" > "$log" 2>&1 || { tail -n 20 "$log" >&2; echo "demo: failed: $what" >&2; exit 1; }
}

"$top/scripts/bootstrap.sh" --demo

build() {
  cd "$top" &&
    cmake --preset release -B build/demo -DSPARSEKIT_BUILD_TESTS=OFF -DSPARSEKIT_BUILD_BENCHMARKS=OFF &&
    cmake --build build/demo --target face_detection
}
quietly "building the example" eval '( build )'

# numpy, for the converter, in a virtual environment of its own.
python_with_numpy() {
  [ -x "$python/bin/python" ] && "$python/bin/python" -c 'import numpy' 2> /dev/null && return
  "${PYTHON:-python3}" -m venv --clear "$python" &&
    "$python/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: 'numpy>=1.24'
}
fetch() {
  python_with_numpy && "$python/bin/python" "$top/tools/fetch_models.py" "$models"
}
if [ -z "$model" ] || [ -z "$picture" ]; then
  if ! ( fetch ) > "$log" 2>&1; then
    tail -n 3 "$log" >&2
    echo "demo: PyPI can't be reached; without network, run: scripts/demo.sh --model DIR -i FILE" >&2
    exit 1
  fi
fi
if [ -z "$model" ]; then
  model=$models/face_detection_full_range_sparse
  [ -f "$model/graph.txt" ] ||
    quietly "converting the network" "$python/bin/python" "$top/tools/convert_tflite.py" "$model.tflite" "$model"
else
  echo "demo: using the model in $model"
fi

exec "$top/build/demo/examples/face_detection/face_detection" --model "$model" \
  -i "${picture:-$models/astronaut.png}" -o "${output:-$top/build/demo/face.ppm}" "${others[@]}"
