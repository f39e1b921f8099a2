// SPDX-License-Identifier: Apache-2.0
// What each card offers through the module, held in tests/golden: a change of behaviour shows as a
// change of a file. KILT_GOLDEN=write writes the files anew.
#include <fstream>
#include <nlohmann/json.hpp>

#include "pkcs11/mechanism.hpp"
#include "pkcs11/padded.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/create_helpers.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

using nlohmann::ordered_json;

struct Named {
  CK_ULONG value;
  const char* name;
};

constexpr Named attributes[] = {
    {CKA_CLASS, "CLASS"},
    {CKA_TOKEN, "TOKEN"},
    {CKA_PRIVATE, "PRIVATE"},
    {CKA_LABEL, "LABEL"},
    {4, "UNIQUE_ID"},
    {CKA_APPLICATION, "APPLICATION"},
    {CKA_VALUE, "VALUE"},
    {CKA_OBJECT_ID, "OBJECT_ID"},
    {CKA_CERTIFICATE_TYPE, "CERTIFICATE_TYPE"},
    {CKA_ISSUER, "ISSUER"},
    {CKA_SERIAL_NUMBER, "SERIAL_NUMBER"},
    {CKA_TRUSTED, "TRUSTED"},
    {CKA_CERTIFICATE_CATEGORY, "CERTIFICATE_CATEGORY"},
    {CKA_CHECK_VALUE, "CHECK_VALUE"},
    {CKA_KEY_TYPE, "KEY_TYPE"},
    {CKA_SUBJECT, "SUBJECT"},
    {CKA_ID, "ID"},
    {CKA_SENSITIVE, "SENSITIVE"},
    {CKA_ENCRYPT, "ENCRYPT"},
    {CKA_DECRYPT, "DECRYPT"},
    {CKA_WRAP, "WRAP"},
    {CKA_UNWRAP, "UNWRAP"},
    {CKA_SIGN, "SIGN"},
    {CKA_SIGN_RECOVER, "SIGN_RECOVER"},
    {CKA_VERIFY, "VERIFY"},
    {CKA_VERIFY_RECOVER, "VERIFY_RECOVER"},
    {CKA_DERIVE, "DERIVE"},
    {CKA_START_DATE, "START_DATE"},
    {CKA_END_DATE, "END_DATE"},
    {CKA_MODULUS, "MODULUS"},
    {CKA_MODULUS_BITS, "MODULUS_BITS"},
    {CKA_PUBLIC_EXPONENT, "PUBLIC_EXPONENT"},
    {CKA_PRIVATE_EXPONENT, "PRIVATE_EXPONENT"},
    {CKA_PRIME_1, "PRIME_1"},
    {CKA_PUBLIC_KEY_INFO, "PUBLIC_KEY_INFO"},
    {CKA_EXTRACTABLE, "EXTRACTABLE"},
    {CKA_LOCAL, "LOCAL"},
    {CKA_NEVER_EXTRACTABLE, "NEVER_EXTRACTABLE"},
    {CKA_ALWAYS_SENSITIVE, "ALWAYS_SENSITIVE"},
    {CKA_KEY_GEN_MECHANISM, "KEY_GEN_MECHANISM"},
    {CKA_MODIFIABLE, "MODIFIABLE"},
    {CKA_COPYABLE, "COPYABLE"},
    {CKA_DESTROYABLE, "DESTROYABLE"},
    {CKA_ALWAYS_AUTHENTICATE, "ALWAYS_AUTHENTICATE"},
    {CKA_WRAP_WITH_TRUSTED, "WRAP_WITH_TRUSTED"},
    {CKA_ALLOWED_MECHANISMS, "ALLOWED_MECHANISMS"},
    {CKA_MECHANISM_TYPE, "MECHANISM_TYPE"},
    {CKA_PROFILE_ID, "PROFILE_ID"},
};

constexpr Named token_flags_named[] = {
    {CKF_RNG, "RNG"},
    {CKF_WRITE_PROTECTED, "WRITE_PROTECTED"},
    {CKF_LOGIN_REQUIRED, "LOGIN_REQUIRED"},
    {CKF_USER_PIN_INITIALIZED, "USER_PIN_INITIALIZED"},
    {CKF_PROTECTED_AUTHENTICATION_PATH, "PROTECTED_AUTHENTICATION_PATH"},
    {CKF_TOKEN_INITIALIZED, "TOKEN_INITIALIZED"},
    {CKF_USER_PIN_TO_BE_CHANGED, "USER_PIN_TO_BE_CHANGED"},
};

