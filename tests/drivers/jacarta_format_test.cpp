// SPDX-License-Identifier: Apache-2.0
// JaCarta's formats against bytes of the vendor's own software, and against nonsense.
#include <gtest/gtest.h>

#include "drivers/certificate.hpp"
#include "drivers/jacarta_attributes.hpp"
#include "drivers/jacarta_container.hpp"
#include "drivers/jacarta_files.hpp"
#include "drivers/jacarta_objects.hpp"
#include "drivers/jacarta_pins.hpp"
#include "tests/drivers/jacarta_vendor_files.hpp"

namespace kilt::card::jacarta {
namespace {

namespace vendor = test::vendor;

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

struct VendorFile {
  std::uint16_t fid;
  const char* bytes;
  std::size_t attributes;
  Freshness stamp;
};
const VendorFile vendor_files[] = {{0x0200, vendor::private_key, 22, {3, 3}},
                                   {0x0140, vendor::public_key, 21, {4, 4}},
                                   {0x8400, vendor::certificate, 14, {5, 5}},
                                   {0x867F, vendor::container_map, 10, {0, 0}}};

TEST(JacartaAttributes, VendorsFilesAreReadAndWrittenToTheByte) {
  for (const auto& file : vendor_files) {
    const Bytes bytes = hex(file.bytes);
    const auto attributes = decode(bytes, file.fid);
    ASSERT_TRUE(attributes.ok()) << attributes.error().message();
    EXPECT_EQ(attributes->size(), file.attributes);
    EXPECT_TRUE(digest_is_right(bytes)) << file.fid;
    const auto again = encode(file.fid, *attributes, file.stamp);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(to_hex(*again), file.bytes) << "its SHA-1 too";
  }
}

TEST(JacartaAttributes, ADamagedFileIsKnownByItsDigest) {
  for (const char* text : {vendor::certificate, vendor::container_map}) {
    Bytes bytes = hex(text);
    bytes[300] ^= 1;
    EXPECT_FALSE(digest_is_right(bytes));
    for (std::size_t i = 12; i < 32; ++i)
      bytes[i] = 0;
    EXPECT_TRUE(digest_is_right(bytes)) << "none was made, which the vendor takes too";
  }
  EXPECT_TRUE(digest_is_right({}));
}

TEST(JacartaAttributes, HeadersOfFilesThatWereNeverFinished) {
  const Bytes good = hex(vendor::private_key);
  EXPECT_TRUE(has_valid_header(good, 0x0200, good.size()));
  EXPECT_FALSE(has_valid_header(good, 0x0201, good.size())) << "another's";
  EXPECT_FALSE(has_valid_header(good, 0x0200, 20)) << "shorter than it says";
  EXPECT_FALSE(has_valid_header(ByteView(good).first(6), 0x0200, good.size()));
  EXPECT_FALSE(has_valid_header(Bytes(168, 0x00), 0x0200, 168));
  EXPECT_FALSE(has_valid_header(Bytes(168, 0xFF), 0x0200, 168));
  Bytes invalid = good;
  invalid[0] = 1;
  EXPECT_FALSE(has_valid_header(invalid, 0x0200, good.size()));
}

TEST(JacartaAttributes, FillerBetweenAttributesIsPassedOver) {
  const auto attributes = decode(hex(vendor::private_key), 0x0200).value();
  Bytes file = hex(vendor::private_key);
  const Bytes filler(5, 0xFF);
  file.insert(file.end() - 4, filler.begin(), filler.end());
  file.insert(file.begin() + 7, filler.begin(), filler.end());
  const auto read = decode(file, 0x0200);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->size(), attributes.size());
}

TEST(JacartaAttributes, NonsenseIsRefusedOrBounded) {
  for (const auto& file : vendor_files) {
    const Bytes good = hex(file.bytes);
    for (std::size_t length = 0; length < good.size(); ++length)
      (void)decode(ByteView(good).first(length), file.fid).ok();
    for (std::size_t at = 0; at < std::min<std::size_t>(good.size(), 200); ++at) {
      Bytes bad = good;
      bad[at] = 0xFF;
      const auto read = decode(bad, file.fid);
      if (read) {
        EXPECT_LE(read->size(), 255u);
      }
    }
  }
  Bytes too_long = hex(vendor::private_key);
  too_long[10] = 0xFF;  // length of the first attribute
  EXPECT_FALSE(decode(too_long, 0x0200).ok());
  EXPECT_EQ(encode(0x0600, {{Type::value, 0, Bytes(40000)}}, {}).error().kind,
            ErrorKind::bad_argument);
}

TEST(JacartaPartialFile, FetchesWhatIsMissingAndNothingTwice) {
  Bytes content(1000);
  for (std::size_t i = 0; i < content.size(); ++i)
    content[i] = static_cast<std::uint8_t>(i * 7);
  std::vector<std::pair<std::size_t, std::size_t>> fetched;
  const auto fetch = [&](std::size_t at, std::size_t count) -> Result<Bytes> {
    fetched.emplace_back(at, count);
    return copy_of(ByteView(content).subspan(at, count));
  };
  PartialFile file(content.size());
  EXPECT_TRUE(equal(*file.bytes(0, 7, fetch), ByteView(content).first(7)));
  EXPECT_TRUE(equal(*file.bytes(900, 10, fetch), ByteView(content).subspan(900, 10)));
  EXPECT_TRUE(equal(*file.bytes(0, 1000, fetch), content));
  EXPECT_TRUE(equal(*file.bytes(500, 500, fetch), ByteView(content).subspan(500)));
  const std::vector<std::pair<std::size_t, std::size_t>> expected{
      {0, 256}, {900, 100}, {256, 256}, {512, 256}, {768, 132}};
  EXPECT_EQ(fetched, expected);
  EXPECT_FALSE(file.bytes(990, 11, fetch).ok());
  EXPECT_FALSE(file.bytes(SIZE_MAX, 2, fetch).ok());
  PartialFile lying(100);
  EXPECT_FALSE(lying.bytes(0, 10, [](auto, auto) -> Result<Bytes> { return Bytes{}; }).ok());
  EXPECT_FALSE(lying.bytes(0, 10, [](auto, auto) -> Result<Bytes> { return Bytes(300); }).ok());
}

TEST(JacartaContainer, TheVendorsRecord) {
  const auto attributes = decode(hex(vendor::container_map), 0x867F).value();
  const auto value = std::find_if(attributes.begin(), attributes.end(),
                                  [](const auto& a) { return a.type == Type::value; });
  ContainerMap map;
  map.set(0, {hex("4B31"), 2048, false});
  map.set_default(0);
  EXPECT_EQ(to_hex(map.value()), to_hex(value->value));
  EXPECT_EQ(to_hex(container_file(map.value()).value()), vendor::container_map);
  const ContainerMap read(value->value);
  EXPECT_TRUE(read.has(0) && read.is_default(0) && read.has_default());
  EXPECT_FALSE(read.has(1) || read.has(1000));
}

TEST(JacartaContainer, NamesOfIds) {
  EXPECT_EQ(to_hex(container_name(hex("80DC5C00FF"))), "015B5B017F04");
  EXPECT_EQ(to_hex(container_name(hex("4B31"))), "4B31");
  // Seven bits to a byte, the first one highest; cut at the first byte that is zero.
  EXPECT_EQ(to_hex(container_name(hex("81"))), "0140");
  EXPECT_EQ(to_hex(container_name(hex("0102030405060788"))), "0102030405060708");
  EXPECT_EQ(container_name(Bytes(64, 0x41)).size(), 40u);
  EXPECT_EQ(encode({Bytes(25, 0x41), 2048, false})[88], 0x80);
  EXPECT_EQ(encode({Bytes(24, 0x41), 2048, false})[88], 0x00);
}

TEST(JacartaContainer, GrowsWithTheHighestKey) {
  ContainerMap map(Bytes(643));
  EXPECT_EQ(map.value().size(), 7 * container_record_size);
  ContainerMap fresh;
  EXPECT_EQ(fresh.value().size(), 5 * container_record_size);
  fresh.set(3, {{1}, 1024, false});
  EXPECT_EQ(fresh.value().size(), 5 * container_record_size);
  fresh.set(4, {{1}, 1024, false});
  EXPECT_EQ(fresh.value().size(), 6 * container_record_size);
  fresh.clear(4);
  EXPECT_FALSE(fresh.has(4));
  EXPECT_FALSE(fresh.has_default());
}

// ---- what SELECT tells -----------------------------------------------------------------------

TEST(JacartaFileFacts, KindsOfFiles) {
  auto facts = parse_file_facts(hex("6218 8A0104 83020140 800201A7 870141 86080000002000FF0020"));
  ASSERT_TRUE(facts.ok()) << facts.error().message();
  EXPECT_EQ(facts->type, FileType::ef);
  EXPECT_EQ(facts->size, 423u);
  EXPECT_EQ(to_hex(facts->rules), "0000002000FF0020");
  facts = parse_file_facts(hex("620E 83023F00 800200008701788602 0001"));
  EXPECT_FALSE(facts.ok()) << "lengths that do not add up";
  facts = parse_file_facts(hex("6F0B 8302 0041 8002 0100 870148"));
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->type, FileType::ko);
  EXPECT_FALSE(parse_file_facts(hex("6204 83023F00")).ok()) << "no descriptor";
  EXPECT_FALSE(parse_file_facts({}).ok());
  EXPECT_FALSE(parse_file_facts(hex("6202 8700")).ok());
}

