from __future__ import annotations

import time
import unittest
from unittest import mock

from token_vault import TokenVaultError

from .behaviours import behaviour
from .fake_vault import API_KEY, FakeVault, Reply, problem
from .zoho_tokens import OAuthToken, SDKException, TokenStore, UserSignature, ZohoTokenStore, token_of

ANN = "ann@example.com:1"
FULL = {
    **{"id": "a", "user_name": ANN, "client_id": "client", "client_secret": "secret", "expires_in": 3000},
    **{"refresh_token": "refresh-2", "grant_token": "grant-1", "access_token": "access-2"},
    **{"redirect_url": "https://app.example/cb", "api_domain": "https://www.zohoapis.eu"},
}


class StoreTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.vault = FakeVault()
        self.addCleanup(self.vault.stop)
        self.store = self.store_with()

    def store_with(self, **options: float) -> ZohoTokenStore:
        return ZohoTokenStore(self.vault.url, API_KEY, **{"retry_for": 0, **options})

    def assert_fails(self, code: str, call, *arguments) -> SDKException:
        with self.assertRaises(SDKException) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    def saves(self) -> list:
        return self.vault.asked("POST", "/v1/tokens")


class TestFindToken(StoreTestCase):
    @behaviour("merge-and-return")
    def test_merges_into_the_object_passed_whose_own_values_yield_and_returns_it(self) -> None:
        self.vault.put(**FULL)
        token = token_of(ANN, "client", refresh_token="refresh-1", access_token="access-1")
        self.assertIs(self.store.find_token(token), token)
        self.assertEqual((token.get_id(), token.get_user_signature().get_name()), ("a", ANN))
        self.assertEqual((token.get_client_id(), token.get_client_secret()), ("client", "secret"))
        self.assertEqual((token.get_refresh_token(), token.get_access_token()), ("refresh-2", "access-2"))
        self.assertEqual(token.get_grant_token(), "grant-1")
        self.assertEqual(token.get_redirect_url(), "https://app.example/cb")
        self.assertEqual(token.get_api_domain(), "https://www.zohoapis.eu")

    def test_names_the_token_by_all_that_the_object_has_and_asks_for_a_life(self) -> None:
        self.vault.put(**FULL)
        self.store.find_token(token_of(ANN, "client", grant_token="g", refresh_token="r", access_token="a"))
        self.assertEqual(
            self.vault.requests[0].body,
            {
                **{"provider": "zoho", "user_name": ANN, "client_id": "client", "min_ttl": 60},
                **{"grant_token": "g", "refresh_token": "r", "access_token": "a"},
            },
        )

    @behaviour("unknown-partial-is-none")
    def test_is_none_for_a_partial_token_that_the_vault_does_not_know_and_leaves_the_object_as_it_was(self) -> None:
        token = token_of("nobody")
        self.assertIsNone(self.store.find_token(token))
        self.assertIsNone(token.get_id())

    def test_raises_with_the_ids_where_several_match(self) -> None:
        self.vault.next(problem(409, "ambiguous_match", matches=["a", "b"]))
        self.assertIn(
            "They are a, b.", str(self.assert_fails("ambiguous_match", self.store.find_token, token_of("ann")))
        )

    @behaviour("wrong-clock")
    def test_counts_the_expiry_by_the_applications_own_clock_be_it_ten_minutes_wrong(self) -> None:
        for wrong in (-600, 600):
            self.vault.put(**FULL, expires_at="1970-01-01T00:00:00.000Z")
            store = self.store_with()
            now = time.time() + wrong
            with self.subTest(wrong), mock.patch("time.time") as clock:
                clock.return_value = now
                token = store.find_token(token_of(ANN))
                self.assertEqual(token.get_expires_in(), str(int((now + 3000) * 1000)))
                clock.return_value = now + 2999
                self.vault.put(**{**FULL, "access_token": "access-3"})
                self.assertEqual(store.find_token(token_of(ANN)).get_access_token(), "access-3")

    def test_forgets_the_expiry_of_the_access_token_that_it_replaces_where_the_new_ones_is_unknown(self) -> None:
        self.vault.put(id="a", user_name="ann", access_token="access-2")
        token = token_of("ann", access_token="access-1")
        token.set_expires_in("1")
        self.assertIsNone(self.store.find_token(token).get_expires_in())

    def test_shows_the_sdk_enough_life_that_it_does_not_refresh_the_last_seconds_away(self) -> None:
        self.vault.put(**{**FULL, "expires_in": 2})
        token = self.store.find_token_by_id("a")
        self.assertGreater(int(token.get_expires_in()) - time.time() * 1000, 5000)


