// SPDX-License-Identifier: Apache-2.0
// Another program deletes an object and puts its own in the same place: what this program still
// holds a handle of must not be used, changed or destroyed in its stead.
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/pkcs11/create_helpers.hpp"
#include "tests/pkcs11/elsewhere.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;

class Replaced : public Cryptoki, public testing::WithParamInterface<TestCard> {
 protected:
  Replaced() {
    card = std::make_shared<BenchCard>(7, false, GetParam().profile);
    bench.insert(reader_a, card);
  }
  void SetUp() override {
    other = somebody_else(bench, *card, GetParam().user_pin);
    ASSERT_NE(other, nullptr);
    make_key(Bytes{1}, "MINE");
    ours();
  }
  /// This program looks at the card: it knows the key by its description alone.
  void ours() {
    start();
    session = open();
    ASSERT_TRUE(is(login(session, GetParam().user_pin), CKR_OK));
    const auto keys = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
    ASSERT_EQ(keys.size(), 1U);
    key = keys[0];
  }
  void make_key(const Bytes& id, const std::string& label) {
    card::GenerateRequest request;
    request.bits = GetParam().bits;
    request.id = id;
    request.private_label = request.public_label = label;
    request.usage.sign = true;
    request.usage.decrypt = GetParam().profile != std::string("kzid");
    const auto made = other->generate(request);
    ASSERT_TRUE(made.ok()) << made.error().message();
    theirs = *made;
  }
  /// `id`: of the key that takes the place.
  void replace(const Bytes& id) {
    const auto gone = other->delete_object(theirs.private_key.ref);
    ASSERT_TRUE(gone.ok()) << gone.error().message();
    // The public half goes along, or stays behind.
    (void)other->delete_object(theirs.public_info.ref).ok();
    const auto old = theirs.private_key.ref;
    make_key(id, "THEIRS");
    ASSERT_EQ(theirs.private_key.ref, old) << "or nothing is tested here";
  }
  void expect_it_lives() {
    other->forget_objects();
    const auto found = other->list();
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found->keys.size(), 1U);
    EXPECT_EQ(found->keys[0].label, "THEIRS");
    EXPECT_EQ(found->keys[0].id, theirs.private_key.id);
    const Bytes text(20, 0x31);
    const auto signature = other->sign(found->keys[0], card::Scheme::rsa_pkcs1, text);
    ASSERT_TRUE(signature.ok()) << signature.error().message();
    const auto block = card::pkcs1_type1_pad(text, signature->size());
    EXPECT_TRUE(card::is_private_power(theirs.public_key, *block, *signature));
  }

  std::unique_ptr<card::Card> other;
  card::KeyPair theirs;
  CK_SESSION_HANDLE session = 0;
  CK_OBJECT_HANDLE key = 0;
  card::ObjectRef certificate{};
};

TEST_P(Replaced, TheOtherKeyDoesNotSign) {
  replace(Bytes{2});
  if (GetParam().profile == std::string("kzid")) bench.reset(*card);  // the gap in kzid_use.cpp
  EXPECT_FALSE(is(sign_once(session, key), CKR_OK));
  EXPECT_TRUE(is(sign_once(session, key), CKR_KEY_HANDLE_INVALID));
  const auto now = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(now.size(), 1U);
  EXPECT_NE(now[0], key);
  EXPECT_TRUE(is(sign_once(session, now[0]), CKR_OK));
}

TEST_P(Replaced, TheOtherKeyDoesNotSignForOneThatSignedBefore) {
  ASSERT_TRUE(is(sign_once(session, key), CKR_OK));
  replace(Bytes{2});
  if (GetParam().profile == std::string("kzid")) bench.reset(*card);
  EXPECT_FALSE(is(sign_once(session, key), CKR_OK));
  EXPECT_FALSE(is(sign_once(session, key), CKR_OK));
}

TEST_P(Replaced, AKeyOfTheSameNameDoesNotSignWhereTheModulusWasRead) {
  read(session, key, CKA_MODULUS);
  replace(Bytes{1});
  bench.reset(*card);
  EXPECT_FALSE(is(sign_once(session, key), CKR_OK));
  EXPECT_TRUE(is(sign_once(session, key), CKR_KEY_HANDLE_INVALID));
  // It is there to be found, as what it is.
  const auto now = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(now.size(), 1U);
  EXPECT_NE(now[0], key);
  EXPECT_EQ(read(session, now[0], CKA_MODULUS), theirs.public_key.modulus);
  EXPECT_TRUE(is(sign_once(session, now[0]), CKR_OK));
}

TEST_P(Replaced, AKeyOfTheSameNameDoesNotDecryptWhereTheModulusWasRead) {
  if (GetParam().profile == std::string("kzid")) GTEST_SKIP() << "the ID card decrypts nothing";
  const auto modulus = read(session, key, CKA_MODULUS);
  replace(Bytes{1});
  bench.reset(*card);
  for (const CK_MECHANISM_TYPE type : {CKM_RSA_X_509, CKM_RSA_PKCS}) {
    const auto found = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
    CK_MECHANISM mechanism{type, nullptr, 0};
    if (type == CKM_RSA_PKCS && found != std::vector{key}) break;  // its handle ended already
    ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, key), CKR_OK));
    Bytes cryptogram(modulus.size(), 0x11), plain(modulus.size());
    CK_ULONG size = plain.size();
    EXPECT_TRUE(is(C_Decrypt(session, cryptogram.data(), cryptogram.size(), plain.data(), &size),
                   CKR_DEVICE_ERROR));
  }
}

