"""Who speaks to 5paisa: credentials, and how a one-time password becomes an access token.

Two steps: client code, one-time password and PIN become a request token (60 minutes), which becomes an access token
that lasts to 23:59 of the same day. The request token may also come from 5paisa's login page in a browser.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import b32decode
from binascii import Error as BadBase32
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from brokers.base import Secret, secret_in
from brokers.fivepaisa.parse import body_of, failure_of
from brokers.rest import RestClient

__all__ = ["API", "FivePaisaCredentials", "access_token", "request_token", "totp_code"]

API = "/VendorsAPI/Service1.svc"

_VARIABLES = {
    "client_code": "FIVEPAISA_CLIENT_CODE",
    "app_key": "FIVEPAISA_APP_KEY",
    "access_token": "FIVEPAISA_ACCESS_TOKEN",
    "encryption_key": "FIVEPAISA_ENCRYPTION_KEY",
    "user_id": "FIVEPAISA_USER_ID",
    "pin": "FIVEPAISA_PIN",
    "totp_secret": "FIVEPAISA_TOTP_SECRET",
}


@dataclass(frozen=True, slots=True)
class FivePaisaCredentials:
    """What 5paisa knows the caller by. ``repr`` shows no secret.

    ``app_key`` is the key of the registered app, which heads every call; ``encryption_key``, ``user_id``, ``pin`` and
    ``totp_secret`` are needed to log in only, and the last only where the caller does not give the code itself.
    """

    client_code: str
    app_key: Secret | None = None
    access_token: Secret | None = None
    encryption_key: Secret | None = None
    user_id: str = ""
    pin: Secret | None = None
    totp_secret: Secret | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> FivePaisaCredentials:
        """Read ``FIVEPAISA_CLIENT_CODE``, ``_APP_KEY`` and ``_ACCESS_TOKEN``.

        What a login needs is in ``_ENCRYPTION_KEY``, ``_USER_ID``, ``_PIN`` and ``_TOTP_SECRET``.
        """
        told: dict[str, Any] = {field: secret_in(environ, name) for field, name in _VARIABLES.items()}
        for field in ("client_code", "user_id"):
            told[field] = environ.get(_VARIABLES[field], "").strip()
        return cls(**told)

    def missing(self) -> tuple[str, ...]:
        """Return the environment variables that have yet to be set, or the login that has yet to be done."""
        missing = self.lacking("client_code", "app_key")
        if not self.access_token:
            missing.append("FIVEPAISA_ACCESS_TOKEN (or log in)")
        return tuple(missing)

    def lacking(self, *fields: str) -> list[str]:
        """Return the environment variables of those fields that are empty."""
        return [_VARIABLES[field] for field in fields if not getattr(self, field)]


def totp_code(secret: Secret, at: datetime) -> str:
    """Return the six digits that an authenticator app would show for a secret in base 32 (RFC 6238, 30 s, SHA-1).

    Raises
    ------
    ValueError
        The secret is not base 32.
    """
    text = secret.reveal().replace(" ", "").upper()
    try:
        key = b32decode(text + "=" * (-len(text) % 8))
    except BadBase32:
        raise ValueError("the secret of the one-time passwords is not base 32") from None
    digest = hmac.new(key, struct.pack(">Q", int(at.timestamp()) // 30), hashlib.sha1).digest()
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 0x0F)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def request_token(rest: RestClient, credentials: FivePaisaCredentials, totp: str) -> Secret:
    """Exchange a one-time password for a request token. Raises as :func:`access_token`."""
    route = f"{API}/TOTPLogin"
    _need(rest, route, credentials, "client_code", "app_key", "pin")
    rest.hide(Secret(totp), credentials.pin)
    body = {"Email_ID": credentials.client_code, "TOTP": totp, "PIN": _reveal(credentials.pin)}
    return _token(rest, route, credentials, body, "RequestToken")


def access_token(rest: RestClient, credentials: FivePaisaCredentials, request: Secret) -> FivePaisaCredentials:
    """Exchange a request token for an access token; the request token is used up.

    Raises
    ------
    LoginNeededError
        Something needed for it is not there, or 5paisa refused.
    BrokerError
        5paisa could not be asked.
    """
    route = f"{API}/GetAccessToken"
    _need(rest, route, credentials, "app_key", "encryption_key", "user_id")
    rest.hide(request, credentials.encryption_key)
    body = {
        "RequestToken": request.reveal(),
        "EncryKey": _reveal(credentials.encryption_key),
        "UserId": credentials.user_id,
    }
    return replace(credentials, access_token=_token(rest, route, credentials, body, "AccessToken"))


def _need(rest: RestClient, route: str, credentials: FivePaisaCredentials, *fields: str) -> None:
    lacking = credentials.lacking(*fields)
    if lacking:
        raise rest.login_needed(route, "cannot log in", f"give {', '.join(lacking)}")


def _reveal(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""


def _token(
    rest: RestClient, route: str, credentials: FivePaisaCredentials, body: Mapping[str, str], name: str
) -> Secret:
    """Send one step of the login and return the token it gives; a login is never repeated."""
    envelope = {"head": {"Key": _reveal(credentials.app_key)}, "body": dict(body)}
    payload = rest.json("POST", route, body=envelope, repeatable=False, secret=True)
    token = Secret(str(body_of(payload).get(name.lower()) or ""))
    if token:
        return token
    _, words = failure_of(payload) or ("", f"no {name} in the answer")
    raise rest.login_needed(route, words, "log in again with a new one-time password")
