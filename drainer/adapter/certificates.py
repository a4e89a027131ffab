"""Self-made certificates: an authority that all replicas share, and for each replica a certificate of its own.

The authority is in a Secret; its certificates are what the APIServices trust (caBundle). A new one is trusted for an
hour before anything is signed with it, and an old one until it expires, so that whoever is late is right all the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drainer.errors import MissingExtraError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    raise MissingExtraError("commands", "cryptography") from None

AUTHORITY_LIFE = dt.timedelta(days=365)
CERTIFICATE_LIFE = dt.timedelta(days=30)
RENEWED_AFTER = 0.5
"""Share of a life after which there is a new one: a cluster that sleeps for weeks wakes up with one that is valid."""
TRUSTED_FIRST = dt.timedelta(hours=1)
SKEW = dt.timedelta(minutes=5)
"""How far clocks may be apart."""
CERTIFICATES, KEYS = "ca.crt", "ca.key"
"""In the Secret: PEM, the newest authority first in both."""

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that signs others, and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def made_at(self) -> dt.datetime:
        return self.certificate.not_valid_before_utc + SKEW


@dataclass(frozen=True, slots=True)
class Pair:
    """What a server shows, in PEM: its certificate, with those in between it and its authority, and the key."""

    chain: str
    key: str
    renew_at: dt.datetime
    expires_at: dt.datetime


def turned(authorities: Sequence[Authority], now: dt.datetime, name: str) -> list[Authority]:
    """The authorities from now on, the newest first: without those that have expired, and with a new one in time."""
    valid = [one for one in authorities if one.certificate.not_valid_after_utc > now]
    if not valid or _is_old(valid[0].certificate, now):
        valid.insert(0, _authority(now, name))
    return valid


def signer(authorities: Sequence[Authority], now: dt.datetime) -> Authority:
    """The one to sign with: the newest that was trusted long enough, or if there is none the oldest."""
    trusted = [one for one in authorities if now - one.made_at >= TRUSTED_FIRST]
    return trusted[0] if trusted else authorities[-1]


def issued(authority: Authority, names: Sequence[str], now: dt.datetime) -> Pair:
    """A certificate for a server of these DNS names, with a key of its own that is stored nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + CERTIFICATE_LIFE, authority.certificate.not_valid_after_utc)
    certificate = (
        _builder(names[0], authority.certificate.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(_text(certificate), _key_text(key), now + RENEWED_AFTER * (ends - now), ends)


def expiry(chain: str) -> dt.datetime:
    """When a server's certificate ends. Raises ValueError."""
    return x509.load_pem_x509_certificates(chain.encode())[0].not_valid_after_utc


def bundle(authorities: Sequence[Authority]) -> str:
    """What whoever connects has to trust."""
    return "".join(_text(one.certificate) for one in authorities)


def as_data(authorities: Sequence[Authority]) -> Mapping[str, str]:
    """What is stored."""
    return {CERTIFICATES: bundle(authorities), KEYS: "".join(_key_text(one.key) for one in authorities)}


def from_data(data: Mapping[str, str]) -> list[Authority]:
    """What was stored; none if nothing was. Raises ValueError if it is not ours: it is left as it is then."""
    if not data:
        return []
    try:
        certificates = x509.load_pem_x509_certificates(data[CERTIFICATES].encode())
        keys = [_key(part) for part in data[KEYS].split(_END)[:-1]]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"it has no certificates and keys of an authority ({error})") from error
    for certificate, key in zip(certificates, keys, strict=False):
        if certificate.public_key() != key.public_key():
            raise ValueError("a certificate in it has another key")
    if len(certificates) != len(keys):
        raise ValueError(f"{len(certificates)} certificates and {len(keys)} keys are in it")
    return [Authority(*pair) for pair in zip(certificates, keys, strict=True)]


_END = "-----END PRIVATE KEY-----\n"


def _key(part: str) -> Key:
    key: Any = load_pem_private_key((part + _END).encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a key of another kind")
    return key


def _is_old(certificate: x509.Certificate, now: dt.datetime) -> bool:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= begins + RENEWED_AFTER * (ends - begins)


def _authority(now: dt.datetime, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one name would be taken for each other by whoever looks for an issuer.
    subject = f"{name[:40]} {now:%Y-%m-%d %H:%M:%S}"
    ends = now + AUTHORITY_LIFE
    certificate = (
        _builder(subject, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]), key, now, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _builder(subject: str, issuer: x509.Name, key: Key, now: dt.datetime, ends: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(ends)
    )


def _key_usage(*, digital_signature: bool = False, sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_text(key: Key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
