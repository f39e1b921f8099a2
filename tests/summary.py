#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up CTest's JUnit reports and prints the closing line: "N passed, N failed, N skipped".

Exit 1 when anything failed, when a report is missing, or when nothing ran at all."""
import os
import sys
import xml.etree.ElementTree as tree


def main(reports):
    passed = failed = skipped = 0
    for report in reports:
        if not os.path.exists(report):
            print(f"no report: {report}")
            failed += 1
            continue
        for case in tree.parse(report).getroot().iter("testcase"):
            status = case.get("status")
            name = case.get("name")
            if status == "run":
                passed += 1
            elif status in ("notrun", "disabled") or case.find("skipped") is not None:
                skipped += 1
                reason = case.find("skipped")
                print(f"skipped: {name}: {reason.get('message') if reason is not None else status}")
            else:
                failed += 1
                print(f"failed: {name}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
