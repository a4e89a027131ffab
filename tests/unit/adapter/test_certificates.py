"""The authority that replicas share: made, turned in time, and never of a stranger's making."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from drainer.adapter.certificates import (
    AUTHORITY_LIFE,
    CERTIFICATE_LIFE,
    CERTIFICATES,
    KEYS,
    RENEWED_AFTER,
    TRUSTED_FIRST,
    Authority,
    Pair,
    as_data,
    bundle,
    expiry,
    from_data,
    issued,
    signer,
    turned,
)

NOW = dt.datetime(2026, 11, 26, 3, tzinfo=dt.UTC)
NAMES = ("drainer-adapter.tools.svc", "drainer-adapter.tools.svc.cluster.local")
MINUTE = dt.timedelta(minutes=1)


def verify(pair: Pair, trusted: str, now: dt.datetime, name: str = NAMES[0]) -> None:
    """As a client that trusts this. Raises VerificationError."""
    store = Store(x509.load_pem_x509_certificates(trusted.encode()))
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(pair.chain.encode()), [])


def test_the_first_authority_signs_at_once() -> None:
    authorities = turned([], NOW, "drainer-adapter-tls")
    pair = issued(signer(authorities, NOW), NAMES, NOW)

    for name in NAMES:
        verify(pair, bundle(authorities), NOW, name)
    with pytest.raises(VerificationError):
        verify(pair, bundle(authorities), NOW, "other.tools.svc")
    with pytest.raises(VerificationError):
        verify(pair, bundle(turned([], NOW, "drainer-adapter-tls")), NOW)
    assert pair.expires_at == expiry(pair.chain) == NOW + CERTIFICATE_LIFE
    assert pair.renew_at == NOW + RENEWED_AFTER * CERTIFICATE_LIFE


def test_nothing_changes_before_it_is_time() -> None:
    authorities = turned([], NOW, "x")

    assert turned(authorities, NOW + RENEWED_AFTER * AUTHORITY_LIFE - dt.timedelta(days=1), "x") == authorities


def test_a_new_authority_is_trusted_before_it_signs_and_an_old_one_until_it_ends() -> None:
    (old,) = turned([], NOW, "x")
    then = NOW + RENEWED_AFTER * AUTHORITY_LIFE + MINUTE
    both = turned([old], then, "x")
    new = both[0]
    assert both == [new, old]
    assert new != old
    # Whoever is late with either has what it needs.
    before = issued(signer(both, then), NAMES, then)
    after = issued(signer(both, then + TRUSTED_FIRST), NAMES, then + TRUSTED_FIRST)
    verify(before, bundle([old]), then)
    verify(after, bundle([new]), then + TRUSTED_FIRST)
    for pair in (before, after):
        verify(pair, bundle(both), then + TRUSTED_FIRST)
    left = turned(both, NOW + AUTHORITY_LIFE + MINUTE, "x")
    assert new in left
    assert old not in left


def test_a_certificate_does_not_outlive_its_authority() -> None:
    (authority,) = turned([], NOW, "x")
    late = NOW + AUTHORITY_LIFE - dt.timedelta(days=1)

    assert issued(authority, NAMES, late).expires_at == NOW + AUTHORITY_LIFE


def test_after_a_long_sleep_there_is_a_new_authority_at_once() -> None:
    (old,) = turned([], NOW, "x")
    late = NOW + 2 * AUTHORITY_LIFE
    authorities = turned([old], late, "x")

    assert old not in authorities
    verify(issued(signer(authorities, late), NAMES, late), bundle(authorities), late)


def test_what_is_stored_is_read_again() -> None:
    authorities = [*turned([], NOW, "x"), *turned([], NOW, "y")]

    again = from_data(as_data(authorities))
    assert [one.certificate for one in again] == [one.certificate for one in authorities]
    assert as_data(again) == as_data(authorities)
    assert from_data({}) == []


def mixed(one: Authority, other: Authority) -> dict[str, str]:
    return {CERTIFICATES: as_data([one])[CERTIFICATES], KEYS: as_data([other])[KEYS]}


def test_what_is_not_ours_is_refused() -> None:
    one, other = turned([], NOW, "x")[0], turned([], NOW, "y")[0]
    good = as_data([one])
    rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for odd, part in (
        ({"tls.crt": "x"}, "no certificates and keys"),
        ({CERTIFICATES: "x", KEYS: good[KEYS]}, "no certificates and keys"),
        ({CERTIFICATES: good[CERTIFICATES], KEYS: "x-----END PRIVATE KEY-----\n"}, "no certificates and keys"),
        ({CERTIFICATES: good[CERTIFICATES], KEYS: rsa_key.decode()}, "a key of another kind"),
        ({CERTIFICATES: good[CERTIFICATES], KEYS: ""}, "1 certificates and 0 keys"),
        (mixed(one, other), "has another key"),
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            from_data(odd)
        assert part in str(caught.value)
