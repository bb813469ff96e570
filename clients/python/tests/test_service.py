"""The client with a real vault."""

from __future__ import annotations

import threading
import unittest

from token_vault import TokenVaultClient, TokenVaultError

from . import world

ZOHO = {"api_domain": world.ZOHO, **world.CLIENT}


class TestTheClient(unittest.TestCase):
    def setUp(self) -> None:
        self.client = TokenVaultClient(world.VAULT, world.API_KEY, retry_for=30)

    def assert_fails(self, code: str, call, *arguments, **options) -> TokenVaultError:
        with self.assertRaises(TokenVaultError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    def test_saves_finds_gets_lists_and_deletes(self) -> None:
        name = "Änn o'neil 李?%s"
        saved = self.client.save({"user_name": name, "client_id": "c1", "access_token": "a", "expires_in": 3600})
        self.assertEqual((saved["user_name"], saved["version"]), (name, 1))
        self.assertEqual(self.client.find({"user_name": name.lower()}, min_ttl=60)["id"], saved["id"])
        self.assertEqual(self.client.get(saved["id"])["access_token"], "a")
        self.assertEqual(self.client.access_token(saved["id"])["access_token"], "a")
        self.assertEqual(self.client.access_token({"user_name": name}, min_ttl=5)["id"], saved["id"])
        self.assertEqual([token["id"] for token in self.client.list({"user_name": name})], [saved["id"]])
        self.assertTrue(self.client.delete(saved["id"]))
        self.assertFalse(self.client.delete(saved["id"]))
        self.assertIsNone(self.client.get(saved["id"]))

    def test_lists_page_after_page_and_deletes_by_a_filter(self) -> None:
        tokens = [{"user_name": "bob", "client_id": f"b{at}", "access_token": f"b{at}"} for at in range(7)]
        ids = sorted(self.client.save(token)["id"] for token in tokens)
        self.assertEqual(sorted(token["id"] for token in self.client.list({"user_name": "bob"}, limit=2)), ids)
        error = self.assert_fails("ambiguous_match", self.client.find, {"user_name": "bob"})
        self.assertEqual(sorted(error.matches), ids)
        self.assertEqual(self.client.delete_many({"user_name": "bob"}), 7)

    def test_renews_a_token_by_force(self) -> None:
        saved = self.client.save({"user_name": "cleo", "refresh_token": world.refresh_token("cleo.forced"), **ZOHO})
        self.assertIn("access_token", self.client.refresh(saved["id"]))

    def test_trades_a_code_once_and_revokes_what_came_of_it(self) -> None:
        code = {"grant_token": world.grant("dan.traded"), "user_name": "dan", **ZOHO}
        token = self.client.exchange(code)
        self.assertEqual(self.client.exchange(code)["access_token"], token["access_token"])
        self.assert_fails("grant_refused", self.client.exchange, {**code, "grant_token": "unknown"})
        self.client.revoke(token["id"])
        self.assertFalse(world.is_live(token["refresh_token"]))
        self.assert_fails("not_found", self.client.revoke, token["id"])

    def test_saves_under_a_condition(self) -> None:
        saved = self.client.save({"user_name": "eve", "client_id": "e", "access_token": "e"})
        self.client.save({"id": saved["id"], "scope": "one"}, if_match=saved["version"])
        stale = {"id": saved["id"], "scope": "two"}
        self.assert_fails("version_mismatch", self.client.save, stale, if_match=saved["version"])

    def test_tells_what_the_vault_refuses_and_why(self) -> None:
        owner = self.client.save({"user_name": "emil", "client_id": "f", "refresh_token": "f"})
        other = {"user_name": "fay", "client_id": "f", "refresh_token": "f"}
        conflict = self.assert_fails("conflict", self.client.save, other)
        self.assertEqual((conflict.status, conflict.token_id), (409, owner["id"]))
        self.assertTrue(conflict.request_id)
        invalid = self.assert_fails("invalid_request", self.client.save, {"user_name": "a\0b"})
        self.assertEqual(invalid.errors[0]["pointer"], "/user_name")
        self.assert_fails("no_criterion", self.client.find, {})
        stranger = TokenVaultClient(world.VAULT, f"tv_stranger_{'x' * 43}")
        self.assert_fails("unauthorized", stranger.get, owner["id"])

    def test_tells_a_url_whose_path_the_vault_does_not_have_from_a_token_that_is_not_there(self) -> None:
        saved = self.client.save({"user_name": "hal", "client_id": "h", "access_token": "h"})
        url = f"{world.VAULT}/vault"
        lost = TokenVaultClient(url, world.API_KEY)
        for call, argument in ((lost.find, {"user_name": "hal"}), (lost.get, saved["id"]), (lost.delete, saved["id"])):
            error = self.assert_fails("invalid_answer", call, argument)
            self.assertIn(f"no route {url}/v1/tokens/", str(error))
        self.assertTrue(self.client.delete(saved["id"]))

    def test_lives_through_a_restart_of_the_vault(self) -> None:
        world.stop_vault()
        restart = threading.Timer(0.5, world.start_vault)
        restart.start()
        self.addCleanup(restart.join)
        self.assertIsNone(self.client.find({"user_name": "nobody"}))
