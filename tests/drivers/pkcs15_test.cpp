// SPDX-License-Identifier: Apache-2.0
// PKCS #15 entries, byte for byte as OpenSC writes them on this card [facts kaztoken §10.4].
#include "drivers/pkcs15.hpp"

#include <gtest/gtest.h>

namespace kilt::card::pkcs15 {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

KeyUsage usage(bool sign, bool sign_recover, bool decrypt, bool unwrap) {
  KeyUsage made;
  made.sign = sign;
  made.sign_recover = sign_recover;
  made.decrypt = decrypt;
  made.unwrap = unwrap;
  return made;
}

const char* const odf =
    "A80A300804063F0050006005 A00A300804063F0050006002 A10A300804063F0050006001 "
    "A40A300804063F0050006004";
const char* const private_key =
    "3035 300D 0C046B657931 030206C0 040102 300E 040145 03020520 030203B8 020101"
    "A114 3012 300C 040A 3F001000100060020001 02020800";
const char* const public_key =
    "302D 300A 0C0470756231 03020640 300D 040145 0302008B 010100 020100"
    "A110 300E 3008 0406 3F0050000200 02020800";
const char* const certificate =
    "3020 300B 0C056365727431 03020640 3003 040145 A10C 300A 3008 0406 3F0050000300";
const char* const data =
    "3020 300B 0C026431 030206C0 040102 3005 0C03617070 A10A 3008 0406 3F0050000500";
const char* const officer =
    "303B 301A 0C145365637572697479204F6666696365722050494E 030206C0 3003040101"
    "A118 3016 03020099 0A0101 020108 020120 020120 800101 040100";
const char* const user =
    "302F 300E 0C08557365722050494E 030206C0 3003040102"
    "A118 3016 03020398 0A0101 020104 020120 020120 800102 040100";
const char* const gost_private =
    "A438 300B 0C026731 030206C0 040102 300E 040161 03020520 030203B8 020101"
    "A119 3017 300C 040A 3F001000100060020001 020101 020100 020100";
const char* const token_info =
    "303C 020100 0408 0000000048E243B5 0C09 416B74697620436F2E 800B 5275746F6B656E20454350"
    "03020410 A511180F 32303236313132313233303433335A";

TEST(Pkcs15, Odf) {
  const auto lines = parse_odf(hex(odf));
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 4u);
  EXPECT_EQ((*lines)[1].tag, 0xA0);
  EXPECT_EQ((*lines)[1].path, hex("3F0050006002"));
  Bytes again;
  for (const auto& line : *lines)
    append(again, encode(line));
  EXPECT_EQ(again, hex(odf));
}

TEST(Pkcs15, DirectoryEndsAtZero) {
  Bytes file = hex(odf);
  file.resize(128);
  EXPECT_EQ(split(file)->size(), 4u);
  EXPECT_EQ(split(Bytes(2048))->size(), 0u);
  EXPECT_EQ(split({})->size(), 0u);
}

TEST(Pkcs15, PrivateKeyBothWays) {
  const auto key = parse_private_key(hex(private_key));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->common.label, "key1");
  EXPECT_TRUE(key->common.is_private && key->common.modifiable);
  EXPECT_EQ(key->common.auth_id, Bytes{2});
  EXPECT_EQ(key->id, Bytes{0x45});
  EXPECT_EQ(key->usage, usage(true, false, false, false));
  EXPECT_TRUE(key->sensitive && key->always_sensitive && key->never_extractable && key->local);
  EXPECT_FALSE(key->extractable);
  EXPECT_EQ(key->reference, 1u);
  EXPECT_EQ(key->path, hex("3F001000100060020001"));
  EXPECT_EQ(key->bits, 2048u);
  EXPECT_EQ(encode(*key), hex(private_key));
}

TEST(Pkcs15, UsageBitsAsOpenScWritesThem) {
  EXPECT_EQ(private_usage_bits(usage(true, false, false, false)), hex("0520"));
  EXPECT_EQ(private_usage_bits(usage(true, true, false, false)), hex("0430"));
  EXPECT_EQ(private_usage_bits(usage(false, false, true, false)), hex("0640"));
  EXPECT_EQ(private_usage_bits(usage(true, true, true, true)), hex("0274"));
  EXPECT_EQ(public_usage_bits(usage(true, true, true, false)), hex("0083"));
  EXPECT_EQ(public_usage_bits(usage(true, false, false, false)), hex("0102"));
  EXPECT_EQ(usage_of_public(hex("008B")), usage(true, true, true, true));
  KeyUsage all = usage(true, true, true, true);
  all.derive = all.non_repudiation = true;
  EXPECT_EQ(usage_of_private(private_usage_bits(all)), all);
  EXPECT_EQ(usage_of_public(public_usage_bits(all)), all);
}

TEST(Pkcs15, PublicKeyBothWays) {
  const auto key = parse_public_key(hex(public_key));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->common.label, "pub1");
  EXPECT_EQ(key->usage, usage(true, true, true, true) /* verify, verifyRecover, encrypt, wrap */);
  EXPECT_EQ(key->path, hex("3F0050000200"));
  EXPECT_EQ(encode(*key), hex(public_key));
}

