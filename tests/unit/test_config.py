"""The configuration: one declaration, and each mistake names the key and the cure. DESIGN §3 (Config)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from jinglebridge.config import Config, Xmpp, is_loopback, load, sample, split_address
from jinglebridge.config.sample import EXAMPLES
from jinglebridge.errors import ConfigError

MINIMAL = '[xmpp]\ndomain = "call.example.org"\nsecret = "component-secret"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return path


def loaded(tmp_path: Path, text: str = MINIMAL, **environment: str) -> Config:
    return load(written(tmp_path, text), environment)


def refused(tmp_path: Path, text: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, **environment)
    assert caught.value.exit_status == 2 and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_smallest_file(tmp_path: Path):
    c = loaded(tmp_path)
    assert (c.xmpp.domain, c.server, c.public_url) == ("call.example.org", "example.org", "http://127.0.0.1:8080")
    assert c.admin_socket == Path("/var/lib/jinglebridge/admin.sock") and c.limits.ring == 60


def test_what_follows_from_other_keys(tmp_path: Path):
    (tmp_path / "c.pem").touch()
    more = '[web]\nlisten = "[::1]:8443"\ntls_cert = "c"\ntls_key = "k"\n[admin]\nsocket = "/run/a.sock"\n'
    c = loaded(tmp_path, MINIMAL + 'server = "im.example.org"\n' + more)
    assert (c.server, c.public_url, c.admin_socket) == ("im.example.org", "https://[::1]:8443", Path("/run/a.sock"))
    assert loaded(tmp_path, MINIMAL.replace("call.example.org", "localhost")).server == "localhost"
    slash = loaded(tmp_path, MINIMAL + '[web]\npublic_url = "https://call.example.org/"\n')
    assert slash.public_url == "https://call.example.org"


def test_keys_of_tokens(tmp_path: Path):
    (tmp_path / "shop.secret").write_text("x" * 40 + "\n")
    more = '[tokens]\nsecret = "%s"\njwks = "http://localhost:8000/keys"\n' % (32 * "s")
    more += '[[tokens.keys]]\nsecret_file = "shop.secret"\nprefix = "shop-"\n[[tokens.keys]]\njwks = "keys.json"\n'
    keys = loaded(tmp_path, MINIMAL + more).tokens.all_keys
    assert [(k.secret, k.jwks, k.prefix) for k in keys] == [
        (32 * "s", "", ""), ("", "http://localhost:8000/keys", ""), (40 * "x", "", "shop-"), ("", str(tmp_path / "keys.json"), ""),
    ]  # fmt: skip
    by_environment = loaded(tmp_path, JINGLEBRIDGE_TOKENS_KEYS='[{jwks = "https://x.org/k", prefix = "x-"}]').tokens.all_keys
    assert [(k.jwks, k.prefix) for k in by_environment] == [("https://x.org/k", "x-")]
    assert loaded(tmp_path).tokens.all_keys == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["missing key", "xmpp"]),
        ("[xmpp]\n", ["[xmpp]", "domain"]),
        ('[xmpp]\ndomain = "call.example.org"\n', ["[xmpp] secret or secret_file is missing", "call.example.org"]),
        ("nonsense", ["not TOML"]),
        ("xmpp = 3", ["xmpp"]),
        (MINIMAL + "prot = 1\n", ["[xmpp]", "unknown key", "prot"]),
        (MINIMAL + "[wbe]\n", ["unknown key", "wbe"]),
        (MINIMAL + 'port = "x"\n', ["[xmpp] port"]),
        (MINIMAL + "port = 0\n", ["[xmpp] port"]),
        (MINIMAL + "port = 65536\n", ["[xmpp] port"]),
        (MINIMAL + "[limits]\nring = 0\n", ["[limits] ring"]),
        (MINIMAL + '[log]\nlevel = "loud"\n', ["[log] level"]),
        (MINIMAL + '[log]\nformat = "xml"\n', ["[log] format"]),
        (MINIMAL + "[turn]\nlifetime = 1\n", ["[turn] lifetime"]),
        (MINIMAL.replace("call.example.org", "a@b"), ["[xmpp] domain", "a@b"]),
        (MINIMAL.replace("call.example.org", "Call.example.org"), ["[xmpp] domain", "lower case"]),
        (MINIMAL.replace("call.example.org", "call example"), ["[xmpp] domain"]),
        (MINIMAL.replace("call.example.org", ""), ["[xmpp] domain"]),
        (MINIMAL + 'server = "IM.example.org"\n', ["[xmpp] server", "lower case"]),
        (MINIMAL + 'host = "192.0.2.1"\n', ["[xmpp] host 192.0.2.1", "tls = true"]),
        (MINIMAL + 'host = "xmpp.example.org"\n', ["[xmpp] host", "tls = true"]),
        (MINIMAL + '[tokens]\nsecret = "short"\n', ["[tokens] secret", "openssl rand -hex 32"]),
        (MINIMAL + '[tokens]\njwks = "http://example.org/keys"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + '[tokens]\njwks = "ftp://127.0.0.1/keys"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + '[tokens]\njwks = "https://me:pass@example.org/keys"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + '[tokens]\njwks = "https://example.org:x/keys"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + '[tokens]\njwks = "https:///keys"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + "[tokens]\njwks = 7\n", ["[tokens]", "jwks"]),
        (MINIMAL + "tokens = 7\n", ["tokens"]),
        (MINIMAL + "[tokens]\nkeys = 7\n", ["[tokens]", "keys"]),
        (MINIMAL + "[tokens]\nkeys = [7]\n", ["[tokens]", "keys"]),
        (MINIMAL + "[[tokens.keys]]\n", ["[[tokens.keys]] 1", "secret_file"]),
        (MINIMAL + f'[[tokens.keys]]\nsecret = "{32 * "x"}"\njwks = "k"\n', ["[[tokens.keys]] 1", "needs one of"]),
        (MINIMAL + '[[tokens.keys]]\nsecret = "short"\n', ["[tokens] secret", "openssl rand -hex 32"]),
        (MINIMAL + '[[tokens.keys]]\nsecret_file = "missing"\n', ["[[tokens.keys]] 1", "No such file"]),
        (MINIMAL + '[[tokens.keys]]\njwks = "a"\n[[tokens.keys]]\njwks = "http://x.org/b"\n', ["[tokens] jwks", "https"]),
        (MINIMAL + '[[tokens.keys]]\njwks = "k"\nprefix = "Shop-"\n', ["[[tokens.keys]] 1", "lower case"]),
        (MINIMAL + '[[tokens.keys]]\njwks = "k"\nprefix = "a b"\n', ["[[tokens.keys]] 1", "blanks"]),
        (MINIMAL + '[[tokens.keys]]\njwks = "k"\nprefix = "guest-x"\n', ["[[tokens.keys]] 1", "guest-"]),
        (MINIMAL + '[[tokens.keys]]\njwks = "k"\nprefx = "x"\n', ["[tokens]", "keys", "unknown key", "prefx"]),
        (MINIMAL + '[web]\ntls_cert = "c"\n', ["[web] tls_cert and tls_key"]),
        (MINIMAL + '[web]\nlisten = "8080"\n', ["[web] listen", "127.0.0.1:8080"]),
        (MINIMAL + '[web]\nlisten = "127.0.0.1:99999"\n', ["[web] listen"]),
        (MINIMAL + '[web]\nlisten = "0.0.0.0:80"\n', ["[web] listen 0.0.0.0", "proxy"]),
        (MINIMAL + '[web]\npublic_url = "call.example.org"\n', ["[web] public_url", "https://call.example.org"]),
        (MINIMAL + '[web]\npublic_url = "https://x/y"\n', ["[web] public_url"]),
        (MINIMAL + '[web]\npublic_url = "https://[x"\n', ["[web] public_url"]),
        (
            MINIMAL + '[web]\nallowed_origins = ["www.example.org"]\n',
            ["[web] allowed_origins", "'www.example.org'", "https://www.example.org"],
        ),
        (MINIMAL + '[web]\nallowed_origins = ["https://x", "https://x/shop"]\n', ["[web] allowed_origins", "'https://x/shop'"]),
        (MINIMAL + '[web]\nallowed_origins = ["https://*.example.org"]\n', ["[web] allowed_origins", "'https://*.example.org'"]),
        (MINIMAL + '[web]\npublic_url = "http://call.example.org"\n', ["[web] public_url must be https", "camera"]),
        (MINIMAL + '[web]\nmetrics = "0.0.0.0:9"\n', ["[web] metrics", "loopback"]),
        (MINIMAL + '[web]\nmetrics = "9"\n', ["[web] metrics"]),
        (MINIMAL + '[web]\ntrusted_proxies = ["proxy"]\n', ["[web] trusted_proxies", "proxy"]),
        (MINIMAL + 'secret_file = "s"\n', ["[xmpp] secret and secret_file"]),
        (MINIMAL + '[turn]\nsecret_file = "nothing"\n', ["[turn] secret_file", "No such file", "nothing"]),
        (MINIMAL + "[turn]\nsecret_file = 7\n", ["[turn] secret_file"]),
    ],
)
def test_each_mistake_names_key_and_cure(tmp_path: Path, text: str, words: list[str]):
    message = refused(tmp_path, text)
    for word in words:
        assert word in message
    assert "component-secret" not in message


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "b.toml", {})


def test_secrets_from_files_beside_the_configuration(tmp_path: Path):
    (tmp_path / "s").write_text("from-a-file\n")
    text = '[xmpp]\ndomain = "c.test"\nsecret_file = "s"\n[turn]\nsecret_file = "s"\n'
    c = loaded(tmp_path, text)
    assert c.xmpp.secret == c.turn.secret == "from-a-file"
    (tmp_path / "s").write_bytes(b"\xff\xfe")
    assert "is not text" in refused(tmp_path, text)
    (tmp_path / "s").write_text("  \n")
    assert "[xmpp] secret or secret_file is missing" in refused(tmp_path, text)


def test_every_key_can_come_from_the_environment(tmp_path: Path):
    c = loaded(
        tmp_path,
        JINGLEBRIDGE_XMPP_PORT="5348",
        JINGLEBRIDGE_XMPP_SECRET="other",
        JINGLEBRIDGE_WEB_PUBLIC_URL="https://call.example.org",
        JINGLEBRIDGE_WEB_TRUSTED_PROXIES='["10.0.0.0/8"]',
        JINGLEBRIDGE_POLICY_EVERYONE="true",
        JINGLEBRIDGE_LIMITS_RING="7.5",
        HOME="/root",
    )
    assert (c.xmpp.port, c.xmpp.secret, c.public_url) == (5348, "other", "https://call.example.org")
    assert c.web.trusted_proxies == ["10.0.0.0/8"] and c.policy.everyone and c.limits.ring == 7.5
    alone = loaded(tmp_path, "", JINGLEBRIDGE_XMPP_DOMAIN="c.test", JINGLEBRIDGE_XMPP_SECRET="s")
    assert alone.xmpp.domain == "c.test"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("JINGLEBRIDGE_WEB_LISEN", "x", "JINGLEBRIDGE_WEB_LISEN: there is no such key"),
        ("JINGLEBRIDGE_CONFIG", "x", "there is no such key"),
        ("JINGLEBRIDGE_XMPP_PORT", "many", "not a TOML value"),
        ("JINGLEBRIDGE_XMPP_PORT", "0", "[xmpp] port"),
        ("JINGLEBRIDGE_POLICY_EVERYONE", "yes", "not a TOML value"),
    ],
)
def test_mistakes_in_the_environment(tmp_path: Path, name: str, value: str, words: str):
    assert words in refused(tmp_path, MINIMAL, **{name: value})


def test_a_section_that_is_no_table_and_the_environment(tmp_path: Path):
    assert "xmpp" in refused(tmp_path, "xmpp = 3", JINGLEBRIDGE_XMPP_PORT="5")


def test_calls_end_before_the_credentials_of_their_relay(tmp_path: Path):
    """DESIGN §5."""
    c = loaded(tmp_path, MINIMAL)
    assert (c.longest_call, c.longest_guest_call) == (43200 - 60, 7200 - 60)
    c = loaded(tmp_path, MINIMAL + "\n[turn]\nlifetime = 60\n[limits]\ncall = 50")
    assert (c.longest_call, c.longest_guest_call) == (50, 50)
    assert "fall silent" in refused(tmp_path, MINIMAL + "\n[turn]\nlifetime = 60\n[limits]\ncall = 60")


@pytest.mark.parametrize("address", ["", "Spam.example", "eve@x/y", "a b", "*.x", "a@b@c"])
def test_what_cannot_be_blocked(tmp_path: Path, address: str):
    assert "[policy] blocked" in refused(tmp_path, MINIMAL + f"\n[policy]\nblocked = ['{address}']")


@pytest.mark.parametrize("domain", ["", "Example.org", "anna@example.org", "*", "a b", "example.org/"])
def test_what_is_no_server(tmp_path: Path, domain: str):
    """It would match nobody, silently."""
    assert "[policy] servers" in refused(tmp_path, MINIMAL + f"\n[policy]\nservers = ['{domain}']")


def test_the_sample_holds_every_key_at_its_default(tmp_path: Path):
    for name in ("component.secret", "tokens.secret"):
        (tmp_path / name).write_text("x" * 40)
    c = loaded(tmp_path, sample())
    everything = tomllib.loads(
        "\n".join(line[2:] if line.startswith("# ") and " = " in line and line[2].islower() else line for line in sample().splitlines())
    )
    default = Config(xmpp=Xmpp(domain="call.example.org"))
    for section in Config.__struct_fields__:
        keys = getattr(default, section).__struct_fields__
        assert set(everything[section]) == set(keys), section
        for key in keys:
            if (section, key) not in EXAMPLES:
                assert everything[section][key] == getattr(getattr(default, section), key), (section, key)
            if (section, key) not in EXAMPLES and key != "secret":
                assert getattr(getattr(c, section), key) == getattr(getattr(default, section), key)
    assert msgspec.convert(everything, Config).xmpp.domain == "call.example.org"


def test_every_key_is_described():
    for line, following in zip(sample().splitlines(), sample().splitlines()[1:], strict=False):
        if " = " in following and not line.startswith("["):
            assert line.startswith("# ") and len(line) > 6, following


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool):
    assert is_loopback(host) is loopback


def test_addresses():
    assert split_address("127.0.0.1:0", "x") == ("127.0.0.1", 0) and split_address("[::1]:80", "x") == ("::1", 80)
    for text in ("", ":", "a:", ":1", "a:b", "a:-1", "a:65536"):
        with pytest.raises(ConfigError, match=r"^x must look like"):
            split_address(text, "x")
