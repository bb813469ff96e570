from __future__ import annotations

import pickle
import socket
import threading
import time
import traceback
import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

from token_vault import TokenVaultClient, TokenVaultError

from .fake_vault import API_KEY, FakeVault, Reply, problem


class ClientTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.vault = FakeVault()
        self.addCleanup(self.vault.stop)
        self.client = TokenVaultClient(self.vault.url, API_KEY)

    def impatient(self, **options: float) -> TokenVaultClient:
        return TokenVaultClient(self.vault.url, API_KEY, **{"retry_for": 0, **options})

    def assert_fails(self, code: str, call, *arguments, **options) -> TokenVaultError:
        with self.assertRaises(TokenVaultError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.code, code)
        return caught.exception


class TestRequests(ClientTestCase):
    def test_bear_the_api_key_and_ask_for_the_life_wanted(self) -> None:
        self.vault.put(id="a", user_name="ann")
        self.assertEqual(self.client.find({"user_name": "ann"}, min_ttl=60)["id"], "a")
        self.assertEqual(self.client.get("a", min_ttl=30)["id"], "a")
        find, get = self.vault.requests
        self.assertEqual(find.body, {"user_name": "ann", "min_ttl": 60})
        self.assertEqual(find.headers["authorization"], f"Bearer {API_KEY}")
        self.assertEqual(get.query, {"min_ttl": "30"})

    def test_ask_for_whole_seconds_of_life_and_no_fewer_than_are_wanted(self) -> None:
        for wanted, asked in ((60.0, 60), (90.5, 91)):
            self.vault.requests.clear()
            self.vault.next(*[Reply(200, {"id": "a", "access_token": "t"})] * 4)
            self.client.get("a", min_ttl=wanted)
            self.client.access_token("a", min_ttl=wanted)
            self.client.find({"user_name": "ann"}, min_ttl=wanted)
            self.client.access_token({"user_name": "ann"}, min_ttl=wanted)
            get, access_token, *by_partial = self.vault.requests
            self.assertEqual([get.query, access_token.query], [{"min_ttl": str(asked)}] * 2)
            self.assertEqual([seen.body["min_ttl"] for seen in by_partial], [asked] * 2)

    def test_keep_the_path_before_v1_and_drop_the_slash(self) -> None:
        TokenVaultClient(f"{self.vault.url}/the vault/", API_KEY).get("a")
        self.assertEqual(self.vault.requests[0].path, "/the%20vault/v1/tokens/a")

    def test_go_to_the_path_of_each_call(self) -> None:
        self.vault.next(*[Reply(200, {"id": "a", "access_token": "t"})] * 4, Reply(204))
        self.client.access_token("a", min_ttl=5)
        self.client.access_token({"user_name": "ann"})
        self.client.refresh("a")
        self.client.exchange({"client_id": "c", "grant_token": "g"})
        self.client.revoke("a:b")
        self.assertEqual(
            [(seen.method, seen.path) for seen in self.vault.requests],
            [
                ("GET", "/v1/tokens/a/access-token"),
                ("POST", "/v1/access-token"),
                ("POST", "/v1/tokens/a/refresh"),
                ("POST", "/v1/tokens/exchange"),
                ("POST", "/v1/tokens/a%3Ab/revoke"),
            ],
        )

    def test_save_under_a_condition_when_a_version_is_given(self) -> None:
        self.client.save({"access_token": "a"}, if_match=3)
        self.assertEqual(self.vault.requests[0].headers["if-match"], '"3"')

    def test_carry_every_letter_as_it_is(self) -> None:
        name = "z', x='y %s ? ž 李 😀"
        self.client.save({"user_name": name, "access_token": "a"})
        self.assertEqual(self.client.find({"user_name": name})["user_name"], name)
        list(self.client.list({"user_name": name}))
        self.assertEqual(self.vault.requests[-1].query, {"user_name": name})

    def test_delete_by_a_filter_or_all(self) -> None:
        for _ in range(3):
            self.vault.put()
        self.assertEqual(self.client.delete_many({"all": True}), 3)
        self.client.delete_many({"provider": "zoho", "status": "failing"})
        self.assertEqual(
            [seen.query for seen in self.vault.requests], [{"all": "true"}, {"provider": "zoho", "status": "failing"}]
        )

    def test_of_many_threads_do_not_disturb_each_other(self) -> None:
        found: list[str] = []
        for at in range(20):
            self.vault.put(id=f"t{at}")
        threads = [
            threading.Thread(target=lambda at=at: found.append(self.client.get(f"t{at}")["id"])) for at in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(found), sorted(self.vault.tokens))