constexpr Named pin_flags_named[] = {
    {CKF_USER_PIN_INITIALIZED, "USER_PIN_INITIALIZED"},
    {CKF_USER_PIN_COUNT_LOW, "USER_PIN_COUNT_LOW"},
    {CKF_USER_PIN_FINAL_TRY, "USER_PIN_FINAL_TRY"},
    {CKF_USER_PIN_LOCKED, "USER_PIN_LOCKED"},
    {CKF_USER_PIN_TO_BE_CHANGED, "USER_PIN_TO_BE_CHANGED"},
    {CKF_SO_PIN_COUNT_LOW, "SO_PIN_COUNT_LOW"},
    {CKF_SO_PIN_FINAL_TRY, "SO_PIN_FINAL_TRY"},
    {CKF_SO_PIN_LOCKED, "SO_PIN_LOCKED"},
    {CKF_SO_PIN_TO_BE_CHANGED, "SO_PIN_TO_BE_CHANGED"},
};

constexpr Named mechanism_flags[] = {
    {CKF_HW, "HW"},
    {CKF_ENCRYPT, "ENCRYPT"},
    {CKF_DECRYPT, "DECRYPT"},
    {CKF_DIGEST, "DIGEST"},
    {CKF_SIGN, "SIGN"},
    {CKF_SIGN_RECOVER, "SIGN_RECOVER"},
    {CKF_VERIFY, "VERIFY"},
    {CKF_VERIFY_RECOVER, "VERIFY_RECOVER"},
    {CKF_GENERATE_KEY_PAIR, "GENERATE_KEY_PAIR"},
};

template <std::size_t N>
ordered_json flags(const Named (&names)[N], CK_FLAGS value) {
  auto list = ordered_json::array();
  for (const auto& [bit, name] : names) {
    if (value & bit) list.push_back(name);
  }
  return list;
}

class Golden : public Cryptoki, public ::testing::WithParamInterface<TestCard> {
 protected:
  Golden() {
    card = std::make_shared<BenchCard>(7, false, GetParam().profile);
    bench.insert(reader_a, card);
  }
  static ordered_json attributes_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    ordered_json all;
    for (const auto& [type, name] : attributes) {
      Bytes room(2048);
      CK_ATTRIBUTE one{type, room.data(), room.size()};
      const CK_RV rv = C_GetAttributeValue(session, object, &one, 1);
      if (rv == CKR_ATTRIBUTE_TYPE_INVALID) continue;
      if (rv != CKR_OK) {
        all[name] = p11::name_of_code(rv);
        continue;
      }
      // Long values and digests of them belong to the chip's random numbers.
      const bool random = one.ulValueLen > 40 || type == CKA_CHECK_VALUE;
      all[name] = random ? std::to_string(one.ulValueLen) + " octets"
                         : to_hex(ByteView(room).first(one.ulValueLen));
    }
    return all;
  }
  [[nodiscard]] ordered_json mechanisms() const {
    const auto slot = slot_of(reader_a);
    CK_ULONG count = 0;
    C_GetMechanismList(slot, nullptr, &count);
    std::vector<CK_MECHANISM_TYPE> types(count);
    C_GetMechanismList(slot, types.data(), &count);
    ordered_json all;
    for (const auto type : types) {
      CK_MECHANISM_INFO info{};
      EXPECT_TRUE(is(C_GetMechanismInfo(slot, type, &info), CKR_OK));
      all[p11::find_mechanism(type)->name] = {{"min", info.ulMinKeySize},
                                              {"max", info.ulMaxKeySize},
                                              {"flags", flags(mechanism_flags, info.flags)}};
    }
    return all;
  }
  /// The flags that PINs have, and when they change: with each wrong PIN, down to the last.
  ordered_json pin_states() {
    ordered_json states = ordered_json::array();
    ordered_json last;
    const auto note = [&](const std::string& when) {
      auto now = flags(pin_flags_named, token_flags());
      if (now != last) states.push_back({{"when", when}, {"flags", now}});
      last = std::move(now);
    };
    note("as delivered");
    const auto session = open();
    EXPECT_TRUE(is(login(session, GetParam().user_pin), CKR_OK));
    note("user logged in");
    EXPECT_TRUE(is(C_Logout(session), CKR_OK));
    note("logged out");
    CK_RV rv = CKR_PIN_INCORRECT;
    for (int wrong = 1; rv == CKR_PIN_INCORRECT && wrong < 40; ++wrong) {
      rv = login(session, "99999999");
      note("after wrong PIN " + std::to_string(wrong));
    }
    EXPECT_TRUE(is(rv, CKR_PIN_LOCKED));
    if (login(session, GetParam().officer_pin, CKU_SO) == CKR_OK) {
      const std::string pin = GetParam().user_pin;
      EXPECT_TRUE(is(C_InitPIN(session, utf8(pin), pin.size()), CKR_OK));
      EXPECT_TRUE(is(C_Logout(session), CKR_OK));
      note("set anew by the security officer");
    }
    EXPECT_TRUE(is(C_CloseSession(session), CKR_OK));
    return states;
  }
  [[nodiscard]] ordered_json token() const {
    CK_TOKEN_INFO info{};
    EXPECT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
    const auto version = [](const CK_VERSION& v) {
      return std::to_string(v.major) + "." + std::to_string(v.minor);
    };
    return {{"label", p11::unpadded(info.label, sizeof info.label)},
            {"manufacturer", p11::unpadded(info.manufacturerID, sizeof info.manufacturerID)},
            {"model", p11::unpadded(info.model, sizeof info.model)},
            {"serial length", p11::unpadded(info.serialNumber, sizeof info.serialNumber).size()},
            {"PIN lengths", {info.ulMinPinLen, info.ulMaxPinLen}},
            {"hardware", version(info.hardwareVersion)},
            {"firmware", version(info.firmwareVersion)},
            {"flags", flags(token_flags_named, info.flags)}};
  }
  /// Null where the card has no such objects.
  static ordered_json data_object(CK_SESSION_HANDLE session) {
    auto note = Attributes()
                    .number(CKA_CLASS, CKO_DATA)
                    .flag(CKA_TOKEN, true)
                    .add(CKA_LABEL, "note")
                    .add(CKA_APPLICATION, "test")
                    .add(CKA_VALUE, "text");
    CK_OBJECT_HANDLE data = 0;
    const CK_RV rv = C_CreateObject(session, note.data(), note.size(), &data);
    return rv == CKR_OK ? attributes_of(session, data) : ordered_json(p11::name_of_code(rv));
  }
};

