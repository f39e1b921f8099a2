// SPDX-License-Identifier: Apache-2.0
// RSA encodings: OpenSSL takes what we make and we take what OpenSSL makes; every malformed class
// of block is refused with one and the same error.
#include <gtest/gtest.h>

#include "drivers/rsa_padding.hpp"
#include "tests/openssl.hpp"

namespace kilt::card {
namespace {

struct Named {
  Digest digest;
  const char* name;
};
constexpr Named digests[] = {{Digest::sha1, "sha1"},
                             {Digest::sha224, "sha224"},
                             {Digest::sha256, "sha256"},
                             {Digest::sha384, "sha384"},
                             {Digest::sha512, "sha512"}};

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::uint8_t>(i + 1);
  return out;
}

const test::OpensslRsa& key_of(std::size_t bits) {
  static const test::OpensslRsa normal(2048), odd(1031), just_over(1033);
  return bits == 2048 ? normal : bits == 1031 ? odd : just_over;
}

TEST(DigestInfo, IsWhatRfc8017Prints) {
  // The prefixes of [RFC 8017 §9.2 note 1].
  EXPECT_EQ(to_hex(digest_info(Digest::sha1, counting(20))).substr(0, 30),
            "3021300906052B0E03021A05000414");
  EXPECT_EQ(to_hex(digest_info(Digest::sha224, counting(28))).substr(0, 38),
            "302D300D06096086480165030402040500041C");
  EXPECT_EQ(to_hex(digest_info(Digest::sha256, counting(32))).substr(0, 38),
            "3031300D060960864801650304020105000420");
  EXPECT_EQ(to_hex(digest_info(Digest::sha384, counting(48))).substr(0, 38),
            "3041300D060960864801650304020205000430");
  EXPECT_EQ(to_hex(digest_info(Digest::sha512, counting(64))).substr(0, 38),
            "3051300D060960864801650304020305000440");
}

TEST(Pkcs1Type1, OpensslVerifies) {
  for (const auto& [digest, name] : digests) {
    const Bytes hash = counting(digest_size(digest));
    const auto& key = key_of(2048);
    const auto block = pkcs1_type1_pad(digest_info(digest, hash), key.size());
    ASSERT_TRUE(block);
    EXPECT_TRUE(key.verifies(std::string("-pkeyopt digest:") + name, hash, key.raw_private(*block)))
        << name;
  }
}

TEST(Pkcs1Type1, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(pkcs1_type1_pad(Bytes(117), 128));
  EXPECT_EQ(pkcs1_type1_pad(Bytes(118), 128).error().kind, ErrorKind::bad_argument);
  EXPECT_EQ(pkcs1_type1_pad({}, 10).error().kind, ErrorKind::bad_argument);
  EXPECT_EQ(to_hex(*pkcs1_type1_pad({}, 11)), "0001FFFFFFFFFFFFFFFF00");
}

TEST(Pkcs1Type2, TakesWhatOpensslEncrypts) {
  const auto& key = key_of(2048);
  for (const std::size_t size : {0U, 1U, 32U, 245U}) {
    const Bytes text = counting(size);
    const Bytes block =
        key.raw_private(key.with_public("-encrypt -pkeyopt rsa_padding_mode:pkcs1", text));
    const auto plain = pkcs1_type2_unpad(block);
    ASSERT_TRUE(plain) << size;
    EXPECT_EQ(*plain, text);
  }
}

TEST(Pkcs1Type2, MakesWhatOpensslDecrypts) {
  const auto& key = key_of(2048);
  const Bytes text = counting(100);
  const auto block = pkcs1_type2_pad(text, Bytes(256 - 3 - 100, 0x5A), 256);
  ASSERT_TRUE(block);
  const Bytes cryptogram = key.with_public("-encrypt -pkeyopt rsa_padding_mode:none", *block);
  EXPECT_EQ(key.with_private("-decrypt -pkeyopt rsa_padding_mode:pkcs1", cryptogram), text);
  EXPECT_FALSE(pkcs1_type2_pad(text, Bytes(7, 0x5A), 110));
  EXPECT_FALSE(pkcs1_type2_pad(text, Bytes(153, 0x00), 256));
}

TEST(Pkcs1Type2, EveryMalformedBlockGetsTheSameError) {
  Bytes good(128, 0xAA);
  good[0] = 0x00;
  good[1] = 0x02;
  good[10] = 0x00;
  ASSERT_TRUE(pkcs1_type2_unpad(good));
  EXPECT_EQ(pkcs1_type2_unpad(good)->size(), 117U);

  std::vector<Bytes> bad;
  const auto change = [&](std::size_t at, std::uint8_t to) {
    bad.push_back(good);
    bad.back()[at] = to;
  };
  change(0, 0x01);
  change(0, 0x80);
  change(1, 0x01);
  change(1, 0x00);
  change(1, 0x82);
  change(10, 0x01);  // no separator at all
  for (std::size_t i = 2; i < 10; ++i)
    change(i, 0x00);  // padding string shorter than eight
  bad.emplace_back(10, 0x00);
  bad.emplace_back();
  bad.emplace_back(128, 0x00);
  const std::string same = pkcs1_type2_unpad(bad.front()).error().message();
  for (const auto& block : bad) {
    const auto result = pkcs1_type2_unpad(block);
    ASSERT_FALSE(result) << to_hex(block);
    EXPECT_EQ(result.error().kind, ErrorKind::bad_data);
    EXPECT_EQ(result.error().message(), same);
  }
}

TEST(Pss, OpensslVerifies) {
  for (const std::size_t bits : {1031U, 1033U, 2048U}) {
    const auto& key = key_of(bits);
    for (const auto& [digest, name] : digests) {
      for (const std::size_t salt : {std::size_t{0}, std::size_t{20}, digest_size(digest)}) {
        if (digest_size(digest) + salt + 2 > (bits + 6) / 8) continue;
        const Bytes hash = counting(digest_size(digest));
        const auto block = pss_encode(hash, digest, digest, counting(salt), bits);
        ASSERT_TRUE(block);
        ASSERT_EQ(block->size(), key.size());
        EXPECT_TRUE(pss_matches(*block, hash, digest, digest, salt, bits));
        EXPECT_FALSE(pss_matches(*block, hash, digest, digest, salt + 1, bits));
        const std::string options =
            std::string("-pkeyopt digest:") + name +
            " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:" + std::to_string(salt);
        EXPECT_TRUE(key.verifies(options, hash, key.raw_private(*block))) << bits << " " << name;
      }
    }
  }
}

TEST(Pss, MaskMayUseAnotherHash) {
  const auto& key = key_of(2048);
  const Bytes hash = counting(32);
  const auto block = pss_encode(hash, Digest::sha256, Digest::sha1, counting(32), 2048);
  ASSERT_TRUE(block);
  EXPECT_TRUE(
      key.verifies("-pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss "
                   "-pkeyopt rsa_mgf1_md:sha1 -pkeyopt rsa_pss_saltlen:32",
                   hash, key.raw_private(*block)));
}

TEST(Pss, RefusesWhatDoesNotFit) {
  // 1024 bits hold 128 octets: a 64-octet hash leaves 62 for the salt.
  EXPECT_TRUE(pss_encode(Bytes(64), Digest::sha512, Digest::sha512, Bytes(62), 1024));
  EXPECT_EQ(pss_encode(Bytes(64), Digest::sha512, Digest::sha512, Bytes(63), 1024).error().kind,
            ErrorKind::bad_argument);
  EXPECT_FALSE(pss_encode(Bytes(20), Digest::sha256, Digest::sha256, {}, 1024));
  EXPECT_FALSE(pss_encode(Bytes(32), Digest::sha256, Digest::sha256, {}, 0));
}

TEST(Pss, EveryDamagedOctetIsNoticed) {
  for (const std::size_t bits : {1031U, 1033U, 1024U}) {
    const Bytes hash = counting(32);
    const Bytes good = *pss_encode(hash, Digest::sha256, Digest::sha384, counting(8), bits);
    const auto matches = [&](ByteView block, ByteView digest) {
      return pss_matches(block, digest, Digest::sha256, Digest::sha384, 8, bits);
    };
    ASSERT_TRUE(matches(good, hash));
    EXPECT_FALSE(matches(good, counting(31)));
    EXPECT_FALSE(matches(good, Bytes(32)));
    EXPECT_FALSE(matches(ByteView(good).first(good.size() - 1), hash));
    EXPECT_FALSE(matches({}, hash));
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const auto flip : {std::uint8_t{0x01}, std::uint8_t{0x80}}) {
        Bytes damaged = good;
        damaged[i] ^= flip;
        EXPECT_FALSE(matches(damaged, hash)) << bits << " " << i;
      }
    }
  }
  EXPECT_FALSE(pss_matches(Bytes(33), Bytes(32), Digest::sha256, Digest::sha256, 0, 264));
  EXPECT_FALSE(pss_matches({}, Bytes(32), Digest::sha256, Digest::sha256, 0, 0));
  EXPECT_FALSE(
      pss_matches(Bytes(128), Bytes(32), Digest::sha256, Digest::sha256, ~std::size_t{0}, 1024));
}

