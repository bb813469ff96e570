from __future__ import annotations

import re
import unittest
from pathlib import Path
from unittest import mock

from .fake_vault import API_KEY, FakeVault, Reply, problem

README = Path(__file__).resolve().parents[1] / "README.md"


class TestTheReadme(unittest.TestCase):
    def test_has_an_example_of_the_client_that_runs_as_it_stands(self) -> None:
        (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        vault = FakeVault()
        self.addCleanup(vault.stop)
        token = {"id": "a", "access_token": "t"}
        vault.next(*[Reply(200, token)] * 2, Reply(200, {"tokens": [token]}), problem(409, "reauth_required"))
        log_in = mock.Mock()
        with mock.patch.dict("os.environ", VAULT_API_KEY=API_KEY), mock.patch("builtins.print"):
            exec(example.replace("http://127.0.0.1:8080", vault.url), {"ask_to_log_in_again": log_in})
        log_in.assert_called_once_with()