class TestWhatIsNotThere(ClientTestCase):
    def test_is_none_for_a_find_and_a_get_false_for_a_delete(self) -> None:
        self.assertIsNone(self.client.find({"user_name": "nobody"}))
        self.assertIsNone(self.client.get("nothing"))
        self.assertFalse(self.client.delete("nothing"))

    def test_is_every_id_that_no_token_can_have(self) -> None:
        for token_id in ("", "..", ".", "a/b", "a?b", "é", "a\n", "a" * 129):
            with self.subTest(token_id):
                self.assertIsNone(self.client.get(token_id))
                self.assertFalse(self.client.delete(token_id))
        self.assertEqual(self.vault.requests, [])

    def test_is_an_error_where_a_token_is_needed(self) -> None:
        self.assertEqual(self.assert_fails("not_found", self.client.access_token, "nothing").status, 404)


class TestLists(ClientTestCase):
    def test_fetch_page_after_page_until_the_last(self) -> None:
        for token_id in "abcde":
            self.vault.put(id=token_id)
        tokens = self.client.list({"status": "active"}, limit=2)
        self.assertEqual([token["id"] for token in tokens], list("abcde"))
        self.assertEqual([seen.query["status"] for seen in self.vault.requests], ["active"] * 3)

    def test_fetch_no_page_that_nobody_asks_for(self) -> None:
        for token_id in "abc":
            self.vault.put(id=token_id)
        self.assertEqual(next(self.client.list(limit=1))["id"], "a")
        self.assertEqual(len(self.vault.requests), 1)

    def test_give_a_datetime_as_rfc_3339_in_utc(self) -> None:
        moment = datetime(2030, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
        list(self.client.list({"expires_before": moment}, include="secrets"))
        self.assertEqual(
            self.vault.requests[0].query, {"expires_before": "2030-01-31T10:00:00.000Z", "include": "secrets"}
        )


class TestErrors(ClientTestCase):
    def test_say_all_that_the_problem_document_says(self) -> None:
        errors = [{"pointer": "/scope", "detail": "too long"}]
        self.vault.next(problem(409, "conflict", token_id="b", matches=["a", "b"], errors=errors))
        error = self.assert_fails("conflict", self.client.save, {"access_token": "a"})
        self.assertEqual((error.status, error.detail, str(error)), (409, "It is conflict.", "It is conflict."))
        self.assertEqual((error.request_id, error.token_id), ("req-1", "b"))
        self.assertEqual((error.matches, error.errors), (["a", "b"], errors))

    def test_survive_the_way_from_one_process_to_another(self) -> None:
        self.vault.next(problem(409, "conflict", token_id="b"))
        error = pickle.loads(pickle.dumps(self.assert_fails("conflict", self.client.save, {})))
        self.assertEqual((error.status, error.detail, error.token_id), (409, "It is conflict.", "b"))

    def test_of_an_unreachable_vault_name_the_address_and_the_reason(self) -> None:
        self.vault.stop()
        error = self.assert_fails(
            "unreachable", TokenVaultClient(f"{self.vault.url}/path", API_KEY, retry_for=0).get, "a"
        )
        self.assertEqual(str(error), f"The token vault at {self.vault.url} cannot be reached: Connection refused.")
        self.assertEqual(error.status, 0)
        self.vault.start()

    def test_of_a_name_that_does_not_exist_say_so(self) -> None:
        client = TokenVaultClient("http://vault.invalid:8080", API_KEY, retry_for=0)
        self.assertIn("http://vault.invalid:8080", str(self.assert_fails("unreachable", client.get, "a")))

    def test_of_a_vault_that_is_too_slow_say_so(self) -> None:
        self.vault.next(Reply(200, {}, delay=0.5))
        error = self.assert_fails("timeout", self.impatient(timeout=0.05).get, "a")
        self.assertEqual(str(error), f"The token vault at {self.vault.url} has not answered within 0.05 s.")

    def test_tell_an_answer_that_is_not_the_vaults_apart(self) -> None:
        elsewhere = {"location": "http://elsewhere.example"}
        for reply in (
            Reply(200, "<html>"),
            Reply(200, "[]"),
            Reply(200, "[" * 100_000),
            Reply(404, "<html>"),
            Reply(302, "", elsewhere),
            Reply(403, '{"message": "blocked"}'),
        ):
            with self.subTest(status=reply.status, body=reply.body[:20]):
                self.vault.next(reply)
                error = self.assert_fails("invalid_answer", self.client.get, "a")
                self.assertEqual(error.status, reply.status)
                self.assertIn(self.vault.url, str(error))

    def test_never_carry_the_api_key_nor_what_was_answered(self) -> None:
        self.vault.next(Reply(200, '{"refresh_token": "hush'))
        errors = [self.assert_fails("invalid_answer", self.client.get, "a")]
        self.vault.next(Reply(200, '{"refresh_token": "hush', {"Content-Length": "1000"}))
        errors.append(self.assert_fails("unreachable", self.impatient().get, "a"))
        self.vault.stop()
        errors.append(self.assert_fails("unreachable", self.impatient().get, "a"))
        self.vault.start()
        for error in errors:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self.assertNotIn(API_KEY[-43:], text + repr(error) + repr(vars(error)) + repr(self.client))
            self.assertNotIn("hush", text + repr(error.__context__))


class TestOptions(ClientTestCase):
    def test_refuse_a_url_that_is_none(self) -> None:
        wrong = ("", "vault", "ftp://vault", "http://", "http://ann:secret@vault", "http://a..b", "http://vault:port")
        for url in (*wrong, None):
            with self.subTest(url), self.assertRaisesRegex(ValueError, "^url must") as caught:
                TokenVaultClient(url, API_KEY)
            self.assertNotIn("secret", str(caught.exception))

    def test_refuse_a_url_that_ends_in_v1_and_say_what_to_give(self) -> None:
        for path in ("/v1", "/v1/", "/vault/v1"):
            with self.subTest(path), self.assertRaisesRegex(ValueError, "^url must be the address before /v1, such as"):
                TokenVaultClient(self.vault.url + path, API_KEY)

    def test_refuse_a_time_limit_that_is_not_over_0(self) -> None:
        for timeout in (0, -1, float("nan"), None):
            with self.subTest(timeout), self.assertRaisesRegex(ValueError, "^timeout must be over 0"):
                self.impatient(timeout=timeout)

    def test_take_a_time_limit_that_no_socket_can_hold(self) -> None:
        # In 32 bits the last one is a fifth of a second.
        for timeout in (float("inf"), 1e10, 2**32 / 1000 + 0.2):
            with self.subTest(timeout):
                self.vault.next(Reply(404, problem(404, "not_found").body, delay=0.5))
                self.assertIsNone(self.impatient(timeout=timeout).get("a"))

    def test_refuse_a_key_that_is_none_without_repeating_it(self) -> None:
        for key in ("", "se\ncret", "sécret", None):
            with self.subTest(key), self.assertRaisesRegex(ValueError, "^api_key must be") as caught:
                TokenVaultClient(self.vault.url, key)
            self.assertNotIn("cret", str(caught.exception))

    def test_take_a_key_with_the_line_break_of_the_file_that_it_was_in(self) -> None:
        TokenVaultClient(self.vault.url, f"{API_KEY}\n").get("a")
        self.assertEqual(self.vault.requests[0].headers["authorization"], f"Bearer {API_KEY}")


class TestWhereTheKeyGoes(ClientTestCase):
    def test_not_to_where_a_redirect_points(self) -> None:
        other = FakeVault()
        self.addCleanup(other.stop)
        for status in (301, 302, 307, 308):
            self.vault.next(Reply(status, "", {"location": f"{other.url}/v1/tokens/find"}))
            self.assert_fails("invalid_answer", self.client.find, {"refresh_token": "r"})
        self.assertEqual(other.requests, [])

    def test_not_to_a_proxy_of_the_environment(self) -> None:
        proxy = FakeVault()
        self.addCleanup(proxy.stop)
        names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy")
        with mock.patch.dict("os.environ", dict.fromkeys(names, proxy.url)):
            self.client.get("a")
        self.assertEqual((len(self.vault.requests), proxy.requests), (1, []))


class TestLimits(ClientTestCase):
    def test_an_answer_that_trickles_in_is_cut_off_in_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ended = threading.Event()
            self.addCleanup(ended.set)

            def trickle() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not ended.wait(0.05):
                        connection.sendall(b"x-more: more\r\n")

            threading.Thread(target=trickle, daemon=True).start()
            client = TokenVaultClient(f"http://127.0.0.1:{server.getsockname()[1]}", API_KEY, timeout=0.3, retry_for=0)
            started_at = time.monotonic()
            self.assert_fails("timeout", client.get, "a")
            self.assertLess(time.monotonic() - started_at, 3)
            ended.set()

    def test_an_answer_that_is_too_long_is_not_read_to_its_end(self) -> None:
        self.vault.next(Reply(200, '{"a": "' + "x" * 2000 + '"}'))
        with mock.patch("token_vault._http.MOST_BYTES", 1000):
            error = self.assert_fails("unreachable", self.impatient().get, "a")
        self.assertIn("longer than 1000 bytes", str(error))
