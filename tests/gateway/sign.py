"""Signatures of API v2 (dossier, section 2) and the sealing of refund notices (section 11)."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MD5 = "MD5"
HMAC = "HMAC-SHA256"
TYPES = (MD5, HMAC)


def canonical(fields, key):
    """The string that gets signed: names in byte order, without `sign` and empty values."""
    # Python compares text by code point, which is the byte order of UTF-8.
    names = sorted(name for name, value in fields.items() if value != "" and name != "sign")
    return "&".join(["%s=%s" % (name, fields[name]) for name in names]) + "&key=" + key


def sign(fields, key, sign_type=MD5):
    """The signature in upper-case hex: 32 digits for MD5, 64 for HMAC-SHA256."""
    text = canonical(fields, key).encode()
    if sign_type == MD5:
        return hashlib.md5(text).hexdigest().upper()
    if sign_type == HMAC:
        return hmac.digest(key.encode(), text, "sha256").hex().upper()
    raise ValueError("unknown sign_type %r" % sign_type)


def seal(plain, key):
    """req_info of a refund notice: AES-256-ECB under the hex MD5 of the key, in base64."""
    padder = padding.PKCS7(128).padder()
    text = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(_seal_key(key)), modes.ECB()).encryptor()
    return base64.b64encode(encryptor.update(text) + encryptor.finalize()).decode()


def unseal(req_info, key):
    """What `seal` sealed; ValueError when it is anything else."""
    decryptor = Cipher(algorithms.AES(_seal_key(key)), modes.ECB()).decryptor()
    text = decryptor.update(base64.b64decode(req_info)) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(text) + unpadder.finalize()


def _seal_key(key):
    return hashlib.md5(key.encode()).hexdigest().encode()
