"""Who speaks to Shoonya: credentials, and how a one-time code becomes tokens.

Since 1 April 2026 the only way in is: the account's holder logs in at :func:`authorize_url` in a browser, is sent
back to the registered address with ``?code=…``, and the code is exchanged for tokens once (:func:`exchange_code`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from brokers.base import Secret, secret_in
from brokers.rest import RestClient
from brokers.shoonya.parse import error_of

__all__ = ["API", "ShoonyaCredentials", "authorize_url", "body_of", "exchange_code"]

API = "/NorenWClientAPI"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class ShoonyaCredentials:
    """What Shoonya knows the caller by. ``repr`` shows no secret.

    ``access_token`` is sent with every call; ``user_token`` (``susertoken``) with those for history besides, and with
    every call where it is all there is. ``client_id`` and ``client_secret`` are needed to log in only.
    """

    user_id: str
    access_token: Secret | None = None
    user_token: Secret | None = None
    client_id: str = ""
    client_secret: Secret | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ShoonyaCredentials:
        """Read ``SHOONYA_USER_ID``, ``_ACCESS_TOKEN``, ``_USER_TOKEN``, ``_CLIENT_ID`` and ``_CLIENT_SECRET``."""
        return cls(
            user_id=environ.get("SHOONYA_USER_ID", "").strip(),
            access_token=secret_in(environ, "SHOONYA_ACCESS_TOKEN"),
            user_token=secret_in(environ, "SHOONYA_USER_TOKEN"),
            client_id=environ.get("SHOONYA_CLIENT_ID", "").strip(),
            client_secret=secret_in(environ, "SHOONYA_CLIENT_SECRET"),
        )

    def missing(self) -> tuple[str, ...]:
        """Return the environment variables that have yet to be set, or the login that has yet to be done."""
        missing = [] if self.user_id else ["SHOONYA_USER_ID"]
        if not (self.access_token or self.user_token):
            missing.append("SHOONYA_ACCESS_TOKEN (or log in with a code)")
        return tuple(missing)


def authorize_url(client_id: str) -> str:
    """Return the page at which the account's holder logs in, in a browser."""
    return f"https://trade.shoonya.com/OAuthlogin/authorize/oauth?client_id={quote(client_id, safe='')}"


def body_of(data: Mapping[str, str], user_token: Secret | None = None) -> tuple[str, dict[str, str]]:
    """Return the body of a call and its headers. A ``&`` in a symbol (M&M) would end the JSON: it is escaped."""
    body = "jData=" + json.dumps(dict(data), separators=(",", ":")).replace("&", "\\u0026")
    if user_token:
        body += f"&jKey={user_token.reveal()}"
    return body, dict(_FORM)


def exchange_code(rest: RestClient, credentials: ShoonyaCredentials, code: str | Secret) -> ShoonyaCredentials:
    """Exchange the code of a login for tokens; the code is used up.

    Raises
    ------
    LoginNeededError
        Something needed for it is not there, or Shoonya refused.
    BrokerError
        Shoonya could not be asked.
    """
    route, once = f"{API}/GenAcsTok", Secret(code)
    secret = credentials.client_secret
    if not (credentials.user_id and credentials.client_id and secret and once):
        then = "give SHOONYA_USER_ID, SHOONYA_CLIENT_ID, SHOONYA_CLIENT_SECRET and the code of the login"
        raise rest.login_needed(route, "cannot log in", then)
    checksum = hashlib.sha256(f"{credentials.client_id}{secret.reveal()}{once.reveal()}".encode()).hexdigest()
    rest.hide(secret, once, Secret(checksum))
    # Without uid Shoonya answers INVALID_VERIFIER.
    body, headers = body_of({"code": once.reveal(), "checksum": checksum, "uid": credentials.user_id})
    payload = rest.json("POST", route, content=body, headers=headers, repeatable=False, accept=(400,), secret=True)
    token = _token(payload, "access_token")
    if token is None:
        refused = error_of(payload) or "no access token in the answer"
        raise rest.login_needed(route, refused, "ask for a new code, and check client id, secret and user id")
    return replace(credentials, access_token=token, user_token=_token(payload, "susertoken"))


def _token(payload: object, name: str) -> Secret | None:
    return Secret(str(payload.get(name) or "")) or None if isinstance(payload, dict) else None
