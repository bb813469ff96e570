from __future__ import annotations

import threading
import time
import unittest

from token_vault import TokenVaultClient, TokenVaultError
from token_vault._retry import pause_before_retry

from .fake_vault import API_KEY, FakeVault, Reply, problem

AWAY = problem(503, "storage_unavailable")
LOST = Reply(0)


def error_of(status: int, code: str, retry_after: int | None = None) -> TokenVaultError:
    error = TokenVaultError(status, code, code)
    error.retry_after = retry_after
    return error


class TestPause(unittest.TestCase):
    def test_doubles_up_to_two_seconds(self) -> None:
        for failures, expected in ((1, 0.1), (2, 0.2), (3, 0.4), (6, 2), (20, 2), (10_000, 2)):
            with self.subTest(failures):
                pause = pause_before_retry(error_of(0, "unreachable"), failures, left=5, chance=1)
                self.assertAlmostEqual(pause, expected)

    def test_is_jittered_by_half(self) -> None:
        self.assertAlmostEqual(pause_before_retry(error_of(0, "timeout"), 1, left=5, chance=0), 0.05)

    def test_is_never_shorter_than_the_vault_asks_for(self) -> None:
        self.assertAlmostEqual(pause_before_retry(error_of(503, "storage_unavailable", 2), 1, left=5, chance=1), 2.1)

    def test_is_not_taken_when_the_vault_asks_for_more_than_there_is(self) -> None:
        self.assertIsNone(pause_before_retry(error_of(503, "provider_throttled", 600), 1, left=5, chance=0))

    def test_is_not_taken_after_what_does_not_pass(self) -> None:
        for status, code in (
            (400, "invalid_request"),
            (401, "unauthorized"),
            (409, "reauth_required"),
            (500, "internal_error"),
            (502, "client_refused"),
            (200, "invalid_answer"),
        ):
            with self.subTest(code):
                self.assertIsNone(pause_before_retry(error_of(status, code), 1, left=5, chance=0))


class TestRetries(unittest.TestCase):
    def setUp(self) -> None:
        self.vault = FakeVault()
        self.addCleanup(self.vault.stop)
        self.client = TokenVaultClient(self.vault.url, API_KEY, retry_for=3)
        self.vault.put(id="a", user_name="ann", access_token="t")

    def test_of_reads_saves_and_deletes_go_on_while_the_vault_is_away_throttles_or_breaks_off(self) -> None:
        for call in (
            lambda: self.client.find({"user_name": "ann"}),
            lambda: self.client.get("a"),
            lambda: self.client.save({"id": "a"}),
            lambda: next(self.client.list()),
            lambda: self.client.access_token("a"),
            lambda: self.client.delete("a"),
        ):
            self.vault.requests.clear()
            self.vault.next(AWAY, LOST, problem(429, "rate_limited"))
            call()
            self.assertEqual(len(self.vault.requests), 4)

    def test_are_not_made_of_what_must_not_happen_twice(self) -> None:
        for call in (
            lambda: self.client.exchange({"client_id": "c", "grant_token": "g"}),
            lambda: self.client.refresh("a"),
            lambda: self.client.revoke("a"),
            lambda: self.client.delete_many({"all": True}),
            lambda: self.client.save({"id": "a"}, if_match=1),
        ):
            self.vault.requests.clear()
            self.vault.next(LOST)
            with self.assertRaises(TokenVaultError) as caught:
                call()
            self.assertEqual((caught.exception.code, len(self.vault.requests)), ("unreachable", 1))

    def test_of_a_delete_that_find_none_after_an_attempt_without_an_answer_have_deleted_it(self) -> None:
        self.vault.tokens.clear()
        for unanswered in (LOST, Reply(502, "<html>")):
            with self.subTest(unanswered.status):
                self.vault.next(unanswered, AWAY)
                self.assertTrue(self.client.delete("a"))

    def test_of_a_delete_that_find_none_after_the_vault_has_refused_it_have_deleted_nothing(self) -> None:
        self.vault.tokens.clear()
        self.vault.next(AWAY)
        self.assertFalse(self.client.delete("a"))

    def test_wait_for_as_long_as_retry_after_says(self) -> None:
        self.vault.next(problem(503, "storage_unavailable", {"Retry-After": "1"}))
        started_at = time.monotonic()
        self.client.get("a")
        self.assertGreaterEqual(time.monotonic() - started_at, 1)

    def test_are_not_made_when_retry_after_is_beyond_their_time(self) -> None:
        self.vault.next(problem(503, "provider_throttled", {"Retry-After": "600"}))
        with self.assertRaises(TokenVaultError) as caught:
            self.client.get("a")
        self.assertEqual((caught.exception.code, caught.exception.retry_after), ("provider_throttled", 600))
        self.assertEqual(len(self.vault.requests), 1)

    def test_are_not_made_when_retry_after_has_more_digits_than_any_wait(self) -> None:
        self.vault.next(problem(503, "provider_throttled", {"Retry-After": "9" * 5000}))
        with self.assertRaises(TokenVaultError) as caught:
            self.client.get("a")
        self.assertEqual((caught.exception.code, len(self.vault.requests)), ("provider_throttled", 1))

    def test_read_a_retry_after_that_is_a_date_or_nonsense(self) -> None:
        for header, least, most in (
            ("Fri, 01 Jan 2100 00:00:00 GMT", 90, 10**10),
            ("soon", None, None),
            ("²", None, None),
            ("9999999999", 10**8, 10**10),
            ("9" * 5000, 10**8, 10**10),
            ("0" * 5000 + "7", 6, 8),
        ):
            with self.subTest(header):
                self.vault.next(problem(401, "unauthorized", {"Retry-After": header}))
                with self.assertRaises(TokenVaultError) as caught:
                    self.client.get("a")
                if least is None:
                    self.assertIsNone(caught.exception.retry_after)
                else:
                    self.assertTrue(least < caught.exception.retry_after < most)

    def test_end_when_their_time_is_over(self) -> None:
        self.vault.next(*[AWAY] * 50)
        with self.assertRaises(TokenVaultError) as caught:
            TokenVaultClient(self.vault.url, API_KEY, retry_for=0.5).get("a")
        self.assertEqual(caught.exception.code, "storage_unavailable")
        self.assertTrue(1 < len(self.vault.requests) < 20)

    def test_survive_a_restart_of_the_vault(self) -> None:
        self.vault.stop()
        threading.Timer(0.4, self.vault.start).start()
        self.assertEqual(self.client.get("a")["id"], "a")

    def test_of_a_save_say_how_much_of_the_life_is_left_by_then(self) -> None:
        self.vault.next(problem(503, "storage_unavailable", {"Retry-After": "1"}))
        self.client.save({"id": "a", "access_token": "t", "expires_in": 100})
        self.assertEqual([seen.body["expires_in"] for seen in self.vault.requests], [100, 99])
