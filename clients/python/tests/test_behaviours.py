import importlib
import pkgutil
import unittest
from pathlib import Path

from . import behaviours
from . import zoho_tokens as _needs_the_sdk  # noqa: F401


class TestBehaviours(unittest.TestCase):
    def test_each_behaviour_of_the_table_has_a_test_here(self) -> None:
        for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
            if module.name.startswith("test_"):
                importlib.import_module(f"{__package__}.{module.name}")
        self.assertEqual(behaviours.tested, behaviours.listed())