TEST(Pkcs15, CertificateDataAndPinsBothWays) {
  EXPECT_EQ(encode(*parse_certificate(hex(certificate))), hex(certificate));
  EXPECT_EQ(encode(*parse_data(hex(data))), hex(data));
  EXPECT_EQ(parse_data(hex(data))->application, "app");
  EXPECT_EQ(encode(*parse_pin(hex(officer))), hex(officer));
  EXPECT_EQ(encode(*parse_pin(hex(user))), hex(user));
  EXPECT_TRUE(parse_pin(hex(officer))->security_officer);
  EXPECT_EQ(parse_pin(hex(user))->min_length, 4u);
  EXPECT_EQ(parse_pin(hex(user))->reference, 2u);
}

TEST(Pkcs15, TokenInfoBothWays) {
  const auto info = parse_token_info(hex(token_info));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->serial, hex("0000000048E243B5"));
  EXPECT_EQ(info->label, "Rutoken ECP");
  EXPECT_EQ(info->manufacturer, "Aktiv Co.");
  EXPECT_EQ(info->last_update, "20261121230433Z");
  EXPECT_EQ(encode(*info), hex(token_info));
}

TEST(Pkcs15, GostKeyIsRecognised) {
  const auto key = parse_private_key(hex(gost_private));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->type, KeyType::gost_256);
  EXPECT_EQ(key->bits, 256u);
}

TEST(Pkcs15, RewriteAddsAndReplacesSubject) {
  const Bytes name = hex("301E311C301A06035504030C13 4B697274206F6620746865207365616C2031");
  Edit edit;
  edit.label = "cert1";
  edit.subject = hex("3008310630040C024142");
  const auto once = rewrite(Kind::private_keys, hex(private_key), edit);
  ASSERT_TRUE(once.ok());
  const auto key = parse_private_key(*once);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->common.label, "cert1");
  EXPECT_EQ(key->subject, *edit.subject);
  EXPECT_EQ(key->path, hex("3F001000100060020001"));
  EXPECT_EQ(encode(*key), *once);  // subject in the place where OpenSC puts it
  edit.subject = hex("30020500");
  EXPECT_EQ(parse_private_key(*rewrite(Kind::private_keys, *once, edit))->subject, hex("30020500"));
}

TEST(Pkcs15, RewriteKeepsWhatItDoesNotKnow) {
  // userConsent, a start date and keyIdentifiers [0] stand where 7816-15 has them.
  const Bytes odd =
      hex("3050 3010 0C046B657931 030206C0 040102 020101 301F 040145 03020520 030203B8 020101"
          "180F 32303236313132313233303433335A A0053003A00105 A1143012300C040A3F001000100060020001 "
          "02020800");
  ASSERT_EQ(odd.size(), odd[1] + 2u) << odd.size();
  Edit edit;
  edit.id = hex("4647");
  edit.label = "k";
  const auto changed = rewrite(Kind::private_keys, odd, edit);
  ASSERT_TRUE(changed.ok());
  const Bytes wanted =
      hex("304E 300D 0C016B 030206C0 040102 020101 3020 04024647 03020520 030203B8 020101"
          "180F 32303236313132313233303433335A A0053003A00105 A1143012300C040A3F001000100060020001 "
          "02020800");
  EXPECT_EQ(to_hex(*changed), to_hex(wanted));
  EXPECT_TRUE(parse_private_key(*changed)->common.user_consent);
}

TEST(Pkcs15, ReferenceOfAPublicKey) {
  Edit edit;
  edit.reference = 7;
  const auto changed = rewrite(Kind::public_keys, hex(public_key), edit);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(parse_public_key(*changed)->reference, 7u);
  edit.reference = 0;
  EXPECT_EQ(*rewrite(Kind::public_keys, *changed, edit), hex(public_key));
}

TEST(Pkcs15, EveryTruncationIsAnErrorAndNothingMore) {
  for (const auto* text : {private_key, public_key, certificate, data, officer, gost_private}) {
    const Bytes whole = hex(text);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto part = ByteView(whole).first(size);
      EXPECT_FALSE(parse_private_key(part).ok());
      EXPECT_FALSE(parse_public_key(part).ok());
      EXPECT_FALSE(parse_certificate(part).ok());
      EXPECT_FALSE(parse_data(part).ok());
      EXPECT_FALSE(parse_pin(part).ok());
      EXPECT_FALSE(rewrite(Kind::private_keys, part, {}).ok());
      EXPECT_EQ(split(part).ok(), size == 0);
    }
  }
}

TEST(Pkcs15, EveryChangedByteIsSurvived) {
  for (const auto* text : {private_key, public_key, certificate, data, officer, odf, token_info}) {
    const Bytes whole = hex(text);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const char value : {'\x00', '\x01', '\x30', '\x7F', '\x80', '\x84', '\xFF'}) {
        Bytes changed = whole;
        changed[at] = static_cast<std::uint8_t>(value);
        (void)parse_private_key(changed).ok();
        (void)parse_public_key(changed).ok();
        (void)parse_certificate(changed).ok();
        (void)parse_data(changed).ok();
        (void)parse_pin(changed).ok();
        (void)parse_odf(changed).ok();
        (void)parse_token_info(changed).ok();
        (void)split(changed).ok();
      }
    }
  }
}

}  // namespace
}  // namespace kilt::card::pkcs15