/// The program shows this certificate to whom it signs for.
TEST_P(Replaced, AKeyOfTheSameNameDoesNotSignWhereTheCertificateWasRead) {
  const auto install = [&] {
    const auto installed =
        other->install_certificate({}, certificate_for(theirs.public_key, "Somebody"));
    ASSERT_TRUE(installed.ok()) << installed.error().message();
    certificate = installed->ref;
  };
  install();
  bench.reset(*card);
  const auto shown = find(session, Attributes().number(CKA_CLASS, CKO_CERTIFICATE));
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_FALSE(read(session, shown[0], CKA_VALUE).empty());
  other = somebody_else(bench, *card, GetParam().user_pin);
  const auto gone = other->delete_object(certificate);
  ASSERT_TRUE(gone.ok()) << gone.error().message();
  replace(Bytes{1});
  install();
  bench.reset(*card);
  EXPECT_FALSE(is(sign_once(session, key), CKR_OK));
  const auto now = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(now.size(), 1U);
  EXPECT_NE(now[0], key);
  EXPECT_TRUE(is(sign_once(session, now[0]), CKR_OK));
}

TEST_P(Replaced, ASecondKeyIsNotUsedInTheFirstOnesPlace) {
  const auto mine = theirs.public_key;
  ASSERT_TRUE(is(sign_once(session, key), CKR_OK));
  make_key(Bytes{2}, "SECOND");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(other->sign(theirs.private_key, card::Scheme::rsa_pkcs1, Bytes(20, 0x31)).ok());
    CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
    Bytes text(20, 0x32), signature(mine.modulus.size());
    CK_ULONG size = signature.size();
    ASSERT_TRUE(is(C_SignInit(session, &mechanism, key), CKR_OK));
    ASSERT_TRUE(is(C_Sign(session, text.data(), text.size(), signature.data(), &size), CKR_OK));
    const auto block = card::pkcs1_type1_pad(text, signature.size());
    EXPECT_TRUE(card::is_private_power(mine, *block, signature)) << i;
  }
}

TEST_P(Replaced, AHalfDoesNotTakeAnotherKeysId) {
  make_key(Bytes{2}, "SECOND");
  bench.reset(*card);
  for (const auto object_class : {CKO_PUBLIC_KEY, CKO_PRIVATE_KEY}) {
    const auto first =
        find(session, Attributes().number(CKA_CLASS, object_class).add(CKA_ID, Bytes{1}));
    ASSERT_EQ(first.size(), 1U);
    auto change = Attributes().add(CKA_ID, Bytes{2});
    EXPECT_TRUE(is(C_SetAttributeValue(session, first[0], change.data(), change.size()),
                   CKR_TEMPLATE_INCONSISTENT));
  }
  EXPECT_EQ(find(session, Attributes().add(CKA_ID, Bytes{2})).size(), 2U);
}

TEST_P(Replaced, TheOtherKeyIsNotDestroyed) {
  replace(Bytes{2});
  EXPECT_TRUE(is(C_DestroyObject(session, key), CKR_OBJECT_HANDLE_INVALID));
  expect_it_lives();
}

TEST_P(Replaced, TheOtherKeysPublicHalfIsNotDestroyed) {
  const auto halves = find(session, Attributes().number(CKA_CLASS, CKO_PUBLIC_KEY));
  ASSERT_EQ(halves.size(), 1U);
  replace(Bytes{2});
  EXPECT_TRUE(is(C_DestroyObject(session, halves[0]), CKR_OBJECT_HANDLE_INVALID));
  expect_it_lives();
  EXPECT_EQ(other->list()->public_keys.size(), 1U);
}

TEST_P(Replaced, TheOtherKeyIsNotRenamed) {
  replace(Bytes{2});
  Attributes change;
  change.add(CKA_LABEL, std::string("NEW"));
  EXPECT_TRUE(is(C_SetAttributeValue(session, key, change.data(), change.size()),
                 CKR_OBJECT_HANDLE_INVALID));
  expect_it_lives();
}

TEST_P(Replaced, ARenewedCertificateIsNotDestroyed) {
  const auto install = [&](const std::string& name) {
    card::CertificateRequest request;
    request.label = "certificate";
    const auto made =
        other->install_certificate(request, certificate_for(theirs.public_key, name, 500));
    ASSERT_TRUE(made.ok()) << made.error().message();
  };
  install("Old Owner");
  bench.reset(*card);
  other = somebody_else(bench, *card, GetParam().user_pin);
  const auto wanted = Attributes().number(CKA_CLASS, CKO_CERTIFICATE);
  const auto seen = find(session, wanted);
  ASSERT_EQ(seen.size(), 1U);
  read(session, seen[0], CKA_VALUE);
  const auto listed = other->list();
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->certificates.size(), 1U);
  ASSERT_TRUE(other
                  ->login(card::Role::user,
                          SecretBytes::copy_of(as_bytes(std::string(GetParam().user_pin))))
                  .ok());
  ASSERT_TRUE(other->delete_object(listed->certificates[0].ref).ok());
  install("New Owner");
  EXPECT_TRUE(is(C_DestroyObject(session, seen[0]), CKR_OBJECT_HANDLE_INVALID));
  other->forget_objects();
  EXPECT_EQ(other->list()->certificates.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(All, Replaced, testing::ValuesIn(test_cards), name_of_card);

}  // namespace
}  // namespace kilt::test