class TestFindTokenById(StoreTestCase):
    def test_gives_a_new_token_of_the_applications_own_class_each_time(self) -> None:
        self.vault.put(**FULL)
        one, other = self.store.find_token_by_id("a"), self.store.find_token_by_id("a")
        self.assertIsInstance(one, OAuthToken)
        self.assertIsInstance(one.get_user_signature(), UserSignature)
        self.assertIsNot(one, other)

    @behaviour("unknown-id-throws")
    def test_raises_the_sdks_own_exception_for_an_unknown_id(self) -> None:
        for token_id in ("unknown", "", "../x", "é"):
            with self.subTest(token_id):
                self.assert_fails("TOKEN_STORE", self.store.find_token_by_id, token_id)

    def test_raises_with_the_vaults_error_as_the_cause_and_what_to_do(self) -> None:
        self.vault.next(problem(401, "unauthorized"))
        exception = self.assert_fails("unauthorized", self.store.find_token_by_id, "a")
        self.assertIsInstance(exception.cause, TokenVaultError)
        self.assertIs(exception.__cause__, exception.cause)
        expected = "Caused By: unauthorized - It is unauthorized. Check the API key that ZohoTokenStore was given."
        self.assertEqual(str(exception), expected)


class TestSaveToken(StoreTestCase):
    @behaviour("id-on-save")
    def test_saves_what_the_sdks_object_has_and_sets_its_id(self) -> None:
        token = token_of("ann", "client", grant_token="g", refresh_token="r", access_token="a")
        token.set_expires_in(str(int(time.time() * 1000) + 3_600_500))
        token.set_api_domain("https://www.zohoapis.com")
        token.set_redirect_url("")
        self.store.save_token(token)
        self.assertEqual(token.get_id(), "token-1")
        self.assertEqual(
            self.vault.requests[0].body,
            {
                **{"provider": "zoho", "user_name": "ann", "client_id": "client", "client_secret": "secret of client"},
                **{"grant_token": "g", "refresh_token": "r", "access_token": "a", "expires_in": 3600},
                "api_domain": "https://www.zohoapis.com",
            },
        )

    def test_does_nothing_with_what_came_from_the_vault_as_it_is(self) -> None:
        self.vault.put(**FULL)
        self.store.save_token(self.store.find_token(token_of(ANN)))
        self.store.save_token(self.store.find_token_by_id("a"))
        self.store.save_token(token_of(id="a", access_token="access-2"))
        self.assertEqual(self.saves(), [])

    def test_saves_what_came_from_the_vault_once_it_has_changed_or_was_deleted(self) -> None:
        self.vault.put(**FULL)
        token = self.store.find_token_by_id("a")
        token.set_redirect_url("https://app.example/other")
        self.store.save_token(token)
        again = self.store.find_token_by_id("a")
        self.store.delete_token("a")
        self.store.save_token(again)
        self.assertEqual(len(self.saves()), 2)
        self.assertEqual(self.vault.tokens["a"]["refresh_token"], "refresh-2")

    @behaviour("save-error-told")
    def test_that_fails_is_logged_once_with_what_to_do_and_no_secret_until_a_save_succeeds(self) -> None:
        self.vault.lacking = {"tokens:write"}
        with self.assertLogs("token_vault.zoho") as logs:
            for _ in range(3):
                self.assert_fails("insufficient_scope", self.store.save_token, token_of(access_token="hush"))
        self.assertEqual(len(logs.output), 1)
        self.assertIn("tokens:write", logs.output[0])
        self.assertIn("call save_token(token) of the store again", logs.output[0])
        self.assertNotIn("hush", logs.output[0])
        self.vault.lacking = set()
        self.store.save_token(token_of(access_token="hush"))
        self.vault.next(problem(403, "insufficient_scope"))
        with self.assertLogs("token_vault.zoho"):
            self.assert_fails("insufficient_scope", self.store.save_token, token_of(access_token="hush"))


    def test_that_is_malformed_raises_and_says_which_field(self) -> None:
        self.vault.next(problem(400, "invalid_request", errors=[{"pointer": "/api_domain", "detail": "is none"}]))
        with self.assertLogs("token_vault.zoho", "ERROR") as logs:
            exception = self.assert_fails("invalid_request", self.store.save_token, token_of(access_token="a"))
        for text in (str(exception), logs.output[0]):
            self.assertIn("It is invalid_request: /api_domain is none.", text)


