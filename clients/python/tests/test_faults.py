"""What is wrong with a request is said: by the vault, or before it is sent."""

from __future__ import annotations

import math

from token_vault._requests import aged_by

from .fake_vault import problem
from .test_client import ClientTestCase

FAULTS = [{"pointer": "/scope", "detail": "must be string,null"}, {"pointer": "", "detail": "is not UTF-8"}]


class TestAMalformedRequest(ClientTestCase):
    def test_has_its_faults_in_the_text_of_the_error(self) -> None:
        self.vault.next(problem(400, "invalid_request", errors=FAULTS))
        error = self.assert_fails("invalid_request", self.client.save, {})
        self.assertEqual((error.detail, error.errors), ("It is invalid_request.", FAULTS))
        self.assertEqual(str(error), "It is invalid_request: /scope must be string,null; is not UTF-8.")

    def test_has_no_faults_that_are_none(self) -> None:
        for errors, expected in (({}, None), ([None, 7, {"pointer": "/scope"}], [])):
            with self.subTest(errors=errors):
                self.vault.next(problem(400, "invalid_request", errors=errors))
                error = self.assert_fails("invalid_request", self.client.save, {})
                self.assertEqual((error.errors, str(error)), (expected, "It is invalid_request."))


class TestAnExpiry(ClientTestCase):
    def test_that_is_none_goes_to_the_vault_as_it_was_given(self) -> None:
        for wrong in (-5, True, False, "3600", [], None):
            with self.subTest(wrong):
                self.client.save({"access_token": "a", "expires_in": wrong})
                self.assertIs(type(self.vault.requests[-1].body["expires_in"]), type(wrong))
                self.assertEqual(self.vault.requests[-1].body["expires_in"], wrong)

    def test_loses_what_time_has_eaten_down_to_nothing(self) -> None:
        for given, left in ((5, 3), (2.5, 0.5), (2, 0), (1, 0), (0, 0), (-5, -5), (True, True), ("9", "9")):
            with self.subTest(given):
                aged = aged_by({"expires_in": given}, 2)["expires_in"]
                self.assertEqual((aged, type(aged)), (left, type(left)))
        self.assertTrue(math.isnan(aged_by({"expires_in": math.nan}, 2)["expires_in"]))
        self.assertEqual(aged_by({"scope": "x"}, 2), {"scope": "x"})


class TestWhatNoVaultCanBeAsked(ClientTestCase):
    def test_is_a_life_that_is_no_number(self) -> None:
        for min_ttl in (math.inf, math.nan, "60", [60]):
            for call, of in ((self.client.find, {"user_name": "ann"}), (self.client.get, "a")):
                with self.subTest(min_ttl), self.assertRaisesRegex(ValueError, "^min_ttl must be a number of seconds"):
                    call(of, min_ttl=min_ttl)
        self.assertEqual(self.vault.requests, [])

    def test_is_an_id_that_is_no_text(self) -> None:
        for token_id in (5, None, b"a"):
            for call in (self.client.get, self.client.delete, self.client.refresh, self.client.revoke):
                with self.subTest(token_id), self.assertRaisesRegex(TypeError, "^the id of a token must be a str, not"):
                    call(token_id)
        self.assertEqual(self.vault.requests, [])
