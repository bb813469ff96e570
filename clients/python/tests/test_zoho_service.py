"""The real SDK and the real service: what an adapter does with the two of them."""

from __future__ import annotations

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from token_vault import TokenVaultClient

from . import application, world
from .application import call, initialize
from .behaviours import behaviour
from .zoho_tokens import Initializer, OAuthToken, SDKException, UserSignature, ZohoTokenStore

vault = TokenVaultClient(world.VAULT, world.API_KEY, retry_for=30)


def store_with(api_key: str = world.API_KEY, **options: float) -> ZohoTokenStore:
    return ZohoTokenStore(world.VAULT, api_key, **options)


def user_token(name: str) -> OAuthToken:
    return OAuthToken(user_signature=UserSignature(world.signature_of(name)))


def grant_token(name: str, **more: UserSignature) -> OAuthToken:
    """As an application configures it for a login."""
    return OAuthToken(grant_token=world.grant(name), **world.CLIENT, **more)


def log_in(name: str, **more: UserSignature) -> OAuthToken:
    return initialize(world.ZOHO, grant_token(name, **more), store_with())


def save_expired(name: str) -> dict[str, str]:
    """A user who is in the vault already, with an access token that has expired."""
    refresh_token = world.refresh_token(name)
    saved = vault.save(
        {
            **{"user_name": world.signature_of(name), "api_domain": world.ZOHO, **world.CLIENT},
            **{"refresh_token": refresh_token, "access_token": f"gone-{name}", "expires_in": 0},
        }
    )
    return {"id": saved["id"], "refresh_token": refresh_token}


class TestRenewals(unittest.TestCase):
    def tearDown(self) -> None:
        world.set_lifetime(3600)

    @behaviour("never-refreshes")
    def test_are_never_the_sdks_over_five_expiries(self) -> None:
        world.set_lifetime(5)
        log_in("ann")
        ends_at = time.monotonic() + 5 * 5 + 1
        while time.monotonic() < ends_at:
            self.assertEqual(call(), "ann")
            time.sleep(0.3)
        used = {made["token"] for made in world.calls("org", user="ann@example.com")}
        self.assertGreater(len(used), 5)
        self.assertEqual(world.calls("refresh", by="sdk"), [])

    @behaviour("single-flight")
    def test_are_one_request_for_five_threads_with_an_expired_token(self) -> None:
        log_in("ben")
        expired = save_expired("bob")

        def switch_and_call(_: int) -> str:
            Initializer.switch_user(token=user_token("bob"))
            return call()

        with ThreadPoolExecutor(5) as threads:
            self.assertEqual(list(threads.map(switch_and_call, range(5))), ["bob"] * 5)
        self.assertEqual([made["by"] for made in world.calls("refresh", token=expired["refresh_token"])], ["vault"])


class TestApplications(unittest.TestCase):
    def run_application(self, **token: str) -> dict[str, str | None]:
        store = {"url": world.VAULT, "api_key": world.API_KEY}
        return application.run(zoho=world.ZOHO, store=store, token=token)

    @behaviour("restart")
    def test_that_start_again_go_on_with_the_token_that_they_had(self) -> None:
        first = self.run_application(grant_token=world.grant("cleo"), **world.CLIENT)
        self.assertEqual(self.run_application(id=first["id"]), first)
        self.assertEqual(world.calls(token=vault.get(first["id"])["refresh_token"]), [])

    @behaviour("two-processes")
    def test_in_two_processes_share_the_token_of_their_user(self) -> None:
        expired = save_expired("dora")
        with ThreadPoolExecutor(2) as threads:
            user = world.signature_of("dora")
            answers = [threads.submit(self.run_application, user=user) for _ in range(2)]
            one, other = (answer.result() for answer in answers)
        self.assertEqual(one, other)
        self.assertEqual(len(world.calls("refresh", token=expired["refresh_token"])), 1)

    @behaviour("two-users")
    def test_of_two_users_in_one_process_use_each_ones_token(self) -> None:
        store = store_with()
        for name in ("emil", "fay"):
            initialize(world.ZOHO, grant_token(name), store)
        for name in ("emil", "fay", "emil"):
            initialize(world.ZOHO, user_token(name), store)
            self.assertEqual(call(), name)

    @behaviour("old-refresh-token")
    def test_with_an_old_refresh_token_find_the_token_of_the_new_login_and_do_not_spend_the_old_one(self) -> None:
        old = save_expired("gus")["refresh_token"]
        world.revoke(old)
        renewed = log_in("gus", user_signature=UserSignature(world.signature_of("gus")))
        spent = len(world.calls(token=old))
        token = initialize(world.ZOHO, OAuthToken(refresh_token=old, **world.CLIENT), store_with())
        self.assertEqual((token.get_id(), call()), (renewed.get_id(), "gus"))
        self.assertEqual(len(list(vault.list({"user_name": world.signature_of("gus")}))), 1)
        self.assertEqual(len(world.calls(token=old)), spent)

    @behaviour("fractional-life")
    def test_may_ask_for_a_life_that_is_no_whole_number_of_seconds(self) -> None:
        token_id = save_expired("moe")["id"]
        store = store_with(min_ttl=90.5)
        self.assertEqual(store.find_token_by_id(token_id).get_id(), token_id)
        self.assertEqual(store.find_token(user_token("moe")).get_id(), token_id)

    @behaviour("revoke")
    def test_that_revoke_do_it_at_zoho_and_in_the_vault(self) -> None:
        token = log_in("hal")
        self.assertTrue(world.is_live(token.get_refresh_token()))
        store_with().revoke(token.get_id())
        self.assertFalse(world.is_live(token.get_refresh_token()))
        self.assertIsNone(vault.get(token.get_id()))


