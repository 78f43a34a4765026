import datetime as dt
import ipaddress
import ssl

import pytest
from web_server import NAME, WebServer, exchange_with, redirect, reply

from cogwork.core.errors import ToolError

SECRET = "s3cret-value-of-the-key"


def certificate(folder, *names_of: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate for these names, and of a client that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative(each) for each in names_of]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(public, private)
    return serving, ssl.create_default_context(cafile=public)


def alternative(name: str):
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


async def test_tls_is_checked_against_the_name_not_the_address(tmp_path):
    serving, trusting = certificate(tmp_path, NAME, "127.0.0.1")
    async with WebServer(tls=serving) as server:
        server.routes["/"] = reply("safe")
        own = {f"{NAME}:{server.port}": {"X-Key": SECRET}}
        hosts = [NAME, "wrong.example"]
        exchange = exchange_with(server, hosts=hosts, tls=trusting, headers=own)
        assert (await exchange.request("GET", server.url())).text() == "safe"
        assert server.asked[0].headers["x-key"] == SECRET
        assert (await exchange.request("GET", server.url("/", "127.0.0.1"))).text() == "safe"
        with pytest.raises(ToolError, match="certificate") as raised:
            await exchange.request("GET", server.url("/", "wrong.example"))
        assert not raised.value.transient
        with pytest.raises(ToolError, match="certificate"):
            await exchange_with(server).request("GET", server.url())


async def test_a_redirect_from_https_to_http_is_refused(tmp_path):
    serving, trusting = certificate(tmp_path, NAME)
    async with WebServer(tls=serving) as safe, WebServer() as server:
        safe.routes["/"] = redirect(server.url())
        with pytest.raises(ToolError, match="not encrypted"):
            await exchange_with(safe, server, tls=trusting).request("GET", safe.url())
        assert server.connections == 0
