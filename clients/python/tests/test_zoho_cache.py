from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from .behaviours import behaviour
from .fake_vault import Reply, problem
from .test_zoho_store import StoreTestCase
from .zoho_tokens import token_of


class CacheTestCase(StoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = time.time()
        clock = mock.patch("time.time", side_effect=lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        self.vault.put(id="a", user_name="ann", access_token="access-1", expires_in=3600)

    def access_token(self) -> str:
        return self.store.find_token_by_id("a").get_access_token()

    def assert_call_ends_at(self, reads: int) -> None:
        """One more call, and so many reads since the beginning of the test."""
        self.access_token()
        self.assertEqual(self.vault.reads(), reads)


class TestTheCache(CacheTestCase):
    @behaviour("cache")
    def test_makes_one_read_of_a_thousand_calls_within_its_life(self) -> None:
        for _ in range(1000):
            self.assert_call_ends_at(1)

    def test_makes_one_read_of_fifty_threads_at_once_by_id_or_by_a_partial_token(self) -> None:
        for find in (lambda: self.store.find_token_by_id("a"), lambda: self.store.find_token(token_of("ann"))):
            self.store = self.store_with()
            self.vault.requests.clear()
            self.vault.next(Reply(200, self.vault.tokens["a"], delay=0.2))
            with ThreadPoolExecutor(50) as threads:
                tokens = [answer.result() for answer in [threads.submit(find) for _ in range(50)]]
            self.assertEqual({token.get_access_token() for token in tokens}, {"access-1"})
            self.assertEqual(self.vault.reads(), 1)

    def test_lets_all_threads_that_wait_for_one_read_see_it_fail(self) -> None:
        self.vault.next(Reply(500, problem(500, "internal_error").body, delay=0.2))
        with ThreadPoolExecutor(5) as threads:
            answers = [threads.submit(self.store.find_token_by_id, "a") for _ in range(5)]
        self.assertEqual({answer.exception().code for answer in answers}, {"internal_error"})
        self.assertEqual(self.access_token(), "access-1")

    def test_reads_again_for_those_who_waited_where_the_reading_thread_was_interrupted(self) -> None:
        reading, waiting = threading.Event(), threading.Event()
        get = self.store._vault.get

        def interrupted(*arguments, **options):
            self.store._vault.get = get
            reading.set()
            waiting.wait(10)
            raise KeyboardInterrupt

        self.store._vault.get = interrupted
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(self.store.find_token_by_id, "a")
            reading.wait(10)
            second = threads.submit(self.store.find_token_by_id, "a")
            time.sleep(0.1)
            waiting.set()
            self.assertIsInstance(first.exception(), KeyboardInterrupt)
            self.assertEqual(second.result().get_access_token(), "access-1")

    def test_serves_a_token_that_was_found_by_its_user_under_its_id_as_well(self) -> None:
        self.store.find_token(token_of("ann"))
        self.assert_call_ends_at(1)

    def test_lasts_for_cache_seconds(self) -> None:
        self.access_token()
        self.now += 29
        self.assert_call_ends_at(1)
        self.now += 2
        self.assert_call_ends_at(2)

    def test_is_off_with_cache_seconds_0(self) -> None:
        self.store = self.store_with(cache_seconds=0)
        self.access_token()
        self.assert_call_ends_at(2)

    def test_ends_where_less_than_min_ttl_is_left(self) -> None:
        self.store = self.store_with(cache_seconds=10_000)
        self.access_token()
        self.now += 3539
        self.assert_call_ends_at(1)
        self.now += 2
        self.assert_call_ends_at(2)

    def test_ends_at_a_fifth_of_the_life_where_a_token_does_not_live_for_long(self) -> None:
        self.vault.put(id="a", access_token="access-1", expires_in=10)
        self.access_token()
        self.now += 7.9
        self.assert_call_ends_at(1)
        self.now += 0.2
        self.assert_call_ends_at(2)

    def test_ends_where_the_clock_is_set_back_which_would_keep_a_token_for_longer_than_it_lives(self) -> None:
        self.access_token()
        self.now -= 600
        self.assert_call_ends_at(2)

    def test_keeps_an_expiry_as_it_was_read_not_as_it_is_counted_later(self) -> None:
        first = self.store.find_token_by_id("a")
        self.now += 20
        self.assertEqual(self.store.find_token_by_id("a").get_expires_in(), first.get_expires_in())

    def test_does_not_keep_what_was_not_found(self) -> None:
        self.assertIsNone(self.store.find_token(token_of("bob")))
        self.vault.put(id="b", user_name="bob", access_token="b")
        self.assertEqual(self.store.find_token(token_of("bob")).get_access_token(), "b")

    @behaviour("cache-dropped")
    def test_is_dropped_by_a_save_a_delete_and_a_revocation(self) -> None:
        for change in (
            lambda: self.store.save_token(token_of(id="a", access_token="access-2")),
            lambda: self.store.delete_token("a"),
            lambda: self.store.delete_tokens(),
            lambda: self.store.revoke("a"),
        ):
            self.vault.put(id="a", user_name="ann", access_token="access-1", expires_in=3600)
            self.store.find_token(token_of("ann"))
            self.vault.requests.clear()
            change()
            self.store.find_token(token_of("ann"))
            self.assertEqual(self.vault.reads(), 1)

    def test_is_not_filled_by_an_answer_that_is_older_than_a_save(self) -> None:
        old = {"id": "a", "access_token": "access-1", "expires_in": 3600}
        self.vault.next(Reply(200, old, delay=0.3))
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(self.store.find_token_by_id, "a")
            while not self.vault.requests:
                time.sleep(0.01)
            self.store.save_token(token_of(id="a", access_token="access-2"))
            answer.result()
        self.assertEqual(self.access_token(), "access-2")

    def test_forgets_a_token_that_the_vault_has_no_more(self) -> None:
        self.access_token()
        self.vault.tokens.clear()
        self.now += 31
        self.assert_fails("TOKEN_STORE", self.access_token)


class TestWhileTheVaultIsAway(CacheTestCase):
    @behaviour("vault-down-cached")
    @behaviour("vault-down")
    def test_the_cached_access_token_is_used_for_as_long_as_it_lives_then_the_error_names_the_url(self) -> None:
        self.access_token()
        self.vault.stop()
        self.now += 3500
        self.assertEqual(self.access_token(), "access-1")
        self.now += 101
        exception = self.assert_fails("unreachable", self.access_token)
        self.assertIn(f"The token vault at {self.vault.url} cannot be reached: Connection refused.", str(exception))
        self.vault.start()

    def test_it_is_not_asked_at_every_call(self) -> None:
        self.access_token()
        self.now += 31
        self.vault.next(problem(503, "storage_unavailable"))
        for _ in range(20):
            self.assert_call_ends_at(2)
        self.now += 6
        self.assert_call_ends_at(3)

    def test_a_token_found_by_its_user_goes_on_as_well(self) -> None:
        self.store.find_token(token_of("ann"))
        self.now += 31
        self.vault.next(problem(500, "internal_error"))
        self.assertEqual(self.store.find_token(token_of("ann")).get_id(), "a")

    def test_it_goes_on_where_a_proxy_answers_in_the_vaults_place(self) -> None:
        for reply in (Reply(404, "page not found"), Reply(200, "<html>maintenance</html>")):
            with self.subTest(reply.status):
                self.access_token()
                self.now += 31
                self.vault.next(reply)
                self.assertEqual(self.access_token(), "access-1")

    def test_without_a_cached_token_the_error_is_the_sdks_exception(self) -> None:
        self.vault.stop()
        self.assert_fails("unreachable", self.store.find_token, token_of("ann"))
        self.vault.start()

    def test_a_slow_vault_holds_a_call_up_for_two_seconds_at_most(self) -> None:
        self.access_token()
        self.now += 31
        self.vault.next(Reply(200, {}, delay=4))
        started_at = time.monotonic()
        self.assertEqual(self.access_token(), "access-1")
        self.assertLess(time.monotonic() - started_at, 3.5)

    def test_a_token_that_dies_meanwhile_is_asked_for_with_patience(self) -> None:
        self.access_token()
        self.now += 3590
        self.store._hasty_vault = mock.Mock(wraps=self.store._hasty_vault)

        def last_seconds(*_, **__):
            self.now += 11
            return self.store._hasty_vault.get._mock_wraps("a")

        self.store._hasty_vault.get.side_effect = last_seconds
        self.vault.next(problem(503, "storage_unavailable"))
        self.assertEqual(self.access_token(), "access-1")
        self.assertEqual(self.vault.reads(), 3)

    def test_an_answer_about_the_key_or_the_token_is_no_outage(self) -> None:
        self.access_token()
        self.now += 31
        self.vault.next(problem(401, "unauthorized"))
        self.assert_fails("unauthorized", self.access_token)
