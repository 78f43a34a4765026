"""One URL, taken apart once: what is checked is what is dialled.

What browsers, resolvers and libraries read differently (user names before the host, hexadecimal
and octal addresses, percent signs in hosts, control characters) is refused, not guessed.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin

import httpx

from cogwork.core.errors import ToolError, redact
from cogwork.tools.http.addresses import Address

__all__ = ["Target", "parse_host", "parse_target"]

_LONGEST = 8_192
_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]\\%]+", re.ASCII)
_URL = re.compile(
    rf"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://
    (?P<host>{_HOST.pattern})
    (?::(?P<port>[0-9]{{0,5}}))?
    (?P<rest>[/?#].*)?""",
    re.VERBOSE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Args:
        scheme: `http` or `https`.
        host: In lower case and ASCII, without a final dot; an address in its shortest form.
        port: Also where the URL leaves it out.
        path: With the query, as it is sent.
        address: The host where it is an address.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL and in the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def url(self) -> str:
        """The whole URL, without a fragment."""
        return f"{self.origin}{self.path}"

    @property
    def shown(self) -> str:
        """The URL for messages: no query, because queries hold secrets."""
        path = self.path.partition("?")[0]
        return redact(f"{self.origin}{path if len(path) <= 100 else f'{path[:99]}…'}")

    def join(self, location: str) -> "Target":
        """Return where a redirect leads.

        Raises:
            ToolError: Its location is no URL that may be called.
        """
        if not location.isprintable() or "\\" in location:
            raise ToolError(f"{self.shown} redirects to a malformed address; it is not followed")
        try:
            return parse_target(urljoin(self.url, location.strip()))
        except (ToolError, ValueError) as error:
            raise ToolError(f"{self.shown} redirects to where nothing is called: {error}") from None


def parse_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        ToolError: It is no URL of a web server, or has a form that is read in several ways.
    """
    url = url.strip()
    if len(url) > _LONGEST:
        raise ToolError(f"the URL has {len(url):,} characters; the limit is {_LONGEST:,}")
    if not url.isprintable():
        raise ToolError("the URL holds control or invisible characters; leave them out")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ToolError(_malformed(url))
    scheme = parts["scheme"].lower()
    if scheme not in _PORTS:
        raise ToolError(f"the URL's scheme is '{scheme}'; only http and https are called")
    host, address = parse_host(parts["host"])
    port = int(parts["port"] or _PORTS[scheme])
    if not 0 < port < 65_536:
        raise ToolError(f"the URL's port is {port}; ports go from 1 to 65535")
    return Target(scheme, host, port, _path(parts["rest"] or "/"), address)


def parse_host(host: str) -> tuple[str, Address | None]:
    """Return a host in lower case and ASCII, and as an address where it is one.

    Raises:
        ToolError: It is neither a name nor an address in its usual form.
    """
    if not _HOST.fullmatch(host):
        raise ToolError(f"'{host:.100}' is no host name")
    if host.startswith("["):
        try:
            six = IPv6Address(host[1:-1])
        except ValueError:
            raise ToolError(f"'{host:.100}' is no IPv6 address") from None
        return six.compressed, six
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            four = IPv4Address(name)
        except ValueError:
            raise ToolError(
                f"'{host:.100}' is an address in an unusual form; write it as four decimal numbers"
            ) from None
        return str(four), four
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ToolError(f"'{host:.100}' is no host name")
    return name, None


def _ascii(host: str) -> str:
    try:
        return httpx.URL(f"http://{host}/").raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, UnicodeError):
        raise ToolError(f"'{host:.100}' is no host name") from None


def _path(rest: str) -> str:
    try:
        return httpx.URL(f"http://host{rest}").raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ToolError(f"the URL's path cannot be sent: {error}") from None


def _malformed(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found:
        return "the URL is not absolute; write it with http:// or https://"
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        return (
            "the URL holds a user name or password before its host; "
            "leave it out, credentials come from the configuration"
        )
    return f"the URL's host or port is malformed, after '{scheme:.20}://'; write host or host:port"