TEST(JacartaPinFacts, ShownAndWrittenForms) {
  auto facts = parse_pin_facts(hex("C0010000 7A 0A 04 10 00000000001010"));
  EXPECT_EQ(facts.tries_left, 7);
  EXPECT_EQ(facts.tries_max, 10);
  EXPECT_TRUE(facts.has_policy && facts.allows_secure_verify);
  EXPECT_EQ(facts.min_length, 4u);
  EXPECT_EQ(facts.max_length, 16u);
  facts = parse_pin_facts(hex("80010000 30 04 10 00000000001010"));
  EXPECT_EQ(facts.tries_left, 3);
  EXPECT_EQ(facts.tries_max, std::nullopt);
  EXPECT_FALSE(facts.allows_secure_verify);
  EXPECT_EQ(facts.max_length, 16u);
  EXPECT_FALSE(parse_pin_facts(hex("C0010000A0000000000000000000")).has_policy);
  EXPECT_EQ(parse_pin_facts(hex("C001")).tries_left, std::nullopt);
  facts = parse_pin_facts(hex("C0010000 A0 00 10 04 00000000000000"));
  EXPECT_EQ(facts.min_length, 4u) << "a policy that contradicts itself is no policy";
  EXPECT_EQ(facts.max_length, 16u);
}

