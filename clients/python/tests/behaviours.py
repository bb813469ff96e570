"""Ties tests to the list of behaviours that every adapter has, whatever its language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, TypeVar

TABLE = Path(__file__).resolve().parents[2] / "behaviours.json"
Test = TypeVar("Test", bound=Callable[..., None])

tested: set[str] = set()


def behaviour(behaviour_id: str) -> Callable[[Test], Test]:
    """Marks a test as the one, or one of those, of a row of the table."""

    def mark(test: Test) -> Test:
        tested.add(behaviour_id)
        return test

    return mark


def listed() -> set[str]:
    return {row["id"] for row in json.loads(TABLE.read_text("utf-8"))}
