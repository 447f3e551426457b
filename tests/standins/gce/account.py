"""A service account of the stand-in: a key file for Application Default Credentials, and the check of what is signed with it."""

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

UNIVERSE = "standin.example"
"""Of Google's own universe, the SDK asks the real service at every start which regions the account may use."""
EMAIL = "tester@standin-project.iam.gserviceaccount.com"


class Account:
    """One service account with a fresh key; `file` is its key file."""

    def __init__(self, project: str, folder: Path) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._public = (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        self.file = folder / f"{project}.json"
        content = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "standin",
            "private_key": private.decode(),
            "client_email": EMAIL,
            "token_uri": "http://127.0.0.1:9/token",  # the SDK signs its requests itself and never asks there
            "universe_domain": UNIVERSE,
        }
        self.file.write_text(json.dumps(content))

    def signed(self, authorization: str | None) -> bool:
        """Whether a request's `Authorization` was made with our key."""
        try:
            claims = jwt.decode((authorization or "").removeprefix("Bearer "), certs=self._public, verify=False)
            jwt.decode((authorization or "").removeprefix("Bearer "), certs=self._public, audience=claims.get("aud"))
        except ValueError:
            return False
        return bool(claims["iss"] == EMAIL)
