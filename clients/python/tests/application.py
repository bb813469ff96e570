"""An application that uses the real SDK with its tokens in the vault.

As a program, ``python -m tests.application SETTINGS``, it initializes the SDK, calls Zoho and prints what it has.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from typing import Any

from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.org.org_operations import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.org.response_wrapper import ResponseWrapper

from .zoho_tokens import OAuthToken, TokenStore, UserSignature, ZohoTokenStore

# The SDK logs what it cannot format, a page of traceback each.
logging.getLogger("SDKLogger").disabled = True


def environment_of(zoho: str) -> DataCenter.Environment:
    return DataCenter.Environment(zoho, f"{zoho}/oauth/v2/token", zoho)


def initialize(zoho: str, token: OAuthToken, store: TokenStore) -> OAuthToken:
    Initializer.LOCAL.init = None
    Initializer.initialize(environment_of(zoho), token, store=store, resource_path=tempfile.gettempdir())
    return token


def call() -> str:
    """The cheapest call there is; answers the id of the organization."""
    answer = OrgOperations().get_organization()
    body = answer.get_object()
    if not isinstance(body, ResponseWrapper):
        raise AssertionError(f"Zoho answered {answer.get_status_code()}")
    return body.get_org()[0].get_zgid()


def run(**settings: Any) -> dict[str, str | None]:
    """The application in a process of its own; settings are zoho, store and token, options of their constructors."""
    program = [sys.executable, "-m", "tests.application", json.dumps(settings)]
    return json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE, timeout=60).stdout)


def main(zoho: str, store: dict[str, Any], token: dict[str, Any]) -> None:
    user = token.pop("user", None)
    signature = None if user is None else UserSignature(user)
    configured = initialize(zoho, OAuthToken(user_signature=signature, **token), ZohoTokenStore(**store))
    organization = call()
    print(json.dumps({"id": configured.get_id(), "access_token": configured.get_access_token(), "org": organization}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
