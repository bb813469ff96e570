"""Runs all tests and prints how many passed; ``--report=FILE`` writes the counts there as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class CountingResult(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addSuccess(test)
        self.passed += 1

    def counts(self) -> dict[str, int]:
        # A test with several subtests may fail several times, a class that can't be set up is no test.
        failed = {self._test_of(test).id() for test, _ in (*self.failures, *self.errors)}
        failed.update(test.id() for test in self.unexpectedSuccesses)
        return {"passed": self.passed, "failed": len(failed), "skipped": len(self.skipped)}

    @staticmethod
    def _test_of(test: Any) -> Any:
        return getattr(test, "test_case", test)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests", description=__doc__)
    parser.add_argument("--report", type=Path)
    report = parser.parse_args().report
    suite = unittest.defaultTestLoader.discover(str(HERE), top_level_dir=str(HERE.parent))
    result = unittest.TextTestRunner(resultclass=CountingResult).run(suite)
    counts = result.counts()
    print(f"python: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if report is not None:
        report.write_text(json.dumps(counts))
    return 0 if result.wasSuccessful() and counts["passed"] else 1


sys.exit(main())
