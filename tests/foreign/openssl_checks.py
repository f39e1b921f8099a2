# SPDX-License-Identifier: Apache-2.0
"""What OpenSSL says of a signature or a key: the third implementation between card and module."""
import hashlib

from harness import run

# DER DigestInfo prefixes [RFC 8017 §9.2 note 1]
DIGEST_INFO = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def digest_info(name, data):
    return bytes.fromhex(DIGEST_INFO[name]) + hashlib.new(name, data).digest()


def verify_pkcs1(public_pem, digest, data_file, signature_file):
    run("openssl", "dgst", f"-{digest}", "-verify", public_pem, "-signature", signature_file, data_file)


def verify_pss(public_pem, digest, data_file, signature_file, salt="digest"):
    run("openssl", "dgst", f"-{digest}", "-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}",
        "-sigopt", f"rsa_mgf1_md:{digest}", "-verify", public_pem, "-signature", signature_file, data_file)


def verify_raw(public_pem, block, signature_file, workdir):
    """The bare power: the signature's block must be exactly this one."""
    out = f"{workdir}/recovered"
    run("openssl", "rsautl", "-verify", "-raw", "-pubin", "-inkey", public_pem, "-in", signature_file, "-out", out)
    with open(out, "rb") as file:
        recovered = file.read()
    assert recovered == block, "the recovered block differs"


def verify_gost2001(public_pem, digest_file, signature_file):
    """With the GOST engine; it takes s||r big-endian and the digest as it was given to C_Sign."""
    run("openssl", "pkeyutl", "-engine", "gost", "-verify", "-pubin", "-inkey", public_pem,
        "-in", digest_file, "-sigfile", signature_file)


def same_public_key(left_pem, right_pem):
    def text(pem):
        return run("openssl", "pkey", "-pubin", "-in", pem, "-pubout", "-outform", "DER").stdout_bytes
    assert text(left_pem) == text(right_pem), "the public keys differ"
