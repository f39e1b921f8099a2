// SPDX-License-Identifier: Apache-2.0
// Objects: what is visible to whom, attributes by their rules, searches and their price.
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

using Objects = Cryptoki;

Attributes of_class(CK_OBJECT_CLASS object_class) {
  return Attributes().number(CKA_CLASS, object_class);
}

CK_ULONG number(const Bytes& value) {
  CK_ULONG out = 0;
  EXPECT_EQ(value.size(), sizeof out);
  std::memcpy(&out, value.data(), sizeof out);
  return out;
}

TEST_F(Objects, PrivateOnesShowAfterLoginOnly) {
  const auto session = user_session();
  const auto pair = generate(session);
  EXPECT_EQ(find(session).size(), 2U);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_EQ(find(session).size(), 1U);
  CK_ATTRIBUTE label{CKA_LABEL, nullptr, 0};
  EXPECT_TRUE(
      is(C_GetAttributeValue(session, pair.private_key, &label, 1), CKR_OBJECT_HANDLE_INVALID));
  EXPECT_TRUE(is(C_GetAttributeValue(session, pair.public_key, &label, 1), CKR_OK));
  // A handle of before the logout stays dead, and is not given to another object.
  EXPECT_TRUE(is(login(session), CKR_OK));
  const auto keys = find(session, of_class(CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_NE(keys[0], pair.private_key);
  EXPECT_TRUE(
      is(C_GetAttributeValue(session, pair.private_key, &label, 1), CKR_OBJECT_HANDLE_INVALID));
}

TEST_F(Objects, AreNotSeenByASecurityOfficer) {
  const auto session = user_session();
  generate(session);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(find(session, of_class(CKO_PRIVATE_KEY)).empty());
}

TEST_F(Objects, KeepTheirHandlesOverSearches) {
  const auto session = user_session();
  const auto pair = generate(session);
  EXPECT_EQ(find(session), (std::vector<CK_OBJECT_HANDLE>{pair.public_key, pair.private_key}));
  EXPECT_EQ(find(session), (std::vector<CK_OBJECT_HANDLE>{pair.public_key, pair.private_key}));
}

TEST_F(Objects, SearchesAreOperations) {
  const auto session = user_session();
  generate(session);
  CK_OBJECT_HANDLE found[1];
  CK_ULONG count = 0;
  EXPECT_TRUE(is(C_FindObjects(session, found, 1, &count), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_FindObjectsInit(session, nullptr, 2), CKR_ARGUMENTS_BAD));
  ASSERT_TRUE(is(C_FindObjectsInit(session, nullptr, 0), CKR_OK));
  EXPECT_TRUE(is(C_FindObjectsInit(session, nullptr, 0), CKR_OPERATION_ACTIVE));
  for (const CK_ULONG wanted : {1UL, 1UL, 0UL}) {
    EXPECT_TRUE(is(C_FindObjects(session, found, 1, &count), CKR_OK));
    EXPECT_EQ(count, wanted);
  }
  EXPECT_TRUE(is(C_FindObjectsFinal(session), CKR_OK));
}

TEST_F(Objects, AreFoundByAnyAttribute) {
  const auto session = user_session();
  const auto one = generate(session, "\x01", "AUTH"), two = generate(session, "\x02", "SIGN");
  using Handles = std::vector<CK_OBJECT_HANDLE>;
  EXPECT_EQ(find(session, Attributes().add(CKA_ID, "\x02").number(CKA_CLASS, CKO_PRIVATE_KEY)),
            Handles{two.private_key});
  EXPECT_EQ(find(session, Attributes().add(CKA_LABEL, "AUTH")),
            (Handles{one.public_key, one.private_key}));
  const auto modulus = read(session, two.public_key, CKA_MODULUS);
  EXPECT_EQ(find(session, Attributes().add(CKA_MODULUS, modulus)),
            (Handles{two.public_key, two.private_key}));
  EXPECT_TRUE(find(session, Attributes().add(CKA_MODULUS, Bytes{1, 2, 3})).empty());
  EXPECT_TRUE(find(session, Attributes().number(CKA_CLASS, CKO_SECRET_KEY)).empty());
  EXPECT_TRUE(find(session, Attributes().add(CKA_PRIME_1, Bytes{1})).empty());
  EXPECT_EQ(find(session, Attributes().flag(CKA_TOKEN, true).flag(CKA_SIGN, true)).size(), 2U);
}

TEST_F(Objects, AKeyIsFoundByItsIdWithoutReadingBodies) {
  auto session = user_session();
  generate(session, "\x01", "AUTH");
  generate(session, "\x02", "SIGN");
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  session = user_session();
  card->exchanges = 0;
  EXPECT_EQ(find(session, of_class(CKO_PRIVATE_KEY).add(CKA_ID, "\x02")).size(), 1U);
  const auto cost = card->exchanges;
  EXPECT_LE(cost, 12U);
  EXPECT_EQ(find(session, of_class(CKO_PRIVATE_KEY).add(CKA_ID, "\x01")).size(), 1U);
  EXPECT_EQ(card->exchanges, cost) << "the second search asks nothing";
}

TEST_F(Objects, APrivateKeyTellsWhatItMay) {
  const auto session = user_session();
  const auto pair = generate(session);
  const auto key = pair.private_key;
  EXPECT_EQ(number(read(session, key, CKA_CLASS)), CKO_PRIVATE_KEY);
  EXPECT_EQ(number(read(session, key, CKA_KEY_TYPE)), CKK_RSA);
  EXPECT_EQ(number(read(session, key, CKA_KEY_GEN_MECHANISM)), CKM_RSA_PKCS_KEY_PAIR_GEN);
  for (const CK_ATTRIBUTE_TYPE yes : {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_ALWAYS_SENSITIVE,
                                      CKA_NEVER_EXTRACTABLE, CKA_LOCAL, CKA_SIGN, CKA_DECRYPT})
    EXPECT_EQ(read(session, key, yes), Bytes{CK_TRUE}) << yes;
  for (const CK_ATTRIBUTE_TYPE no : {CKA_EXTRACTABLE, CKA_ALWAYS_AUTHENTICATE, CKA_DERIVE})
    EXPECT_EQ(read(session, key, no), Bytes{CK_FALSE}) << no;
  EXPECT_EQ(read(session, key, CKA_MODULUS), read(session, pair.public_key, CKA_MODULUS));
  EXPECT_EQ(read(session, key, CKA_MODULUS).size(), 128U);
  EXPECT_EQ(read(session, key, CKA_PUBLIC_EXPONENT), (Bytes{1, 0, 1}));
  EXPECT_EQ(read(session, key, CKA_PUBLIC_KEY_INFO),
            read(session, pair.public_key, CKA_PUBLIC_KEY_INFO));
  EXPECT_EQ(number(read(session, pair.public_key, CKA_MODULUS_BITS)), 1024U);
  EXPECT_EQ(read(session, key, CKA_ALLOWED_MECHANISMS).size() % sizeof(CK_MECHANISM_TYPE), 0U);
  EXPECT_NE(read(session, key, 4), read(session, pair.public_key, 4)) << "CKA_UNIQUE_ID";
}

TEST_F(Objects, AttributesFollowTheFiveRules) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  Bytes room(64), small(2);
  CK_ATTRIBUTE list[] = {{CKA_PRIME_1, room.data(), room.size()},
                         {CKA_LABEL, nullptr, 0},
                         {CKA_VALUE_LEN, room.data(), room.size()},
                         {CKA_LABEL, small.data(), small.size()},
                         {CKA_ID, room.data(), room.size()}};
  const CK_RV rv = C_GetAttributeValue(session, key, list, 5);
  EXPECT_TRUE(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
              rv == CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(list[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(list[1].ulValueLen, 4U);
  EXPECT_EQ(list[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(list[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(list[4].ulValueLen, 1U) << "every attribute is looked at";
  EXPECT_EQ(room[0], 1);
  EXPECT_TRUE(is(C_GetAttributeValue(session, key, list, 1), CKR_ATTRIBUTE_SENSITIVE));
  EXPECT_TRUE(is(C_GetAttributeValue(session, key, list + 2, 1), CKR_ATTRIBUTE_TYPE_INVALID));
  list[3].ulValueLen = 2;
  EXPECT_TRUE(is(C_GetAttributeValue(session, key, list + 3, 1), CKR_BUFFER_TOO_SMALL));
  EXPECT_TRUE(is(C_GetAttributeValue(session, key, nullptr, 1), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_GetAttributeValue(session, 9999, list, 1), CKR_OBJECT_HANDLE_INVALID));
}

TEST_F(Objects, LabelIdAndSubjectChange) {
  auto session = user_session();
  const auto pair = generate(session);
  const Bytes name{0x30, 0x0F, 0x31, 0x0D, 0x30, 0x0B, 0x06, 0x03, 0x55,
                   0x04, 0x03, 0x0C, 0x04, 'N',  'a',  'm',  'e'};
  auto change = Attributes().add(CKA_LABEL, "new label").add(CKA_ID, "\x09\x08");
  for (const auto half : {pair.private_key, pair.public_key}) {
    EXPECT_TRUE(is(C_SetAttributeValue(session, half, change.data(), change.size()), CKR_OK));
  }
  auto subject = Attributes().add(CKA_SUBJECT, name);
  EXPECT_TRUE(is(C_SetAttributeValue(session, pair.private_key, subject.data(), 1), CKR_OK));
  EXPECT_EQ(read(session, pair.private_key, CKA_SUBJECT), name);
  EXPECT_EQ(read(session, pair.public_key, CKA_SUBJECT), name) << "by the same CKA_ID";
  auto local = Attributes().flag(CKA_LOCAL, false);
  EXPECT_TRUE(
      is(C_SetAttributeValue(session, pair.private_key, local.data(), 1), CKR_ATTRIBUTE_READ_ONLY));
  auto odd = Attributes().number(CKA_VALUE_LEN, 3);
  EXPECT_TRUE(is(C_SetAttributeValue(session, pair.private_key, odd.data(), 1),
                 CKR_ATTRIBUTE_TYPE_INVALID));
  const auto reader = open(false);
  EXPECT_TRUE(is(C_SetAttributeValue(reader, pair.private_key, change.data(), change.size()),
                 CKR_SESSION_READ_ONLY));
  // It is on the card, not in our memory alone.
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  session = user_session();
  EXPECT_EQ(find(session, Attributes().add(CKA_LABEL, "new label")).size(), 2U);
  const auto keys = find(session, of_class(CKO_PRIVATE_KEY).add(CKA_ID, "\x09\x08"));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(is(sign_once(session, keys[0]), CKR_OK));
}

TEST_F(Objects, AreDestroyed) {
  const auto session = user_session();
  const auto pair = generate(session);
  const auto reader = open(false);
  EXPECT_TRUE(is(C_DestroyObject(reader, pair.private_key), CKR_SESSION_READ_ONLY));
  EXPECT_TRUE(is(C_DestroyObject(session, 9999), CKR_OBJECT_HANDLE_INVALID));
  EXPECT_TRUE(is(C_DestroyObject(session, pair.private_key), CKR_OK));
  EXPECT_TRUE(is(C_DestroyObject(session, pair.private_key), CKR_OBJECT_HANDLE_INVALID));
  EXPECT_TRUE(find(session, of_class(CKO_PRIVATE_KEY)).empty());
  const auto again = generate(session, "\x01");
  EXPECT_NE(again.private_key, pair.private_key);
  EXPECT_NE(again.public_key, pair.public_key);
}

TEST_F(Objects, APrivateKeyLivesWithoutItsPublicHalf) {
  const auto session = user_session();
  const auto pair = generate(session);
  const Bytes modulus = read(session, pair.public_key, CKA_MODULUS);
  ASSERT_TRUE(is(C_DestroyObject(session, pair.public_key), CKR_OK));
  ASSERT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  const auto later = user_session();
  const auto keys = find(later, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1U);
  // What cannot be told takes nothing from what can.
  CK_ULONG type = 0;
  CK_BBOOL sign = CK_FALSE;
  CK_ATTRIBUTE asked[] = {{CKA_KEY_TYPE, &type, sizeof type},
                          {CKA_MODULUS, nullptr, 0},
                          {CKA_SIGN, &sign, sizeof sign}};
  const CK_RV rv = C_GetAttributeValue(later, keys[0], asked, 3);
  EXPECT_TRUE(rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID) << p11::name_of_code(rv);
  EXPECT_EQ(type, CKK_RSA);
  EXPECT_EQ(sign, CK_TRUE);
  if (rv == CKR_OK) {
    EXPECT_EQ(asked[1].ulValueLen, modulus.size());
  } else {
    EXPECT_EQ(asked[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  }
  EXPECT_TRUE(is(sign_once(later, keys[0]), CKR_OK));
}

TEST_F(Objects, ProfilesSayWhatTheTokenIsGoodFor) {
  start();
  const auto session = open(false);
  const auto found = find(session, Attributes().number(CKA_CLASS, CKO_PROFILE));
  std::vector<CK_ULONG> profiles;
  for (const auto one : found) {
    const Bytes value = read(session, one, CKA_PROFILE_ID);
    CK_ULONG id = 0;
    ASSERT_EQ(value.size(), sizeof id);
    std::memcpy(&id, value.data(), sizeof id);
    profiles.push_back(id);
    EXPECT_EQ(read(session, one, CKA_MODIFIABLE)[0], CK_FALSE);
  }
  EXPECT_THAT(profiles,
              ::testing::UnorderedElementsAre(CKP_BASELINE_PROVIDER, CKP_AUTHENTICATION_TOKEN,
                                              CKP_PUBLIC_CERTIFICATES_TOKEN));
  // Nobody changes, copies or destroys them.
  const auto write = open();
  EXPECT_TRUE(is(C_DestroyObject(write, found[0]), CKR_ACTION_PROHIBITED));
  Attributes label;
  label.add(CKA_LABEL, "mine");
  EXPECT_TRUE(is(C_SetAttributeValue(write, found[0], label.data(), 1), CKR_ACTION_PROHIBITED));
  CK_OBJECT_HANDLE copy = 0;
  EXPECT_TRUE(is(C_CopyObject(write, found[0], nullptr, 0, &copy), CKR_ACTION_PROHIBITED));
}

TEST_F(Objects, MechanismsAndProfilesAreFoundByTheirClassOnly) {
  start();
  const auto session = open(false);
  CK_ULONG count = 0;
  ASSERT_TRUE(is(C_GetMechanismList(slot_of(reader_a), nullptr, &count), CKR_OK));
  const auto found = find(session, Attributes().number(CKA_CLASS, CKO_MECHANISM));
  EXPECT_EQ(found.size(), count);
  EXPECT_EQ(find(session, Attributes()
                              .number(CKA_CLASS, CKO_MECHANISM)
                              .number(CKA_MECHANISM_TYPE, CKM_SHA256_RSA_PKCS))
                .size(),
            1U);
  for (const auto one : find(session)) {
    const Bytes value = read(session, one, CKA_CLASS);
    EXPECT_NE(value[0], CKO_MECHANISM);
    EXPECT_NE(value[0], CKO_PROFILE);
  }
  // The tokens have no clock, no counter and no display.
  EXPECT_TRUE(find(session, Attributes().number(CKA_CLASS, CKO_HW_FEATURE)).empty());
}

TEST_F(Objects, TellTheirSize) {
  const auto session = user_session();
  const auto pair = generate(session);
  CK_ULONG size = 0;
  EXPECT_TRUE(is(C_GetObjectSize(session, pair.public_key, &size), CKR_OK));
  EXPECT_GE(size, 128U);
  EXPECT_TRUE(is(C_GetObjectSize(session, 9999, &size), CKR_OBJECT_HANDLE_INVALID));
  EXPECT_TRUE(is(C_GetObjectSize(session, pair.public_key, nullptr), CKR_ARGUMENTS_BAD));
}

}  // namespace
}  // namespace kilt::test
