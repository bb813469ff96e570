from __future__ import annotations

from token_vault import TokenVaultClient

from .fake_vault import API_KEY, Reply, problem
from .test_client import ClientTestCase


def answered(client: TokenVaultClient) -> tuple:
    return (
        lambda: client.find({"user_name": "ann"}),
        lambda: client.get("a"),
        lambda: client.save({"id": "a"}),
        lambda: client.delete_many({"all": True}),
        lambda: list(client.list()),
        lambda: client.access_token("a"),
        lambda: client.access_token({"user_name": "ann"}),
        lambda: client.refresh("a"),
        lambda: client.exchange({"client_id": "c", "grant_token": "g"}),
    )


def unanswered(client: TokenVaultClient) -> tuple:
    return (lambda: client.delete("a"), lambda: client.revoke("a"))


class TestAnotherServerInTheVaultsPlace(ClientTestCase):
    def test_is_told_by_its_json(self) -> None:
        wrong = {"id": 7, "access_token": None, "tokens": {}, "deleted": "1"}
        for at, call in enumerate((*answered(self.client), *unanswered(self.client))):
            for body in ({"status": "ok"}, {"code": "not_found"}, wrong):
                with self.subTest(call=at, body=body):
                    self.vault.next(Reply(200, body))
                    self.assertEqual(self.assert_fails("invalid_answer", call).status, 200)

    def test_is_the_vault_where_its_path_is_wrong(self) -> None:
        client = TokenVaultClient(f"{self.vault.url}/vault", API_KEY)
        for at, call in enumerate((*answered(client), *unanswered(client))):
            with self.subTest(call=at):
                self.vault.next(problem(404, "not_found", errors=[{"pointer": "", "detail": "is no route"}]))
                error = self.assert_fails("invalid_answer", call)
                self.assertEqual((error.status, error.request_id), (404, "req-1"))
                address = self.vault.url + self.vault.requests[-1].path
                self.assertIn(f"The token vault has no route {address}: is the url right", str(error))

    def test_is_told_by_a_204_which_the_vault_does_not_answer_to_a_call_for_a_token(self) -> None:
        for at, call in enumerate(answered(self.client)):
            with self.subTest(call=at):
                self.vault.next(Reply(204))
                self.assertEqual(self.assert_fails("invalid_answer", call).status, 204)