TEST_P(Golden, IsAsInItsFile) {
  TemporaryDirectory directory;
  const auto config = directory.write("kilt.toml", as_bytes("spend_last_try = true\n"));
  ::setenv("KILT_CONFIG", config.c_str(), 1);
  start();
  ordered_json now = {
      {"token", token()}, {"PIN states", pin_states()}, {"mechanisms", mechanisms()}};
  const auto session = open();
  ASSERT_TRUE(is(login(session, GetParam().user_pin), CKR_OK));
  const auto pair = generate(session, "\x45", "AUTH", 2048);
  card::PublicKey key;
  key.modulus = read(session, pair.public_key, CKA_MODULUS);
  key.exponent = read(session, pair.public_key, CKA_PUBLIC_EXPONENT);
  auto from = certificate_template(certificate_for(key, "Owner"), "\x45");
  CK_OBJECT_HANDLE certificate = 0;
  ASSERT_TRUE(is(C_CreateObject(session, from.data(), from.size(), &certificate), CKR_OK));
  now["private key"] = attributes_of(session, pair.private_key);
  now["public key"] = attributes_of(session, pair.public_key);
  now["certificate"] = attributes_of(session, certificate);
  now["data"] = data_object(session);
  for (const char* name : {"profile", "mechanism"}) {
    const CK_OBJECT_CLASS kind = std::string(name) == "profile" ? CKO_PROFILE : CKO_MECHANISM;
    const auto found = find(session, Attributes().number(CKA_CLASS, kind));
    ASSERT_FALSE(found.empty());
    now[name] = attributes_of(session, found.front());
  }
  const std::string path =
      KILT_SOURCE_DIR "/tests/golden/pkcs11-" + std::string(GetParam().profile) + ".json";
  const char* mode = ::getenv("KILT_GOLDEN");
  if (mode != nullptr && std::string(mode) == "write") std::ofstream(path) << now.dump(1) << "\n";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " is missing; KILT_GOLDEN=write makes it";
  EXPECT_EQ(now.dump(1), ordered_json::parse(file).dump(1));
}

INSTANTIATE_TEST_SUITE_P(Cards, Golden, ::testing::ValuesIn(test_cards), name_of_card);

}  // namespace
}  // namespace kilt::test
