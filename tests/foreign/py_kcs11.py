#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""PyKCS11, which loads the module into this very process; OpenSSL judges what the token computed.

    py_kcs11.py CARD [HOST]"""
import gc
import hashlib
import os
import subprocess
import sys
import threading
import traceback
import unittest

import PyKCS11
from PyKCS11 import PyKCS11Error

import openssl_checks
from enrolled import Enrolled, card_of, golden, until
from harness import KILT, KILT_SIM, MODULE, ForeignTest, run

HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


def constant(name):
    return getattr(PyKCS11, name)


class PyKcs11(ForeignTest):
    card, host = card_of(["", "kaztoken"])

    def setUp(self):
        super().setUp()
        self.sim = self.enterContext(Enrolled(self, self.card, self.host))
        before = dict(os.environ)
        os.environ.update(self.sim.env)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        # PyKCS11 finalises and unloads the module when its object goes.
        self.addCleanup(gc.collect)
        self.library = self.load()
        self.addCleanup(setattr, self, "library", None)
        self.document = b"a binding document\n" * 20

    def load(self):
        library = PyKCS11.PyKCS11Lib()
        library.load(MODULE)
        return library

    def can(self, operation):
        return golden(self.card, operation) == "done"

    def open(self, pin=None, library=None, write=True):
        library = library or self.library
        [slot] = library.getSlotList(tokenPresent=True)
        session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | (PyKCS11.CKF_RW_SESSION if write else 0))
        if pin != "":
            session.login(pin or self.card.user_pin)
        return session

    def find(self, session, kind, label):
        [found] = session.findObjects([(PyKCS11.CKA_CLASS, constant(f"CKO_{kind}")), (PyKCS11.CKA_LABEL, label)])
        return found

    def refused(self, name, call, *arguments):
        """The call ends with this CKR."""
        with self.assertRaises(PyKCS11Error) as refusal:
            call(*arguments)
        self.assertEqual(refusal.exception.value, constant(name), f"{refusal.exception} for {name}")

    def outcome(self, operation, call, *arguments):
        """What the golden file says: the result, or None after that refusal."""
        if self.can(operation):
            return call(*arguments)
        self.refused(golden(self.card, operation), call, *arguments)
        return None

    def verify(self, session, label="SIGN"):
        """One signature, judged by OpenSSL."""
        signature = bytes(session.sign(self.find(session, "PRIVATE_KEY", label), self.document, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS)))
        openssl_checks.verify_pkcs1(self.path(f"{label}.pub"), "sha256", self.write("document", self.document), self.write("signature", signature))

    def test_what_it_tells(self):
        info = self.library.getInfo()
        self.assertEqual(info.cryptokiVersion, (2, 40))
        self.assertEqual(info.manufacturerID.strip(), "kilt")
        [slot] = self.library.getSlotList()
        self.assertIn("simulator", self.library.getSlotInfo(slot).slotDescription)
        token = self.library.getTokenInfo(slot)
        self.assertEqual((token.model.strip(), token.serialNumber.strip(), token.label.strip()), (self.card.model, self.sim.serial, self.sim.token_label))
        self.assertIn("CKF_LOGIN_REQUIRED", token.flags2text())
        mechanisms = self.library.getMechanismList(slot)
        self.assertIn("CKM_SHA256_RSA_PKCS", mechanisms)
        self.assertEqual("CKM_RSA_PKCS_PSS" in mechanisms, self.can("sign RSA-PKCS-PSS"))
        for name in mechanisms:
            self.library.getMechanismInfo(slot, name)
        self.assertIn("CKF_SIGN", self.library.getMechanismInfo(slot, "CKM_RSA_PKCS").flags2text())
        self.refused("CKR_SLOT_ID_INVALID", self.library.getTokenInfo, slot + 100)

    def test_sessions(self):
        reader = self.open(pin="", write=False)
        self.assertEqual(reader.getSessionInfo().state2text(), "CKS_RO_PUBLIC_SESSION")
        self.assertEqual(len(reader.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)])), 0)
        self.assertEqual(len(reader.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_CERTIFICATE)])), 2)
        writer = self.open()
        self.assertEqual(reader.getSessionInfo().state2text(), "CKS_RO_USER_FUNCTIONS")
        self.assertEqual(writer.getSessionInfo().state2text(), "CKS_RW_USER_FUNCTIONS")
        self.refused("CKR_USER_ALREADY_LOGGED_IN", reader.login, self.card.user_pin)
        self.verify(reader)
        writer.logout()
        self.assertEqual(reader.getSessionInfo().state2text(), "CKS_RO_PUBLIC_SESSION")
        self.refused("CKR_USER_NOT_LOGGED_IN", reader.logout)
        writer.closeSession()
        self.refused("CKR_SESSION_HANDLE_INVALID", writer.getSessionInfo)
        [slot] = self.library.getSlotList()
        self.library.closeAllSessions(slot)
        self.refused("CKR_SESSION_HANDLE_INVALID", reader.getSessionInfo)

    def test_attributes(self):
        session = self.open()
        for label in ("AUTH", "SIGN"):
            private, public, certificate = (self.find(session, kind, label) for kind in ("PRIVATE_KEY", "PUBLIC_KEY", "CERTIFICATE"))
            names = [PyKCS11.CKA_KEY_TYPE, PyKCS11.CKA_ID, PyKCS11.CKA_MODULUS, PyKCS11.CKA_SENSITIVE, PyKCS11.CKA_EXTRACTABLE, PyKCS11.CKA_SIGN]
            kind, identity, modulus, sensitive, extractable, signs = session.getAttributeValue(private, names)
            self.assertEqual((kind, sensitive, extractable, signs), (PyKCS11.CKK_RSA, True, False, True))
            self.assertEqual(bytes(identity).hex().upper(), self.sim.ids[label])
            self.assertEqual(bytes(session.getAttributeValue(certificate, [PyKCS11.CKA_ID])[0]), bytes(identity))
            self.assertEqual(session.getAttributeValue(public, [PyKCS11.CKA_MODULUS])[0], modulus)
            said = run("openssl", "rsa", "-pubin", "-in", self.path(f"{label}.pub"), "-noout", "-modulus").stdout
            self.assertEqual(said.strip(), "Modulus=" + bytes(modulus).hex().upper())
            [der] = session.getAttributeValue(certificate, [PyKCS11.CKA_VALUE])
            self.assertEqual(bytes(der), run("openssl", "x509", "-in", self.path(f"{label}.pem"), "-outform", "DER").stdout_bytes)
            # The secret stays where it is; other attributes of the same question are answered, as PyKCS11 asks one by one.
            [secret] = session.getAttributeValue_fragmented(private, [PyKCS11.CKA_PRIVATE_EXPONENT])
            self.assertFalse(secret)
            every = [kind for kind in PyKCS11.CKA if isinstance(kind, int)]
            self.assertEqual(len(session.getAttributeValue_fragmented(private, every)), len(every))

    def test_new_label(self):
        session = self.open()
        key = self.find(session, "PRIVATE_KEY", "SIGN")
        try:
            session.setAttributeValue(key, [(PyKCS11.CKA_LABEL, "renamed")])
        except PyKCS11Error as refusal:
            self.assertIn(refusal.value, (PyKCS11.CKR_ATTRIBUTE_READ_ONLY, 0x1B))  # CKR_ACTION_PROHIBITED
            self.assertEqual(session.getAttributeValue(key, [PyKCS11.CKA_LABEL]), ["SIGN"])
        else:
            self.assertEqual(session.getAttributeValue(self.find(session, "PRIVATE_KEY", "renamed"), [PyKCS11.CKA_LABEL]), ["renamed"])
            seen = self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "-O", "--type", "privkey").stdout
            self.assertIn("renamed", seen)

    def test_generates_and_destroys(self):
        session = self.open()
        common = [(PyKCS11.CKA_TOKEN, True), (PyKCS11.CKA_LABEL, "third"), (PyKCS11.CKA_ID, (7, 7))]
        public = common + [(PyKCS11.CKA_MODULUS_BITS, 2048), (PyKCS11.CKA_PUBLIC_EXPONENT, (1, 0, 1)), (PyKCS11.CKA_VERIFY, True)]
        private = common + [(PyKCS11.CKA_PRIVATE, True), (PyKCS11.CKA_SENSITIVE, True), (PyKCS11.CKA_SIGN, True)]
        public_key, private_key = session.generateKeyPair(public, private)
        modulus, exponent = (bytes(value) for value in session.getAttributeValue(public_key, [PyKCS11.CKA_MODULUS, PyKCS11.CKA_PUBLIC_EXPONENT]))
        self.assertEqual((len(modulus), exponent), (256, b"\1\0\1"))
        signature = session.sign(private_key, self.document, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS))
        # OpenSSL gets the bare numbers.
        spki = self.write("spki.conf", "asn1=SEQUENCE:key\n[key]\n" f"n=INTEGER:0x{modulus.hex()}\n" f"e=INTEGER:0x{exponent.hex()}\n")
        run("openssl", "asn1parse", "-genconf", spki, "-noout", "-out", self.path("third.der"))
        run("openssl", "rsa", "-RSAPublicKey_in", "-inform", "DER", "-in", self.path("third.der"), "-pubout", "-out", self.path("third.pub"))
        openssl_checks.verify_pkcs1(self.path("third.pub"), "sha256", self.write("document", self.document), self.write("signature", bytes(signature)))
        for key in (private_key, public_key):
            try:
                session.destroyObject(key)
            except PyKCS11Error as gone:  # where the pair is one thing on the card
                self.assertEqual(gone.value, PyKCS11.CKR_OBJECT_HANDLE_INVALID)
        self.assertEqual(len(session.findObjects([(PyKCS11.CKA_ID, (7, 7))])), 0)
        # What no card of ours does, and a template that contradicts itself.
        self.refused("CKR_KEY_SIZE_RANGE", session.generateKeyPair, [(PyKCS11.CKA_MODULUS_BITS, 1000)], [])
        self.refused("CKR_TEMPLATE_INCONSISTENT", session.generateKeyPair, public + [(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)], private)
        self.assertEqual(len(session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)])), 2)

    def test_signatures(self):
        session = self.open()
        key, public = self.find(session, "PRIVATE_KEY", "SIGN"), self.find(session, "PUBLIC_KEY", "SIGN")
        document = self.write("document", self.document)
        for name in HASHES:
            with self.subTest(hash=name):
                digest = "CKM_SHA_1" if name == "sha1" else f"CKM_{name.upper()}"
                self.assertEqual(bytes(session.digest(self.document, PyKCS11.Mechanism(constant(digest)))), hashlib.new(name, self.document).digest())
                mechanism = PyKCS11.Mechanism(constant(f"CKM_{name.upper()}_RSA_PKCS"))
                signature = session.sign(key, self.document, mechanism)
                openssl_checks.verify_pkcs1(self.path("SIGN.pub"), name, document, self.write("signature", bytes(signature)))
                self.assertTrue(session.verify(public, self.document, signature, mechanism))
                self.assertFalse(session.verify(public, self.document + b"!", signature, mechanism))
                pss = PyKCS11.RSA_PSS_Mechanism(constant(f"CKM_{name.upper()}_RSA_PKCS_PSS"), constant(digest),
                                                constant(f"CKG_MGF1_{name.upper()}"), hashlib.new(name).digest_size)
                signature = self.outcome(f"sign {name.upper()}-RSA-PKCS-PSS", session.sign, key, self.document, pss)
                if signature:
                    openssl_checks.verify_pss(self.path("SIGN.pub"), name, document, self.write("signature", bytes(signature)))
                    self.assertTrue(session.verify(public, self.document, signature, pss))
        info = openssl_checks.digest_info("sha256", self.document)
        openssl_checks.verify_pkcs1(self.path("SIGN.pub"), "sha256", document, self.write("signature", bytes(session.sign(key, info))))
        self.refused("CKR_DATA_LEN_RANGE", session.sign, key, bytes(300))
        self.refused("CKR_MECHANISM_INVALID", session.sign, key, info, PyKCS11.Mechanism(PyKCS11.CKM_AES_CBC))
        self.verify(session)

    def test_decrypts(self):
        session = self.open()
        key, secret = self.find(session, "PRIVATE_KEY", "AUTH"), b"thirty-two bytes of session key!"
        box = ("pkeyutl", "-encrypt", "-pubin", "-inkey", self.path("AUTH.pub"), "-in", self.write("secret", secret), "-out", self.path("box"))
        self.openssl(*box)
        opened = self.outcome("decrypt RSA-PKCS", session.decrypt, key, self.read("box"))
        self.assertIn(opened and bytes(opened), (None, secret))
        for name, digest in (("sha1", PyKCS11.CKM_SHA_1), ("sha256", PyKCS11.CKM_SHA256)):
            self.openssl(*box, "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}", "-pkeyopt", f"rsa_mgf1_md:{name}")
            oaep = PyKCS11.RSAOAEPMechanism(digest, constant(f"CKG_MGF1_{name.upper()}"))
            opened = self.outcome(f"decrypt RSA-PKCS-OAEP {name}", session.decrypt, key, self.read("box"), oaep)
            self.assertIn(opened and bytes(opened), (None, secret))
        if self.can("decrypt RSA-PKCS"):
            self.refused("CKR_ENCRYPTED_DATA_LEN_RANGE", session.decrypt, key, self.read("box")[:-1])

    def test_data_objects(self):
        session = self.open()
        for private in (False, True):
            template = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_TOKEN, True), (PyKCS11.CKA_PRIVATE, private),
                        (PyKCS11.CKA_LABEL, "note"), (PyKCS11.CKA_VALUE, b"some data")]
            made = self.outcome("store private data" if private else "store data", session.createObject, template)
            if made is None:
                continue
            self.assertEqual(bytes(session.getAttributeValue(self.find(session, "DATA", "note"), [PyKCS11.CKA_VALUE])[0]), b"some data")
            session.logout()
            self.assertEqual(len(session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_LABEL, "note")])), 0 if private else 1)
            session.login(self.card.user_pin)
            session.destroyObject(self.find(session, "DATA", "note"))
            self.assertEqual(len(session.findObjects([(PyKCS11.CKA_LABEL, "note")])), 0)

    def test_random(self):
        session = self.open(pin="")
        for size in (1, 16, 255, 256, 257, 4096):
            self.assertEqual(len(bytes(session.generateRandom(size))), size)
        self.assertNotEqual(bytes(session.generateRandom(32)), bytes(session.generateRandom(32)))

    def test_pin(self):
        session = self.open(pin="")
        before = self.sim.tries_spent()
        self.refused("CKR_PIN_INCORRECT", session.login, self.card.wrong_pin)
        self.assertEqual(self.sim.tries_spent() - before, 1)
        if self.card.tells_tries:
            self.refused("CKR_PIN_INCORRECT", session.login, "1" * 40)  # too long to be one: it was not sent
        else:
            # Any try could be the last where the card does not tell: a slip is forgiven once, then nothing is sent.
            self.refused("CKR_PIN_INCORRECT", session.login, self.card.wrong_pin)
            for pin in (self.card.wrong_pin, self.card.user_pin):
                self.refused("CKR_FUNCTION_FAILED", session.login, pin)
        self.assertEqual(self.sim.tries_spent() - before, 1 if self.card.tells_tries else 2)
        session = self.anew()
        session.login(self.card.user_pin)
        self.refused("CKR_PIN_INCORRECT", session.setPin, self.card.wrong_pin, self.card.new_pin)
        session.setPin(self.card.user_pin, self.card.new_pin)
        self.verify(session)
        session.logout()
        self.refused("CKR_PIN_INCORRECT", session.login, self.card.user_pin)
        session = self.anew()
        session.login(self.card.new_pin)
        session.setPin(self.card.new_pin, self.card.user_pin)
        self.refused("CKR_PIN_LEN_RANGE", session.setPin, self.card.user_pin, "1")
        session.logout()
        session.login(self.card.user_pin)

    def anew(self):
        """A session of a module that knows nothing of earlier tries."""
        self.library.load(MODULE)  # unloads it first
        return self.open(pin="")

    def test_slot_events_and_a_card_that_goes(self):
        session = self.open()
        [slot] = self.library.getSlotList()
        self.verify(session)
        self.refused("CKR_NO_EVENT", self.library.waitForSlotEvent, PyKCS11.CKF_DONT_BLOCK)
        # PyKCS11 holds the interpreter while it waits, so another process pulls the card, sooner or later than the call.
        with subprocess.Popen([KILT_SIM, "remove"], env=self.sim.env, stdout=subprocess.DEVNULL):
            self.assertEqual(self.library.waitForSlotEvent(), slot)
        self.assertEqual(self.library.getSlotList(tokenPresent=True), [])
        self.assertEqual(self.library.getSlotList(), [slot])
        self.refused("CKR_TOKEN_NOT_PRESENT", self.library.getTokenInfo, slot)
        with self.assertRaises(PyKCS11Error) as gone:
            session.findObjects()
        self.assertIn(gone.exception.value, (PyKCS11.CKR_DEVICE_REMOVED, PyKCS11.CKR_SESSION_HANDLE_INVALID))
        self.refused("CKR_SESSION_HANDLE_INVALID", session.getSessionInfo)
        with subprocess.Popen([KILT_SIM, "insert"], env=self.sim.env, stdout=subprocess.DEVNULL):
            self.assertEqual(self.library.waitForSlotEvent(), slot)
        until(lambda: self.library.getSlotList(tokenPresent=True) == [slot], "the token is back")
        self.verify(self.open())

    def test_loaded_again_and_twice(self):
        """Unloaded while logged in; loaded anew; two at the same time, of which one goes."""
        for _ in range(10):
            self.verify(self.open())
            self.library = None
            gc.collect()
            self.library = self.load()
        second = self.load()
        self.assertEqual(second.getSlotList(), self.library.getSlotList())
        session = self.open(library=second)
        self.verify(session)
        # The end of one PyKCS11 object is C_Finalize for all of the process, with any module; the other may begin again.
        del session, second
        gc.collect()
        self.refused("CKR_CRYPTOKI_NOT_INITIALIZED", self.library.getSlotList)
        self.library.load(MODULE)
        self.verify(self.open())

    def test_threads(self):
        """PyKCS11 lets one thread in at a time, but sessions of several threads take turns in the middle of their work."""
        self.open()
        problems = []

        def work(number):
            try:
                session = self.open(pin="")
                key = self.find(session, "PRIVATE_KEY", ("AUTH", "SIGN")[number % 2])
                public = self.find(session, "PUBLIC_KEY", ("AUTH", "SIGN")[number % 2])
                for turn in range(5):
                    data = f"{number} {turn}".encode()
                    mechanism = PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS)
                    if not session.verify(public, data, session.sign(key, data, mechanism), mechanism):
                        problems.append(f"{number} {turn}")
                session.closeSession()
            except Exception as problem:  # pylint: disable=broad-except
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(problems, [])

    def in_a_child(self, work):
        """Runs it in a fork of this process, which leaves without Python's or the module's ends."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                work()
                said = "done"
            except BaseException:  # pylint: disable=broad-except
                said = traceback.format_exc()
            os.write(writing, said.encode()[-4000:])
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(said, "done")

    def test_fork(self):
        session = self.open()
        self.verify(session)

        def nothing():
            pass

        def the_parents_session():
            """It is not the child's, whatever PyKCS11 does by itself to go on."""
            with self.assertRaises(PyKCS11Error) as refusal:
                session.getSessionInfo()
            self.assertIn(refusal.exception.value, (PyKCS11.CKR_CRYPTOKI_NOT_INITIALIZED, PyKCS11.CKR_SESSION_HANDLE_INVALID))

        def a_module_of_its_own():
            library = self.load()
            self.verify(self.open(library=library))

        def an_end():
            self.library.lib.C_Finalize()

        for work in (nothing, the_parents_session, a_module_of_its_own, an_end, a_module_of_its_own):
            with self.subTest(work.__name__):
                self.in_a_child(work)
                self.verify(session)  # the parent goes on without a new login

    def test_others_on_the_card(self):
        session = self.open()
        for _ in range(2):
            self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "-O")
            self.verify(session)
            self.sim.run(KILT, "sign", "--key", "AUTH", "--pin-file", self.sim.pin_file, "-o", self.path("other"), self.sim.ca)
            self.verify(session)

    def test_what_others_made_is_seen_by_a_program_that_stays(self):
        session = self.open()
        keys = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY)]
        before = len(session.findObjects(keys))
        self.sim.run(KILT, "key", "generate", "--label", "NEW", "--pin-file", self.sim.pin_file)
        self.assertEqual(len(session.findObjects(keys)), before + 1)
        self.verify(session)
        self.sim.run("pkcs11-tool", "--module", MODULE, "--login", "--pin", self.card.user_pin, "--delete-object", "--type", "privkey",
                     "--label", "NEW")
        private = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), (PyKCS11.CKA_LABEL, "NEW")]
        self.assertEqual(session.findObjects(private), [])

    def test_no_card(self):
        self.sim.remove()
        self.assertEqual(self.library.getSlotList(tokenPresent=True), [])
        [slot] = self.library.getSlotList()
        self.refused("CKR_TOKEN_NOT_PRESENT", self.library.openSession, slot)
        self.library = None
        self.library = self.load()
        self.assertEqual(self.library.getSlotList(tokenPresent=True), [])


if __name__ == "__main__":
    PyKcs11.card, PyKcs11.host = card_of(sys.argv)
    unittest.main(argv=sys.argv[:1], verbosity=2)