class TestUseKeys(unittest.TestCase):
    @behaviour("use-key")
    @behaviour("use-key-save")
    def test_are_enough_for_an_application_that_then_holds_no_secret_but_the_access_token(self) -> None:
        log_in("ida")
        store = store_with(world.create_key("tokens:use"))
        token = initialize(world.ZOHO, user_token("ida"), store)
        self.assertEqual(call(), "ida")
        self.assertEqual((token.get_refresh_token(), token.get_client_secret(), token.get_grant_token()), (None,) * 3)
        store.save_token(token)
        token.set_refresh_token("new")
        with self.assertLogs("token_vault.zoho"), self.assertRaisesRegex(SDKException, "tokens:write"):
            store.save_token(token)

    @behaviour("save-error-told")
    def test_do_not_do_for_a_first_login_which_is_logged_once_where_the_sdk_keeps_it_to_itself(self) -> None:
        token = grant_token("jim")
        with self.assertLogs("token_vault.zoho") as logs:
            initialize(world.ZOHO, token, store_with(world.create_key("tokens:use")))
            self.assertEqual(call(), "jim")
        (line,) = logs.output
        self.assertIn("tokens:write", line)
        for secret in (token.get_refresh_token(), token.get_access_token(), world.CLIENT["client_secret"]):
            self.assertNotIn(secret, line)


class TestTheVaultAway(unittest.TestCase):
    @behaviour("vault-down")
    @behaviour("vault-down-cached")
    def test_is_not_noticed_while_the_cached_access_token_lives_and_an_error_afterwards(self) -> None:
        initialize(world.ZOHO, grant_token("kim"), store_with(cache_seconds=0, retry_for=0))
        self.assertEqual(call(), "kim")
        self.addCleanup(world.start_vault)
        world.stop_vault()
        self.assertEqual(call(), "kim")
        later = time.time() + 3601
        with mock.patch("time.time", return_value=later), self.assertRaises(SDKException) as caught:
            call()
        self.assertIn(f"The token vault at {world.VAULT} cannot be reached", str(caught.exception))
        self.assertNotIn(world.API_KEY, str(caught.exception))
        self.assertEqual(world.calls("refresh", by="sdk"), [])

    @behaviour("wrong-url")
    def test_is_told_from_a_wrong_url_which_neither_finds_nor_deletes_nor_refreshes(self) -> None:
        token_id = save_expired("max")["id"]
        lost = ZohoTokenStore(f"{world.VAULT}/vault", world.API_KEY)
        for call_lost in (
            lambda: lost.find_token(user_token("max")),
            lambda: lost.find_token_by_id(token_id),
            lambda: lost.delete_token(token_id),
        ):
            with self.assertRaisesRegex(SDKException, f"no route {world.VAULT}/vault/v1/tokens/") as caught:
                call_lost()
            self.assertEqual(caught.exception.code, "invalid_answer")
        self.assertIsNotNone(vault.get(token_id))

    @behaviour("vault-restarting")
    def test_is_not_noticed_where_it_is_back_within_the_retries(self) -> None:
        log_in("lea")
        world.stop_vault()
        restart = threading.Timer(0.5, world.start_vault)
        restart.start()
        self.addCleanup(restart.join)
        initialize(world.ZOHO, user_token("lea"), store_with(retry_for=30))
        self.assertEqual(call(), "lea")
