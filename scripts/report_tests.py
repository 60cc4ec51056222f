#!/usr/bin/env python3
"""Counts the tests that ran in each configuration and fails when any failed or too few ran.

usage: report_tests.py RESULTS FLOORS CONFIGURATION...

RESULTS holds <configuration>.xml (ctest's JUnit report) and .json (ctest's list of tests, with their labels), or
<configuration>.skipped or .broken with a reason.
A doctest program counts its test cases, any other test counts one. FLOORS holds a line `configuration count`:
that many tests, at least, must run there, not counting tests with the label `data`.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

DOCTEST_SUMMARY = re.compile(
    r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|(?:\s*(\d+) skipped)?")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.without_data = 0  # tests that ran and need no data folder

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.without_data += other.without_data


def names_of_data_tests(path):
    """The tests with the label `data` (CMake 3.25's JUnit report has no labels)."""
    return {
        test["name"]
        for test in json.loads(path.read_text())["tests"]
        for p in test.get("properties", []) if p["name"] == "LABELS" and "data" in p["value"]
    }


def count_case(case, configuration, data_tests):
    """The count of one ctest entry; prints it when it failed or was skipped."""
    count = Count()
    name = f"{configuration}: {case.get('name')}"
    output = case.findtext("system-out") or ""
    status = case.get("status")
    needs_data = case.get("name") in data_tests
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        reason = output.strip().splitlines()
        print(f"skipped {name}: {reason[-1] if reason else case.find('skipped').get('message')}")
        count.skipped = 1
        return count
    summary = DOCTEST_SUMMARY.search(output)
    if summary:
        count.passed, count.failed = int(summary[2]), int(summary[3])
        # A crash after or outside the test cases, or a sanitizer's report at exit.
        if status == "fail" and count.failed == 0:
            count.failed = 1
    else:
        count.passed, count.failed = (1, 0) if status == "run" else (0, 1)
    if not needs_data:
        count.without_data = count.passed + count.failed
    if count.failed:
        print(f"\nFAILED {name}\n" + "\n".join(output.splitlines()[-60:]))
    return count


def read_floors(path):
    floors = {}
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.split("#")[0].split()
        if line:
            floors[line[0]] = int(line[1])
    return floors


def main():
    results, floors = pathlib.Path(sys.argv[1]), read_floors(sys.argv[2])
    total, lines = Count(), []
    for configuration in sys.argv[3:]:
        floor = floors.get(configuration, 0)
        count = Count()
        if (skipped := results / f"{configuration}.skipped").exists():
            lines.append(f"{configuration}: {skipped.read_text().strip()}")
            count.skipped = 1
        elif (report := results / f"{configuration}.xml").exists():
            data_tests = names_of_data_tests(report.with_suffix(".json"))
            for case in ElementTree.parse(report).getroot().iter("testcase"):
                count.add(count_case(case, configuration, data_tests))
            lines.append(f"{configuration}: {count.passed} passed, {count.failed} failed, {count.skipped} skipped; "
                         f"{count.without_data} ran without data (floor {floor})")
            if count.without_data < floor:
                lines.append(f"{configuration}: FAILED: only {count.without_data} tests ran, the floor is {floor}")
                count.failed += 1
        else:
            broken = results / f"{configuration}.broken"
            lines.append(f"{configuration}: FAILED: {broken.read_text().strip() if broken.exists() else 'no test report'}")
            count.failed = 1
        total.add(count)
    print("\n" + "\n".join(lines))
    if total.passed == 0 and total.failed == 0:
        print("no test ran")
        total.failed = 1
    print(f"{total.passed} passed, {total.failed} failed" + (f", {total.skipped} skipped" if total.skipped else ""))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
