from __future__ import annotations

import ssl
import tempfile
import unittest

from token_vault import TokenVaultClient, TokenVaultError

from . import world
from .fake_vault import API_KEY, FakeVault, Reply


class TestTls(unittest.TestCase):
    def setUp(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(world.TLS["key"] + "\n" + world.TLS["cert"])
            file.flush()
            context.load_cert_chain(file.name)
        self.vault = FakeVault(context)
        self.addCleanup(self.vault.stop)
        self.vault.put(id="a")

    def client_that_trusts(self, certificate: str | None, **options: float) -> TokenVaultClient:
        trust = None if certificate is None else ssl.create_default_context(cadata=certificate)
        return TokenVaultClient(self.vault.url, API_KEY, retry_for=0, ssl_context=trust, **options)

    def test_is_spoken_with_a_vault_whose_certificate_is_trusted(self) -> None:
        self.assertEqual(self.client_that_trusts(world.TLS["cert"]).get("a")["id"], "a")

    def test_is_refused_with_any_other_before_the_key_is_sent(self) -> None:
        with self.assertRaisesRegex(
            TokenVaultError, f"{self.vault.url} cannot be reached: .*CERTIFICATE_VERIFY_FAILED"
        ):
            self.client_that_trusts(None).get("a")
        self.assertEqual(self.vault.requests, [])

    def test_keeps_the_time_limit(self) -> None:
        self.vault.next(Reply(200, {}, delay=1))
        with self.assertRaisesRegex(TokenVaultError, "has not answered within 0.3 s"):
            self.client_that_trusts(world.TLS["cert"], timeout=0.3).get("a")