class TestTheRestOfTheStore(StoreTestCase):
    def test_is_one_of_the_sdks(self) -> None:
        self.assertIsInstance(self.store, TokenStore)

    @behaviour("empty-list")
    def test_lists_an_empty_vault_as_an_empty_list(self) -> None:
        self.assertEqual(self.store.get_tokens(), [])

    def test_lists_tokens_as_they_are_of_the_applications_own_class(self) -> None:
        self.vault.put(**{**FULL, "expires_in": 0})
        (token,) = self.store.get_tokens()
        self.assertIsInstance(token, OAuthToken)
        self.assertLessEqual(int(token.get_expires_in()), time.time() * 1000)
        self.assertEqual(self.vault.requests[0].query, {"provider": "zoho", "include": "secrets", "limit": "1000"})

    @behaviour("silent-delete")
    def test_deletes_by_id_silently_where_there_is_none(self) -> None:
        self.vault.put(**FULL)
        self.store.delete_token("a")
        self.store.delete_token("a")
        self.store.delete_token("../x")
        self.assertEqual(self.vault.tokens, {})

    def test_deletes_all_zoho_tokens(self) -> None:
        self.store.delete_tokens()
        self.assertEqual(self.vault.requests[0].query, {"provider": "zoho"})

    def test_revokes_which_the_sdks_own_token_cannot(self) -> None:
        self.vault.put(**FULL)
        self.store.revoke("a")
        self.assertEqual(len(self.vault.asked("POST", "/v1/tokens/a/revoke")), 1)
        self.assert_fails("TOKEN_STORE", self.store.find_token_by_id, "a")

    @behaviour("vault-slow")
    def test_raises_where_the_vault_does_not_answer_in_time(self) -> None:
        self.vault.next(Reply(200, {}, delay=1))
        exception = self.assert_fails("timeout", self.store_with(timeout=0.1).find_token_by_id, "a")
        self.assertIn(self.vault.url, str(exception))

    def test_refuses_a_time_limit_that_is_none(self) -> None:
        with self.assertRaisesRegex(ValueError, "^timeout must be over 0"):
            self.store_with(timeout=None)


class TestAnotherServerInTheVaultsPlace(StoreTestCase):
    def test_is_the_sdks_exception(self) -> None:
        for call in (
            lambda: self.store.find_token(token_of("ann")),
            lambda: self.store.find_token_by_id("a"),
            lambda: self.store.delete_token("a"),
            lambda: self.store.get_tokens(),
            lambda: self.store.delete_tokens(),
            lambda: self.store.revoke("a"),
        ):
            self.vault.next(Reply(200, {"status": "ok"}))
            self.assert_fails("invalid_answer", call)
        self.vault.next(Reply(200, {"status": "ok"}))
        with self.assertLogs("token_vault.zoho"):
            self.assert_fails("invalid_answer", self.store.save_token, token_of(access_token="a"))


class TestWithAKeyThatMayOnlyUseTokens(StoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.vault.lacking = {"tokens:read", "tokens:write"}
        self.vault.put(**FULL)

    @behaviour("use-key")
    def test_no_secret_but_the_access_token_reaches_the_application(self) -> None:
        token = self.store.find_token_by_id("a")
        self.assertEqual(token.get_access_token(), "access-2")
        secrets = (token.get_refresh_token(), token.get_grant_token(), token.get_client_secret())
        self.assertEqual(secrets, (None, None, None))

    @behaviour("use-key-save")
    def test_saving_what_came_from_the_vault_does_nothing_though_the_object_has_secrets_of_its_own(self) -> None:
        token = token_of(ANN, "client", grant_token="grant-1")
        self.store.save_token(self.store.find_token(token))
        self.assertEqual(self.saves(), [])

    @behaviour("use-key-save")
    def test_saving_anything_new_raises_and_names_the_scope(self) -> None:
        with self.assertLogs("token_vault.zoho"):
            exception = self.assert_fails("insufficient_scope", self.store.save_token, token_of(access_token="new"))
        self.assertIn("tokens:write", str(exception))


class TestATokenThatTheVaultCannotRenew(StoreTestCase):
    DEAD = problem(409, "reauth_required")

    def test_raises_and_says_to_log_in_again(self) -> None:
        self.vault.next(self.DEAD, self.DEAD)
        self.assertIn("Log in again", str(self.assert_fails("reauth_required", self.store.find_token_by_id, "a")))
        self.assert_fails("reauth_required", self.store.find_token, token_of("ann"))

    def test_is_not_tried_again_with_the_refresh_token_that_failed(self) -> None:
        self.vault.put(**FULL)
        self.vault.next(self.DEAD)
        self.assert_fails("reauth_required", self.store.find_token, token_of(ANN, "client", refresh_token="refresh-2"))

    def test_lets_the_sdk_log_in_with_a_grant_token_that_the_vault_has_not_seen(self) -> None:
        self.vault.put(**FULL)
        self.vault.next(self.DEAD)
        self.assertIsNone(self.store.find_token(token_of(ANN, "client", grant_token="new")))

    def test_lets_the_sdk_trade_a_grant_token_that_was_saved_and_never_used(self) -> None:
        self.vault.put(id="b", user_name="bob", client_id="client", grant_token="grant-b")
        self.vault.next(problem(409, "not_refreshable"))
        self.assertIsNone(self.store.find_token(token_of("bob", "client", grant_token="grant-b")))

    def test_does_not_let_the_sdk_trade_a_grant_token_a_second_time(self) -> None:
        self.vault.put(**FULL)
        self.vault.next(problem(409, "not_refreshable"))
        self.assert_fails("not_refreshable", self.store.find_token, token_of(ANN, "client", grant_token="grant-1"))