TEST(JacartaTemplates, TheVendorsBytes) {
  NewFile key;
  key.type = FileType::ko;
  key.id = 0x0041;
  key.size = 256;
  key.properties = rsa_properties();
  key.rules = rules::private_key();
  key.content = {0x71, 0x00};
  EXPECT_EQ(to_hex(file_template(key).view()),
            "62248A0104830200418002010085"
            "05050C2000A3860E0000002000FF00200020002000207100")
      << "with a right for deleting";
  NewFile pin;
  pin.type = FileType::ko;
  pin.id = 0x0020;
  pin.size = 16;
  pin.properties = stored_pin_properties();
  pin.rules = rules::user_pin();
  pin.pin = SecretBytes::copy_of(as_bytes("1234567890"));
  const auto command = command::create(pin);
  EXPECT_TRUE(command.apdu.is_secret());
  EXPECT_EQ(to_hex(command.apdu.body()),
            "62378A0104830200208002001085"
            "0EC0010000AA041000000000001010860E00FF003000FF001000FF0010"
            "0000810A31323334353637383930");
  EXPECT_EQ(to_hex(command::generate_rsa(2048).apdu.encode()),
            "004700000BAC0980010781810301000100");
  EXPECT_EQ(to_hex(command::select({0x3000, 0xC000}).apdu.encode()), "80A4080C063F003000C00000");
  EXPECT_EQ(to_hex(command::select_applet(Applet::laser).apdu.encode()),
            "00A4040C0CA0000001644C41534552000100");
  EXPECT_EQ(to_hex(command::sign(hex("68656C6C6F")).apdu.encode()), "002A9E8A07800568656C6C6F00");
}

}  // namespace
}  // namespace kilt::card::jacarta