std::string oaep_options(const char* hash, const char* mgf, const std::string& label) {
  return std::string("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:") + hash +
         " -pkeyopt rsa_mgf1_md:" + mgf +
         (label.empty() ? "" : " -pkeyopt rsa_oaep_label:" + label);
}

TEST(Oaep, TakesWhatOpensslEncrypts) {
  const auto& key = key_of(2048);
  for (const auto& [digest, name] : digests) {
    for (const std::size_t size : {std::size_t{0}, 254 - 2 * digest_size(digest)}) {
      const Bytes text = counting(size);
      const Bytes block =
          key.raw_private(key.with_public("-encrypt " + oaep_options(name, name, ""), text));
      const auto plain = oaep_decode(block, digest, digest, {});
      ASSERT_TRUE(plain) << name << " " << size;
      EXPECT_EQ(*plain, text);
    }
  }
  const Bytes block = key.raw_private(
      key.with_public("-encrypt " + oaep_options("sha256", "sha1", "6B696C74"), counting(16)));
  EXPECT_EQ(*oaep_decode(block, Digest::sha256, Digest::sha1, as_bytes("kilt")), counting(16));
  EXPECT_FALSE(oaep_decode(block, Digest::sha256, Digest::sha1, as_bytes("kils")));
  EXPECT_FALSE(oaep_decode(block, Digest::sha256, Digest::sha256, as_bytes("kilt")));
}

