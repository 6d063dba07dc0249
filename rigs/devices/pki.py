"""A device's certificates (P-256), made by the openssl command: the server's, the clients', and those to be refused.

The role of a client is the certificate extension of the Modbus/TCP Security protocol, one UTF8String.
"""

import shutil
import subprocess

from device import missing

ROLE = "1.3.6.1.4.1.50316.802.1"
SIBLING_OF_ROLE = "1.3.6.1.4.1.50316.802.2"

CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
CLIENT = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
SERVER = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"


class Pki:
    """The folder of one device's keys, certificates and two authorities: its own and a foreign one."""

    def __init__(self, folder):
        if not shutil.which("openssl"):
            missing("openssl is not installed: apt-get install openssl")
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.ca = self._authority("ca", "Example Controls device CA")
        self.foreign_ca = self._authority("foreign-ca", "Somebody Else CA")

    def server(self, address):
        return self._issue("server", "device", SERVER + f"subjectAltName=IP:{address}\n")

    def client(self, name, role):
        return self._issue(name, name, CLIENT + f"{ROLE}=ASN1:UTF8String:{role}\n")

    def no_revocations(self):
        """A list of revoked certificates with none on it, dated back so that any later one is newer."""
        path = str(self.folder / "revoked.pem")
        (self.folder / "issue.cnf").write_text(f"[ca]\ndefault_ca=here\n[here]\ndatabase={self.folder}/issued\ndefault_md=sha256\n")
        (self.folder / "issued").touch()
        self._openssl("ca", "-gencrl", "-config", str(self.folder / "issue.cnf"), "-cert", self.ca["chain"], "-keyfile", self.ca["key"],
                      "-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20491231235959Z", "-out", path)
        for leftover in self.folder.glob("issue*"):
            leftover.unlink()
        return path

    def negatives(self, role):
        """Clients that a device should refuse, or that should have no rights; each but `no_role` claims `role`."""
        claim = CLIENT + f"{ROLE}=ASN1:UTF8String:{role}\n"
        return {
            "self_signed": self._issue("self-signed", "intruder", claim, issuer=None),
            "foreign_ca": self._issue("foreign", "intruder", claim, issuer="foreign-ca"),
            "expired": self._issue("expired", "retired", claim, dates=("20200101000000Z", "20210101000000Z")),
            "no_role": self._issue("no-role", "nobody", CLIENT),
            "role_ia5": self._issue("role-ia5", "nobody", CLIENT + f"{ROLE}=ASN1:IA5String:{role}\n"),
            "wrong_oid": self._issue("wrong-oid", "nobody", CLIENT + f"{SIBLING_OF_ROLE}=ASN1:UTF8String:{role}\n"),
        }

    def _authority(self, name, common_name):
        self._issue(name, common_name, CA, issuer=None)
        return {"chain": self._path(name, "pem"), "key": self._path(name, "key")}

    def _issue(self, name, common_name, extensions, issuer="ca", dates=("20240101000000Z", "20491231235959Z")):
        key, request, chain = (self._path(name, kind) for kind in ("key", "csr", "pem"))
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        self._openssl("req", "-new", "-key", key, "-subj", f"/O=Example Controls/CN={common_name}", "-out", request)
        (self.folder / "issue.ext").write_text(extensions)
        (self.folder / "issue.cnf").write_text(
            f"[ca]\ndefault_ca=here\n[here]\ndatabase={self.folder}/issued\nnew_certs_dir={self.folder}\n"
            "rand_serial=yes\ndefault_md=sha256\npolicy=any\nunique_subject=no\n"
            "[any]\norganizationName=supplied\ncommonName=supplied\n"
        )
        (self.folder / "issued").touch()
        if issuer:
            by = ["-cert", self._path(issuer, "pem"), "-keyfile", self._path(issuer, "key")]
        else:
            by = ["-selfsign", "-keyfile", key]
        # `x509 -req` can not set the first day of validity, which an expired certificate needs.
        self._openssl("ca", "-batch", "-notext", "-config", str(self.folder / "issue.cnf"),
                      "-extfile", str(self.folder / "issue.ext"), "-startdate", dates[0], "-enddate", dates[1],
                      "-in", request, "-out", chain, *by)
        for leftover in [*self.folder.glob("issue*"), *self.folder.glob("*.csr")]:
            leftover.unlink()
        for copy in self.folder.glob("[0-9A-F]*.pem"):
            copy.unlink()
        return {"chain": chain, "key": key}

    def _path(self, name, kind):
        return str(self.folder / f"{name}.{kind}")

    @staticmethod
    def _openssl(*args):
        done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"openssl {args[0]} failed: {done.stderr.strip()}")
