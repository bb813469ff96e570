"""The flow of Zoho's own sample of a custom store, with ours in place of its SQLite one."""

from __future__ import annotations

import time
import unittest

from . import world
from .application import call, environment_of, initialize
from .behaviours import behaviour
from .zoho_tokens import Initializer, OAuthToken, SDKException, UserSignature, ZohoTokenStore


class RecordingStore(ZohoTokenStore):
    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.calls: list[str] = []

    def find_token(self, token):
        self.calls.append("find_token")
        return super().find_token(token)

    def find_token_by_id(self, id):  # noqa: A002
        self.calls.append("find_token_by_id")
        return super().find_token_by_id(id)

    def save_token(self, token):
        self.calls.append("save_token")
        return super().save_token(token)

    def calls_of(self, action) -> list[str]:
        self.calls.clear()
        action()
        return [*self.calls]


class TestTheSample(unittest.TestCase):
    @behaviour("order-of-calls")
    def test_runs_unchanged(self) -> None:
        world.set_lifetime(5)
        self.addCleanup(world.set_lifetime, 3600)
        store = RecordingStore(world.VAULT, world.API_KEY)
        store.delete_tokens()

        # initialize with a grant token
        first = OAuthToken(grant_token=world.grant("sam"), **world.CLIENT)
        self.assertEqual(store.calls_of(lambda: initialize(world.ZOHO, first, store)), ["find_token", "save_token"])
        self.assertEqual(first.get_user_signature().get_name(), world.signature_of("sam"))

        # call, expire, call again
        self.assertEqual(store.calls_of(lambda: self.assertEqual(call(), "sam")), ["find_token_by_id"])
        time.sleep(5.2)
        self.assertEqual(store.calls_of(lambda: self.assertEqual(call(), "sam")), ["find_token_by_id"])

        # switch user
        second = OAuthToken(grant_token=world.grant("tom"), **world.CLIENT)
        self.addCleanup(setattr, Initializer.LOCAL, "init", None)
        switch = store.calls_of(lambda: Initializer.switch_user(environment_of(world.ZOHO), second))
        self.assertEqual(switch, ["find_token", "save_token"])
        self.assertEqual(store.calls_of(lambda: self.assertEqual(call(), "tom")), ["find_token_by_id"])
        # The stand-in knows the SDK's own requests: it has traded the codes.
        self.assertNotEqual(world.calls("exchange", by="sdk"), [])
        self.assertEqual(world.calls("refresh", by="sdk"), [])

        # get_tokens, find_token_by_id, delete_token, delete_tokens
        self.assertEqual({token.get_id() for token in store.get_tokens()}, {first.get_id(), second.get_id()})
        found = store.find_token_by_id(first.get_id())
        self.assertEqual(found.get_user_signature().get_name(), world.signature_of("sam"))
        self.assertTrue(first.remove())
        self.assertRaises(SDKException, store.find_token_by_id, first.get_id())
        self.assertIsNone(store.find_token(OAuthToken(user_signature=UserSignature(world.signature_of("sam")))))
        store.delete_tokens()
        self.assertEqual(store.get_tokens(), [])
