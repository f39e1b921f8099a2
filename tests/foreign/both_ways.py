#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A card set up by OpenSC is listed and used by kilt; a card set up by kilt is listed and used by OpenSC."""
from harness import KILT, MODULE, OPENSC_MODULE, SO_PIN, USER_PIN, ForeignTest, Sim, main, opensc_conf
import openssl_checks

DATA = b"sixteen byte text" * 4


class BothWays(ForeignTest):
    def sim(self, *options):
        return Sim("--card", "kaztoken", "--via", "pcscd", *options, env={"OPENSC_CONF": opensc_conf(self.directory)})

    def opensc_formats(self, sim):
        sim.run("pkcs15-init", "--erase-card")
        sim.run("pkcs15-init", "--create-pkcs15", "--so-pin", SO_PIN, "--so-puk", "")
        sim.run("pkcs15-init", "--store-pin", "--label", "User PIN", "--auth-id", "02", "--pin", USER_PIN, "--puk", "",
                "--so-pin", SO_PIN, "--finalize")

    def certificate_for(self, public_pem, name):
        self.openssl("req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-subj", "/CN=CA", "-days", "9",
                     "-out", self.path("ca.pem"))
        self.openssl("req", "-new", "-key", self.path("ca.key"), "-subj", f"/CN={name}", "-out", self.path("x.csr"))
        self.openssl("x509", "-req", "-in", self.path("x.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-force_pubkey",
                     public_pem, "-days", "9", "-out", self.path(f"{name}.pem"))
        self.openssl("x509", "-in", self.path(f"{name}.pem"), "-outform", "DER", "-out", self.path(f"{name}.der"))
        return self.path(f"{name}.pem")

    def signs(self, sim, module, key_id, public_pem):
        document, out = self.write("document", DATA), self.path("signature")
        sim.run("pkcs11-tool", "--module", module, "--login", "--pin", USER_PIN, "--sign", "-m", "SHA256-RSA-PKCS", "--id", key_id,
                "-i", document, "-o", out)
        openssl_checks.verify_pkcs1(public_pem, "sha256", document, out)

    def objects(self, sim, module):
        return sim.run("pkcs11-tool", "--module", module, "--login", "--pin", USER_PIN, "-O").stdout

    def test_opensc_sets_up_and_kilt_uses(self):
        with self.sim("--blank") as sim:
            self.opensc_formats(sim)
            auth = ("--auth-id", "02", "--pin", USER_PIN, "--so-pin", SO_PIN)
            sim.run("pkcs15-init", "--generate-key", "rsa/2048", *auth, "--id", "45", "--label", "key1", "--public-key-label", "pub1",
                    "--key-usage", "sign,decrypt")
            sim.run("pkcs15-tool", "--read-public-key", "45", "-o", self.path("pub45.pem"))
            certificate = self.certificate_for(self.path("pub45.pem"), "owner")
            sim.run("pkcs15-init", "--store-certificate", certificate, *auth, "--id", "45", "--label", "cert1")
            sim.run("pkcs15-init", "--store-data", self.write("blob", DATA), "--application-name", "app", "--label", "d1", *auth)

            objects = self.objects(sim, MODULE)
            for label in ("pub1", "cert1", "d1"):
                self.assertIn(label, objects)
            self.signs(sim, MODULE, "45", self.path("pub45.pem"))
            sim.run("pkcs11-tool", "--module", MODULE, "--read-object", "--type", "cert", "--id", "45", "-o", self.path("back.der"))
            self.assertEqual(self.read("back.der"), self.read("owner.der"))
            # kilt adds to what OpenSC began, and OpenSC still reads all of it.
            sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", USER_PIN, "--keypairgen", "--key-type", "rsa:2048", "--id", "50",
                    "--label", "second", "--usage-sign")
            dump = sim.run("pkcs15-tool", "-D").stdout
            for label in ("pub1", "cert1", "second"):
                self.assertIn(label, dump)
            sim.run("pkcs15-tool", "--read-public-key", "50", "-o", self.path("pub50.pem"))
            self.signs(sim, OPENSC_MODULE, "50", self.path("pub50.pem"))
            self.signs(sim, OPENSC_MODULE, "45", self.path("pub45.pem"))

    def kilt_sets_up(self, sim):
        def tool(*words):
            return sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", USER_PIN, *words)

        for number, label in (("0A01", "AUTH"), ("0A02", "SIGN")):
            tool("--keypairgen", "--key-type", "rsa:2048", "--id", number, "--label", label, "--usage-sign", "--usage-decrypt")
        sim.run("pkcs15-tool", "--read-public-key", "0A01", "-o", self.path("pub1.pem"))
        self.certificate_for(self.path("pub1.pem"), "owner")
        tool("--write-object", self.path("owner.der"), "--type", "cert", "--id", "0A01", "--label", "AUTH")
        self.openssl("genrsa", "-traditional", "-out", self.path("import.pem"), "2048")
        self.openssl("rsa", "-in", self.path("import.pem"), "-outform", "DER", "-traditional", "-out", self.path("import.der"))
        self.openssl("rsa", "-in", self.path("import.pem"), "-pubout", "-out", self.path("pub3.pem"))
        tool("--write-object", self.path("import.der"), "--type", "privkey", "--id", "0A03", "--label", "imported", "--usage-sign")
        tool("--write-object", self.write("blob", DATA), "--type", "data", "--label", "note", "--application-label", "app")

    def opensc_uses(self, sim):
        dump = sim.run("pkcs15-tool", "-D").stdout
        for label in ("AUTH", "SIGN", "imported", "note"):
            self.assertIn(label, dump)
        sim.run("pkcs15-tool", "--read-certificate", "0A01", "-o", self.path("back.pem"))
        self.openssl("x509", "-in", self.path("back.pem"), "-outform", "DER", "-out", self.path("back.der"))
        self.assertEqual(self.read("back.der"), self.read("owner.der"))
        self.signs(sim, OPENSC_MODULE, "0A01", self.path("pub1.pem"))
        self.signs(sim, OPENSC_MODULE, "0A03", self.path("pub3.pem"))
        self.assertIn("No errors", sim.run("pkcs11-tool", "--module", OPENSC_MODULE, "--login", "--pin", USER_PIN, "--test").stdout)

    def test_kilt_adopts_a_token_as_sold_and_opensc_uses_it(self):
        with self.sim() as sim:
            self.kilt_sets_up(sim)
            self.opensc_uses(sim)

    def test_kilt_initialises_and_opensc_uses(self):
        with self.sim("--blank") as sim:
            sim.run("pkcs11-tool", "--module", MODULE, "--init-token", "--label", "office", "--so-pin", SO_PIN)
            sim.run("pkcs11-tool", "--module", MODULE, "--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", USER_PIN)
            self.kilt_sets_up(sim)
            self.opensc_uses(sim)
            self.assertIn("office", sim.run("pkcs15-tool", "-D").stdout)
            # And what OpenSC adds, kilt finds.
            sim.run("pkcs15-init", "--generate-key", "rsa/1024", "--auth-id", "02", "--pin", USER_PIN, "--so-pin", SO_PIN, "--id", "0B",
                    "--label", "theirs", "--public-key-label", "theirs", "--key-usage", "sign")
            self.assertIn("theirs", self.objects(sim, MODULE))
            sim.run("pkcs15-tool", "--read-public-key", "0B", "-o", self.path("pub0b.pem"))
            self.signs(sim, MODULE, "0B", self.path("pub0b.pem"))
            self.assertIn("SIGN", sim.run(KILT, "info").stdout)


if __name__ == "__main__":
    main()
