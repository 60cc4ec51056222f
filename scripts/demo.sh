#!/usr/bin/env bash
# Finds a face with a pruned network, its zeros skipped, on Debian 12 or 13: installs what it needs (as root or
# with sudo), builds the example, downloads and converts the network, runs it; within 5 minutes on two cores.
#
#   scripts/demo.sh [OPTIONS OF face_detection]
#     -i FILE        your own picture (PPM or PNG; default: the astronaut of scikit-image)
#     -o FILE        where the picture with the box goes (default build/demo/face.ppm)
#     --model DIR    a converted model (default: MediaPipe's face detector, downloaded from PyPI)
#     --input X.npy  a raw input tensor instead of a picture; --dump DIR writes the raw outputs
#     --table FILE   the table of pruned layers as CSV, with the times of each round
#
# Without network, once what bootstrap.sh installs is there: --model DIR with -i FILE or --input X.npy needs
# nothing else. What was downloaded before is used again.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
models=$top/build/models
python=$top/build/deps/python

model= picture= output= tensor= others=()
while [ $# -gt 0 ]; do
  case $1 in
    --model | -i | -o | --input)
      [ $# -ge 2 ] || { echo "demo: $1 needs a value" >&2; exit 1; }
      # The program runs where the user stands: paths stay as they were given.
      case $1 in --model) model=$2 ;; -i) picture=$2 ;; -o) output=$2 ;; --input) tensor=$2 ;; esac
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

# What is missing of the network and the picture; pip and the converter's numpy live in a virtual environment.
wanted=()
converted=$models/face_detection_full_range_sparse
if [ -n "$model" ]; then
  echo "demo: using the model in $model"
else
  model=$converted
  [ -f "$converted/graph.txt" ] || wanted+=(face_detection_full_range_sparse.tflite LICENSE.mediapipe)
fi
if [ -z "$picture$tensor" ]; then
  picture=$models/astronaut.png
  wanted+=(astronaut.png)
fi
fetch() {
  [ -x "$python/bin/pip" ] || "${PYTHON:-python3}" -m venv --clear "$python" || return
  "$python/bin/python" "$top/tools/fetch_models.py" "$models" "${wanted[@]}" || return
  [ "$model" != "$converted" ] || [ -f "$converted/graph.txt" ] ||
    "$python/bin/python" -c 'import numpy' 2> /dev/null ||
    "$python/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'numpy>=1.24'
}
if [ ${#wanted[@]} -gt 0 ] && ! ( fetch ) > "$log" 2>&1; then
  tail -n 3 "$log" >&2
  echo "demo: PyPI can't be reached; without network, run: scripts/demo.sh --model DIR -i FILE" >&2
  exit 1
fi
if [ "$model" = "$converted" ] && [ ! -f "$converted/graph.txt" ]; then
  quietly "converting the network" "$python/bin/python" "$top/tools/convert_tflite.py" "$model.tflite" "$model"
fi

source=(-i "$picture")
[ -z "$tensor" ] || source=(--input "$tensor")
exec "$top/build/demo/examples/face_detection/face_detection" --model "$model" \
  "${source[@]}" -o "${output:-$top/build/demo/face.ppm}" "${others[@]}"
