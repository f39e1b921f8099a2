// SPDX-License-Identifier: Apache-2.0
// Secure messaging of the LASER applet: the published vectors, OpenSSL as the other end, and what
// a tampering card gets.
#include "drivers/laser_sm.hpp"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/sha.h>

#include <memory>
#include <random>

#include "apdu/tlv.hpp"
#include "tests/apdu/scripted_transport.hpp"

namespace kilt::card::laser {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

template <class T>
std::string why(const Result<T>& result) {
  return result ? "ok" : result.error().message();
}

// [facts jacarta A16, vectors]; N is the 768-bit group of RFC 2409.
const char* const modulus =
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404"
    "DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A3620FFFFFFFFFFFFFF"
    "FF";
const char* const x = "86DD1CF45142E904CB2E99C2721FAC3CA198C6CA";
const char* const card_public =
    "6BCE58FAB9599DCBA898CC457FFA3860F407CCB5375AFD73272C16211632756744790014FACBF83BE792726B30FC9D"
    "A1"
    "93CE4E65451F7BBA3FFDC9FB884141EB5D338F7B6FDFB18561F4A1E12550166F8F2885FB0B942AC8A356E8A30E536C"
    "9A";
const char* const our_public =
    "98CE47B407E9F83E6E96E9C9A654B28E10146E89CC763BBDD7262AA3961E67D298BF4898DC5A8E6A7950A9E88F3789"
    "27"
    "4EB1EFF8201E90E3AE20260B3B77D7737B2495FAF430306B8CE2FE2641834B1506F3C4638FEC262947FC3923235AA1"
    "3C";
const char* const shared =
    "BD7429D66E29C428D2557D7CC85F8FB997E276B27FC00467DB9A6E77837FFC8DD001324DDBD5F2223A32BA504FD6B6"
    "A7"
    "06F448D538EF291DF65620CCD12A65AB59EEDDFFDA164ABEA76263F5B56B952E3340C3A15645F2E4D2AE0695BB83B9"
    "22";
const char* const challenge = "404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F";
const char* const key_enc = "FD356B952A6C826F9A1C37378412C1F6";
const char* const key_mac = "8BCB3C24D72AAADA885868168788AC7D";

Bytes parameters(std::string_view g, std::string_view n, std::string_view y) {
  apdu::BerWriter writer;
  writer.put(0x80, hex(g)).put(0x81, hex(n)).put(0x82, hex(y));
  return std::move(writer).bytes();
}

SessionKeys keys() {
  return {SecretBytes::copy_of(hex(key_enc)), SecretBytes::copy_of(hex(key_mac))};
}

apdu::CommandApdu command(std::string_view text) {
  return apdu::CommandApdu::parse(hex(text)).value();
}
apdu::ResponseApdu response(std::string_view text) {
  return apdu::ResponseApdu::parse(hex(text)).value();
}
std::string wrapped(SecureChannel& channel, std::string_view plain) {
  const auto made = channel.wrap(command(plain));
  return made ? to_hex(made->encode()) : made.error().message();
}

// ---- published values ------------------------------------------------------------------------

TEST(LaserAgreement, PublishedValues) {
  const auto offered = parse_dh_parameters(parameters("02", modulus, card_public));
  ASSERT_TRUE(offered.ok()) << why(offered);
  const auto made = agree(*offered, hex(x));
  ASSERT_TRUE(made.ok()) << why(made);
  EXPECT_EQ(to_hex(made->public_value), our_public);
  EXPECT_EQ(to_hex(made->shared.view()), shared);
  const auto derived = derive_keys(made->shared.view(), hex(challenge));
  ASSERT_TRUE(derived.ok()) << why(derived);
  EXPECT_EQ(to_hex(derived->encryption.view()), key_enc);
  EXPECT_EQ(to_hex(derived->mac.view()), key_mac);
}

TEST(LaserVerify, PublishedValue) {
  const auto made =
      verify_cryptogram(as_bytes("1234567890"), hex("1011121314151617"), hex("A0A1A2A3A4A5A6A7"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(to_hex(*made), "BADCA03397244A2621159779C7FC3C26");
  EXPECT_FALSE(verify_cryptogram(as_bytes("1234"), Bytes(7), Bytes(8)).ok());
  EXPECT_FALSE(verify_cryptogram(as_bytes("1234"), Bytes(8), Bytes(16)).ok());
}

TEST(LaserChannel, PublishedExchange) {
  SecureChannel channel(keys());
  EXPECT_EQ(wrapped(channel, "80240000 0C 620A81083837363534333231"),
            "8C2400001D871101C2BC13A7ADD08F63F399856FA92F807D8E08E6332690A8DD32EB00");
  auto answer = channel.unwrap(response("990290008E08E9FAB984023A8C149000"));
  ASSERT_TRUE(answer.ok()) << why(answer);
  EXPECT_TRUE(answer->ok() && answer->data.empty());
  EXPECT_EQ(wrapped(channel, "80CB0114 00"), "8CCB01140D9701008E081021DB045799B7CB00");
  answer = channel.unwrap(
      response("87110121E99905C38E7F54B8CF4E8F7B1FCDE4990290008E082E251175DF2094979000"));
  ASSERT_TRUE(answer.ok()) << why(answer);
  EXPECT_EQ(answer->data.size(), 8u);
  EXPECT_EQ(wrapped(channel, "80A4080C 04 3F000020 00"),
            "8CA4080C188709013C31F456C1B221649701008E08EDDF6104688FB80700");
  answer = channel.unwrap(response("99026A828E08F1223C47053D43546A82"));
  ASSERT_TRUE(answer.ok()) << why(answer);
  EXPECT_EQ(answer->status.value, 0x6A82);
}

// ---- OpenSSL as the card ---------------------------------------------------------------------

/// Single DES lives in OpenSSL's legacy provider.
struct Legacy {
  OSSL_PROVIDER* legacy = OSSL_PROVIDER_load(nullptr, "legacy");
  OSSL_PROVIDER* standard = OSSL_PROVIDER_load(nullptr, "default");
};

Bytes openssl_cbc(const char* name, ByteView key, const Bytes& iv, ByteView in, bool encrypt) {
  static const auto& providers = *new Legacy;
  EXPECT_NE(providers.legacy, nullptr);
  const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> cipher(
      EVP_CIPHER_fetch(nullptr, name, nullptr), EVP_CIPHER_free);
  EXPECT_NE(cipher, nullptr) << name;
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes out(in.size() + 8);
  int count = 0;
  EXPECT_EQ(EVP_CipherInit_ex(context.get(), cipher.get(), nullptr, key.data(), iv.data(),
                              encrypt ? 1 : 0),
            1);
  EXPECT_EQ(EVP_CIPHER_CTX_set_padding(context.get(), 0), 1);
  EXPECT_EQ(
      EVP_CipherUpdate(context.get(), out.data(), &count, in.data(), static_cast<int>(in.size())),
      1);
  out.resize(static_cast<std::size_t>(count));
  return out;
}

/// The card's end, by OpenSSL alone.
class OpensslCard {
 public:
  OpensslCard(Bytes enc, Bytes mac) : enc_(std::move(enc)), mac_(std::move(mac)) {}

  static Bytes padded(Bytes bytes) {
    bytes.push_back(0x80);
    while (bytes.size() % 8 != 0)
      bytes.push_back(0);
    return bytes;
  }
  /// DES-CBC with K1; the last block decrypted with K2 and encrypted with K1.
  [[nodiscard]] Bytes retail(const Bytes& input) const {
    const ByteView k1 = ByteView(mac_).first(8), k2 = ByteView(mac_).last(8);
    Bytes last = openssl_cbc("DES-CBC", k1, Bytes(8), input, true);
    last.erase(last.begin(), last.end() - 8);
    last = openssl_cbc("DES-CBC", k2, Bytes(8), last, false);
    return openssl_cbc("DES-CBC", k1, Bytes(8), last, true);
  }
  Bytes mac(const Bytes& first, const Bytes& second) {
    Bytes input(8);
    ++counter_;
    for (int i = 0; i < 8; ++i)
      input[static_cast<std::size_t>(7 - i)] = static_cast<std::uint8_t>(counter_ >> 8 * i);
    if (!first.empty()) append(input, padded(first));
    if (!second.empty()) append(input, padded(second));
    return retail(input);
  }
  /// The plain body of a protected command, whose MAC must be right.
  Bytes open(const Bytes& header, ByteView objects, std::optional<std::uint8_t> le) {
    apdu::BerReader reader(objects);
    Bytes covered, plain;
    const auto data = reader.optional(0x87).value();
    if (data) {
      append(covered, data->whole);
      EXPECT_EQ(data->value[0], 1);
      plain = openssl_cbc("DES-EDE-CBC", enc_, Bytes(8), data->value.subspan(1), false);
      while (plain.back() == 0)
        plain.pop_back();
      EXPECT_EQ(plain.back(), 0x80);
      plain.pop_back();
    }
    const auto length = reader.optional(0x97).value();
    EXPECT_EQ(length.has_value(), le.has_value());
    if (length) {
      append(covered, length->whole);
      EXPECT_EQ(length->value[0], *le);
    }
    const auto code = reader.expect(0x8E).value();
    EXPECT_TRUE(reader.finish().ok());
    EXPECT_EQ(to_hex(code.value), to_hex(mac(header, covered)));
    return plain;
  }
  Bytes answer(ByteView data, std::uint16_t sw) {
    Bytes covered;
    if (!data.empty()) {
      Bytes value{1};
      append(value, openssl_cbc("DES-EDE-CBC", enc_, Bytes(8), padded(copy_of(data)), true));
      apdu::BerWriter writer;
      writer.put(0x87, value);
      append(covered, writer.bytes());
    }
    append(covered,
           {0x99, 0x02, static_cast<std::uint8_t>(sw >> 8), static_cast<std::uint8_t>(sw)});
    const Bytes code = mac({}, covered);
    append(covered, {0x8E, 0x08});
    append(covered, code);
    append_be16(covered, sw);
    return covered;
  }

 private:
  Bytes enc_, mac_;
  std::uint64_t counter_ = 0;
};

TEST(LaserAgreement, OpensslComesToTheSame) {
  using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
  const auto number = [](ByteView bytes) {
    return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free);
  };
  const auto power = [&](const Number& base, const Number& exponent, const Number& n) {
    Number result(BN_new(), BN_free);
    const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
    EXPECT_EQ(BN_mod_exp(result.get(), base.get(), exponent.get(), n.get(), context.get()), 1);
    return result;
  };
  const auto bytes = [](const Number& value, std::size_t size) {
    Bytes out(size);
    EXPECT_EQ(BN_bn2binpad(value.get(), out.data(), static_cast<int>(size)),
              static_cast<int>(size));
    return out;
  };
  std::mt19937 random(1);
  bool saw_short = false;
  const Number group_1024(BN_get_rfc2409_prime_1024(nullptr), BN_free);
  const Number group_2048(BN_get_rfc3526_prime_2048(nullptr), BN_free);
  const Number group_768 = number(hex(modulus));
  for (const auto* n : {&group_768, &group_1024, &group_2048}) {
    const auto size = static_cast<std::size_t>(BN_num_bytes(n->get()));
    // Until one of our values has a leading zero byte, at least some rounds.
    for (int round = 0; round < (n == &group_768 ? 1500 : 5); ++round) {
      Bytes ours(32), theirs(32);
      for (auto& byte : ours)
        byte = static_cast<std::uint8_t>(random());
      for (auto& byte : theirs)
        byte = static_cast<std::uint8_t>(random());
      const Number g = number(Bytes{2});
      const Number y = power(g, number(theirs), *n);
      apdu::BerWriter writer;
      writer.put(0x80, {0x02}).put(0x81, bytes(*n, size)).put(0x82, bytes(y, size));
      const auto offered = parse_dh_parameters(writer.bytes());
      ASSERT_TRUE(offered.ok()) << why(offered);
      const auto made = agree(*offered, ours);
      ASSERT_TRUE(made.ok());
      ASSERT_EQ(made->shared.size(), size);
      ASSERT_NE(made->public_value.front(), 0);
      const Number secret = power(number(made->public_value), number(theirs), *n);
      ASSERT_EQ(to_hex(made->shared.view()), to_hex(bytes(secret, size)));
      if (made->public_value.size() < size && made->shared.view()[0] != 0) saw_short = true;
      if (saw_short && round > 5) break;
    }
  }
  EXPECT_TRUE(saw_short) << "a value with a leading zero byte was met";
}

TEST(LaserVerify, OpensslComesToTheSame) {
  for (const char* pin : {"1234", "11111111", "0123456789abcdef"}) {
    std::uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const std::uint8_t*>(pin), std::string_view(pin).size(), digest);
    Bytes text = hex("0011223344556677"), theirs = hex("FFEEDDCCBBAA9988");
    const auto made = verify_cryptogram(as_bytes(pin), text, theirs);
    append(text, theirs);
    EXPECT_EQ(to_hex(*made),
              to_hex(openssl_cbc("DES-EDE-CBC", ByteView(digest, 16), Bytes(8), text, true)));
  }
}

TEST(LaserChannel, OpensslUnderstandsEveryShape) {
  const Bytes enc = hex("0123456789ABCDEF8877665544332211"),
              mac = hex("FEDCBA98765432101122334455667788");
  SecureChannel channel({SecretBytes::copy_of(enc), SecretBytes::copy_of(mac)});
  OpensslCard card(enc, mac);
  const char* const shapes[] = {
      "80300100",        "80CB011400", "80240000 03 628100", "00B0000008", "80A4080C 043F000020 00",
      "00470000 01AA 10"};
  for (const char* shape : shapes) {
    const auto plain = command(shape);
    const auto made = channel.wrap(plain);
    ASSERT_TRUE(made.ok()) << why(made);
    EXPECT_EQ(made->cla(), plain.cla() | 0x0C);
    EXPECT_EQ(made->ins(), plain.ins()) << "the real code, odd ones too";
    EXPECT_EQ(made->ne(), 256u);
    std::optional<std::uint8_t> le;
    if (plain.ne()) le = static_cast<std::uint8_t>(*plain.ne());
    EXPECT_EQ(
        to_hex(card.open({made->cla(), made->ins(), made->p1(), made->p2()}, made->body(), le)),
        to_hex(plain.body()));
    const Bytes data(plain.ne() ? 13 : 0, 0x80);
    const auto answer =
        channel.unwrap(apdu::ResponseApdu::parse(card.answer(data, 0x9000)).value());
    ASSERT_TRUE(answer.ok()) << why(answer);
    EXPECT_EQ(answer->data, data);
  }
}

TEST(LaserChannel, EveryLengthOfData) {
  const Bytes enc = hex(key_enc), mac = hex(key_mac);
  SecureChannel channel(keys());
  OpensslCard card(enc, mac);
  for (std::size_t size = 1; size <= 239; ++size) {
    apdu::CommandApdu plain(0x00, 0xD6, 0, 0);
    plain.data(Bytes(size, 0x00));
    const auto made = channel.wrap(plain);
    ASSERT_TRUE(made.ok()) << size << ": " << why(made);
    ASSERT_EQ(card.open({0x0C, 0xD6, 0, 0}, made->body(), {}), Bytes(size, 0x00)) << size;
    const auto answer =
        channel.unwrap(apdu::ResponseApdu::parse(card.answer(Bytes(size, 0x80), 0x9000)).value());
    ASSERT_TRUE(answer.ok()) << size << ": " << why(answer);
    ASSERT_EQ(answer->data, Bytes(size, 0x80));
  }
  apdu::CommandApdu too_long(0x00, 0xD6, 0, 0);
  too_long.data(Bytes(248, 0));
  EXPECT_EQ(channel.wrap(too_long).error().kind, ErrorKind::bad_argument);
  // What was not sent counts for nothing.
  const auto next = channel.wrap(command("80CB011400"));
  EXPECT_EQ(card.open({0x8C, 0xCB, 0x01, 0x14}, next->body(), 0), Bytes{});
}

TEST(LaserChannel, NoLeObjectForDataOverT0) {
  SecureChannel channel(keys(), true);
  const auto made = channel.wrap(command("80A4080C 04 3F000020 00"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(apdu::find_tag(made->body(), 0x97), std::nullopt);
  const auto second = channel.wrap(command("80CB0114 00"));
  EXPECT_NE(apdu::find_tag(second->body(), 0x97), std::nullopt);
}

TEST(LaserChannel, ASecretStaysASecret) {
  SecureChannel channel(keys());
  apdu::CommandApdu plain(0x80, 0x24, 0, 0);
  plain.secret(SecretBytes::copy_of(hex("620A81083837363534333231")));
  const auto made = channel.wrap(plain);
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->is_secret());
}

// ---- tampering -------------------------------------------------------------------------------

/// The first exchange of the vectors on a channel whose card answers this.
struct Tampered {
  explicit Tampered(std::string answer)
      : transport({std::move(answer), "9000", "9000"}), channel(transport), sm(keys()) {
    channel.set_secure_messaging(&sm);
    first = channel.send(command("80240000 0C 620A81083837363534333231"));
  }
  test::ScriptedTransport transport;
  apdu::Channel channel;
  SecureChannel sm;
  Result<apdu::ResponseApdu> first = Error{};
};

TEST(LaserTampering, TheTrueAnswerPasses) {
  Tampered bench("990290008E08E9FAB984023A8C149000");
  EXPECT_TRUE(bench.first.ok()) << why(bench.first);
}

TEST(LaserTampering, EveryChangedBitClosesTheChannel) {
  const Bytes good = hex("990290008E08E9FAB984023A8C149000");
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    Tampered bench(to_hex(bad));
    ASSERT_FALSE(bench.first.ok()) << "bit " << bit;
    const auto sent = bench.transport.sent.size();
    EXPECT_FALSE(bench.channel.send(command("80CB011400")).ok());
    bench.channel.set_secure_messaging(nullptr);
    EXPECT_FALSE(bench.channel.send(command("80CB011400")).ok()) << "no plain text after it";
    EXPECT_EQ(bench.transport.sent.size(), sent) << "bit " << bit;
  }
}

TEST(LaserTampering, WhatIsMissingOrTooMuch) {
  const char* const bad[] = {
      "9000",                                         // a bare status word
      "6982",                                         // a bare refusal
      "6988",                                         //
      "99029000 9000",                                // no 8E
      "8E08E9FAB984023A8C14 9000",                    // no 99
      "8E08E9FAB984023A8C14 99029000 9000",           // the wrong order
      "990190 8E08E9FAB984023A8C14 9000",             // a short status
      "99029000 8E07E9FAB984023A8C 9000",             // a short MAC
      "99029000 8E09E9FAB984023A8C1400 9000",         // a long MAC
      "99029000 8E00 9000",                           // an empty MAC
      "99029000 8E08E9FAB984023A8C14 00 9000",        // something behind
      "99029000 8E08E9FAB984023A8C14 99029000 9000",  // twice
      "8700 99029000 8E08E9FAB984023A8C14 9000",      // an empty cryptogram
      "990290008E08E9FAB984023A8C146A82",             // another status outside
      "99029000 8E08E9FAB98402 9000",                 // cut off
  };
  for (const char* answer : bad) {
    Tampered bench(answer);
    ASSERT_FALSE(bench.first.ok()) << answer;
    const auto sent = bench.transport.sent.size();
    bench.channel.set_secure_messaging(nullptr);
    EXPECT_FALSE(bench.channel.send(command("80CB011400")).ok()) << answer;
    EXPECT_EQ(bench.transport.sent.size(), sent) << answer;
  }
  Tampered refused("6982");
  EXPECT_EQ(refused.first.error().sw, 0x6982) << "the reason is kept";
}

TEST(LaserTampering, ARepeatedOrSkippedAnswerIsFound) {
  SecureChannel channel(keys());
  ASSERT_TRUE(channel.wrap(command("80240000 0C 620A81083837363534333231")).ok());
  const auto answer = response("990290008E08E9FAB984023A8C149000");
  ASSERT_TRUE(channel.unwrap(answer).ok());
  EXPECT_EQ(channel.unwrap(answer).error().kind, ErrorKind::verify_failed) << "once more";
  SecureChannel other(keys());
  ASSERT_TRUE(other.wrap(command("80CB011400")).ok());
  ASSERT_TRUE(other.wrap(command("80CB011400")).ok());
  EXPECT_EQ(other.unwrap(answer).error().kind, ErrorKind::verify_failed) << "one was lost";
}

TEST(LaserTampering, ACryptogramWithoutItsPaddingIsRefused) {
  const Bytes enc = hex(key_enc), mac = hex(key_mac);
  for (const char* plain : {"0000000000000000", "1122334455667788", "8000000000000011"}) {
    SecureChannel channel(keys());
    OpensslCard card(enc, mac);
    const auto made = channel.wrap(command("80CB011400"));
    card.open({0x8C, 0xCB, 0x01, 0x14}, made->body(), 0);
    Bytes value{1};
    append(value, openssl_cbc("DES-EDE-CBC", enc, Bytes(8), hex(plain), true));
    apdu::BerWriter writer;
    writer.put(0x87, value).put(0x99, {0x90, 0x00});
    Bytes answer = writer.bytes();
    const Bytes code = card.mac({}, answer);
    append(answer, {0x8E, 0x08});
    append(answer, code);
    append(answer, {0x90, 0x00});
    EXPECT_EQ(channel.unwrap(apdu::ResponseApdu::parse(answer).value()).error().kind,
              ErrorKind::protocol)
        << plain;
  }
}

TEST(LaserAgreement, UnsafeGroupsAreRefused) {
  const std::string n = modulus;
  std::string one_less = n;
  one_less.back() = 'E';
  const std::string zeros(n.size(), '0');
  EXPECT_TRUE(parse_dh_parameters(parameters("02", n, card_public)).ok());
  for (const char* bad : {"00", "01"}) {
    EXPECT_FALSE(parse_dh_parameters(parameters("02", n, bad)).ok());
    EXPECT_FALSE(parse_dh_parameters(parameters(bad, n, card_public)).ok());
  }
  for (const auto& bad : {n, one_less, zeros}) {
    EXPECT_FALSE(parse_dh_parameters(parameters("02", n, bad)).ok());
  }
  EXPECT_FALSE(parse_dh_parameters(parameters("02", one_less, card_public)).ok()) << "even";
  EXPECT_FALSE(parse_dh_parameters(parameters("02", "00", "02")).ok());
  EXPECT_FALSE(parse_dh_parameters(parameters("02", n.substr(0, 126), "02")).ok()) << "504 bits";
  EXPECT_FALSE(parse_dh_parameters(parameters("02", std::string(514, 'F'), "03")).ok())
      << "2056 bits";
  Bytes more = parameters("02", n, card_public);
  more.push_back(0);
  EXPECT_FALSE(parse_dh_parameters(more).ok());
  EXPECT_FALSE(parse_dh_parameters({}).ok());
  const auto offered = parse_dh_parameters(parameters("02", n, card_public));
  EXPECT_FALSE(agree(*offered, Bytes(8, 1)).ok()) << "too little randomness";
  EXPECT_FALSE(derive_keys(Bytes(96), Bytes(31)).ok());
  EXPECT_FALSE(derive_keys(Bytes(39), Bytes(32)).ok());
}

}  // namespace
}  // namespace kilt::card::laser
