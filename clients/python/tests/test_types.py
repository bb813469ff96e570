import json
import unittest
from pathlib import Path
from typing import Any

from token_vault import AccessToken, CodeToExchange, PartialToken, Token, TokenFilter, TokenToSave

OPENAPI = Path(__file__).resolve().parents[3] / "openapi.json"


class TestTypes(unittest.TestCase):
    def setUp(self) -> None:
        self.paths = json.loads(OPENAPI.read_text("utf-8"))["paths"]

    def fields_of_body(self, path: str) -> set[str]:
        return set(self.paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"])

    def fields_of_answer(self, path: str) -> set[str]:
        answer: Any = self.paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        return set(answer["properties"])

    def test_have_the_fields_of_the_services_own_description(self) -> None:
        filters = {parameter["name"] for parameter in self.paths["/v1/tokens"]["get"]["parameters"]}
        self.assertEqual(set(Token.__annotations__), self.fields_of_answer("/v1/tokens/{id}"))
        self.assertEqual(set(AccessToken.__annotations__), self.fields_of_answer("/v1/tokens/{id}/access-token"))
        self.assertEqual(set(TokenToSave.__annotations__), self.fields_of_body("/v1/tokens"))
        self.assertEqual(set(CodeToExchange.__annotations__), self.fields_of_body("/v1/tokens/exchange"))
        self.assertEqual(set(TokenFilter.__annotations__), filters - {"limit", "cursor", "include"})
        self.assertLess(set(PartialToken.__annotations__), self.fields_of_body("/v1/tokens/find"))
