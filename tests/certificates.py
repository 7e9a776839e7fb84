"""A certificate that nobody signed, as cameras have them."""

import shutil
import subprocess
from pathlib import Path

from conftest import missing


def make_certificate(folder: Path) -> Path:
    """One file with the key and the certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl makes the certificate, and is not there")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=camera"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both = folder / "camera.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both
