# SPDX-License-Identifier: Apache-2.0
"""Digest as a client (RFC 2617, 7616, 8760): the line that answers a challenge."""
import hashlib
import random
import re

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def fields(value):
    return {k.lower(): v.strip('"') for k, v in re.findall(r'([\w-]+)\s*=\s*("[^"]*"|[^\s,]+)', value)}


def answer(message, user, password, method, uri, algorithm=None, count=1, realm=None):
    """Answers the first challenge that we can, or that of one algorithm. `realm`: a foreign one is not."""
    name = "WWW-Authenticate" if message.code == 401 else "Proxy-Authenticate"
    for value in message.all(name):
        challenge = fields(value)
        kind = challenge.get("algorithm", "MD5")
        if kind in HASHES and algorithm in (None, kind) and realm in (None, challenge["realm"]):
            return write(challenge, message.code == 407, user, password, method, uri, count)
    raise AssertionError("no challenge of ours in %s" % message.all(name))


def write(challenge, proxy, user, password, method, uri, count=1):
    kind = challenge.get("algorithm", "MD5")

    def h(*parts):
        return HASHES[kind](":".join(parts).encode()).hexdigest()
    ha1, ha2 = h(user, challenge["realm"], password), h(method, uri)
    line = '%sAuthorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=%s' % (
        "Proxy-" if proxy else "", user, challenge["realm"], challenge["nonce"], uri, kind)
    if "qop" in challenge:
        nc, cnonce = "%08x" % count, "%08x" % random.getrandbits(32)
        line += ', response="%s", qop=auth, nc=%s, cnonce="%s"' % (
            h(ha1, challenge["nonce"], nc, cnonce, "auth", ha2), nc, cnonce)
    else:
        line += ', response="%s"' % h(ha1, challenge["nonce"], ha2)
    return line + "\r\n"
