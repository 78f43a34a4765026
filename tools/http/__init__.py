"""Requests to the web that cannot be led inside.

`exchange` makes them: `targets` takes the URL apart, `resolving` and `addresses` say where it may
lead, `credentials` holds what is secret, `outgoing` what is sent, `body` reads the answer within
its limits, and `page` makes text of HTML. docs/web.md says what is defended.
"""

from cogwork.tools.http.body import Answer, Limits, StatusError
from cogwork.tools.http.exchange import Exchange
from cogwork.tools.http.resolving import Resolver

__all__ = ["Answer", "Exchange", "Limits", "Resolver", "StatusError"]