TEST(Oaep, MakesWhatOpensslDecrypts) {
  const auto& key = key_of(2048);
  const auto block = oaep_encode(counting(50), Digest::sha256, Digest::sha1, as_bytes("kilt"),
                                 Bytes(32, 0x77), 256);
  ASSERT_TRUE(block);
  const Bytes cryptogram = key.with_public("-encrypt -pkeyopt rsa_padding_mode:none", *block);
  EXPECT_EQ(key.with_private("-decrypt " + oaep_options("sha256", "sha1", "6B696C74"), cryptogram),
            counting(50));
  EXPECT_FALSE(oaep_encode(Bytes(191), Digest::sha256, Digest::sha256, {}, Bytes(32), 256));
  EXPECT_FALSE(oaep_encode({}, Digest::sha256, Digest::sha256, {}, Bytes(31), 256));
  EXPECT_FALSE(oaep_encode({}, Digest::sha512, Digest::sha512, {}, Bytes(64), 128));
}

/// An encoding of `message` whose data block has one octet changed *under* its mask: the change
/// goes into the masked data, and the masked seed is made anew to match. MGF1 with SHA-1 over 20
/// octets is one SHA-1 of the masked data and a zero counter, which OpenSSL computes here.
Bytes broken_oaep(const Bytes& message, std::size_t at, std::uint8_t flip) {
  constexpr std::size_t hash = 20;
  const Bytes seed(hash, 0x33);
  Bytes block = *oaep_encode(message, Digest::sha1, Digest::sha1, {}, seed, 128);
  block[1 + hash + at] ^= flip;
  Bytes masked(block.begin() + 1 + hash, block.end());
  append(masked, {0, 0, 0, 0});
  const test::TemporaryDirectory directory;
  const Bytes mask = *from_hex(
      test::must_run("openssl dgst -sha1 -r " + directory.write("in", masked)).substr(0, 40));
  for (std::size_t i = 0; i < hash; ++i)
    block[1 + i] = static_cast<std::uint8_t>(seed[i] ^ mask[i]);
  return block;
}

TEST(Oaep, EveryMalformedBlockGetsTheSameError) {
  const auto decode = [](const Bytes& block) {
    return oaep_decode(block, Digest::sha1, Digest::sha1, {});
  };
  const Bytes text = counting(10);
  ASSERT_TRUE(decode(broken_oaep(text, 0, 0x00)));
  const std::size_t separator = 128 - 21 - 10 - 1;
  std::vector<Bytes> bad;
  bad.push_back(broken_oaep(text, 0, 0x01));  // hash of the label
  bad.push_back(broken_oaep(text, 19, 0x80));
  bad.push_back(broken_oaep(text, 20, 0x02));  // padding string neither zero nor the separator
  bad.push_back(broken_oaep(text, separator - 1, 0xFF));
  bad.push_back(broken_oaep(text, separator, 0x03));  // 02 in the separator's place
  bad.push_back(broken_oaep(text, 0, 0x00));
  bad.back()[0] = 0x01;                       // first octet
  bad.push_back(broken_oaep({}, 106, 0x01));  // no separator at all
  bad.push_back(Bytes(128, 0x00));
  bad.push_back(Bytes(128, 0xFF));
  const std::string same = decode(bad.front()).error().message();
  for (const auto& block : bad) {
    const auto result = decode(block);
    ASSERT_FALSE(result) << to_hex(block);
    EXPECT_EQ(result.error().kind, ErrorKind::bad_data);
    EXPECT_EQ(result.error().message(), same);
  }
  const auto shortest = broken_oaep(text, 20, 0x01);  // an early 01: a longer message, still valid
  EXPECT_EQ(decode(shortest)->size(), 128U - 21 - 20 - 1);
  EXPECT_EQ(oaep_decode(Bytes(41), Digest::sha1, Digest::sha1, {}).error().kind,
            ErrorKind::bad_argument);
}

}  // namespace
}  // namespace kilt::card
