#!/usr/bin/env python3
"""Signs in as a page does (SCRAM-SHA-256, api/src/sign_in/scram.rs) and prints the session's cookie.

    bench/sign_in.py ORIGIN NAME < PASSWORD
"""
import base64
import hashlib
import hmac
import json
import os
import sys
import unicodedata
import urllib.parse
import urllib.request


def asked(request):
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, json.load(answer)


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


origin, name = sys.argv[1].rstrip("/"), sys.argv[2]
password = unicodedata.normalize("NFKC", sys.stdin.readline().rstrip("\n")).encode()
_, told = asked(f"{origin}/api/auth/challenge?username={urllib.parse.quote(name)}")
salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(told["salt"]), told["iterations"])
nonce = base64.b64encode(os.urandom(18)).decode()
parts = ["opentracker-login-v2", origin, name, told["scheme"], told["kdf"], str(told["iterations"]),
         told["salt"], told["challenge"], nonce]
transcript = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
key = mac(salted, b"Client Key")
signature = mac(hashlib.sha256(key).digest(), transcript)
proof = base64.b64encode(bytes(one ^ other for one, other in zip(key, signature))).decode()
body = {"username": name, "challenge": told["challenge"], "proof": proof, "clientNonce": nonce}
head = {"content-type": "application/json", "origin": origin}
headers, _ = asked(urllib.request.Request(f"{origin}/api/auth/login", json.dumps(body).encode(), head))
print(headers["set-cookie"].split(";")[0])
