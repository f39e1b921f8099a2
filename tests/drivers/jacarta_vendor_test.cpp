// SPDX-License-Identifier: Apache-2.0
// A card that the vendor's software set up is used by kilt, and one that kilt set up has the files
// that the vendor's software would have made [facts jacarta A16].
#include "drivers/jacarta_attributes.hpp"
#include "tests/drivers/jacarta_fixture.hpp"
#include "tests/drivers/jacarta_vendor_files.hpp"

namespace kilt::test {
namespace {

namespace jacarta = card::jacarta;
using card::ObjectClass;
using card::Role;
using card::Scheme;
using jacarta::Type;

const Bytes text(51, 0x31);

Bytes hex(std::string_view digits) {
  return from_hex(digits).value();
}

std::string length_and(const Bytes& body) {
  return to_hex(Bytes{static_cast<std::uint8_t>(body.size())}) + to_hex(body);
}

/// The file of an object with some of its values replaced.
Bytes altered(const char* file, std::uint16_t fid, const std::map<Type, Bytes>& values,
              jacarta::Freshness stamp) {
  auto attributes = jacarta::decode(hex(file), fid).value();
  for (auto& attribute : attributes) {
    if (const auto found = values.find(attribute.type); found != values.end())
      attribute.value = found->second;
  }
  return jacarta::encode(fid, attributes, stamp).value();
}

class JacartaVendor : public Jacarta {
 protected:
  JacartaVendor() : Jacarta(true) {}

  /// Commands as the vendor's driver sends them; all must succeed.
  void say(std::initializer_list<std::string> commands) {
    for (const auto& command : commands) {
      const auto answer = raw(command);
      ASSERT_EQ(answer.substr(answer.size() - 4), "9000") << command;
    }
  }
  void write(const std::string& path, const Bytes& content) {
    say({"80A4080C" + length_and(hex("3F00" + path)) + "00"});
    for (std::size_t at = 0; at < content.size(); at += 255) {
      std::string offset =
          to_hex(Bytes{static_cast<std::uint8_t>(at >> 8), static_cast<std::uint8_t>(at)});
      const Bytes piece =
          copy_of(ByteView(content).subspan(at, std::min<std::size_t>(255, content.size() - at)));
      say({"00D6" + offset + length_and(piece)});
    }
  }
  void in(const char* path) {
    say({"80A4080C" + length_and(hex(std::string("3F00") + path)) + "00"});
  }
  void verify(const char* object, const char* pin) {
    say({std::string("80A4080C043F00") + object + "00",
         "00200000" + length_and(copy_of(as_bytes(pin)))});
  }
  Bytes read(const std::string& path, std::size_t size) {
    in(path.c_str());
    Bytes content;
    while (content.size() < size) {
      const std::size_t at = content.size(), count = std::min<std::size_t>(256, size - at);
      const Bytes header{0x00, 0xB0, static_cast<std::uint8_t>(at >> 8),
                         static_cast<std::uint8_t>(at), static_cast<std::uint8_t>(count)};
      const Bytes answer = hex(raw(to_hex(header)));
      append(content, ByteView(answer).first(answer.size() - 2));
    }
    return content;
  }

  /// "Initialise a blank card", with the PINs stored at the end.
  void initialise_as_vendor() {
    say({"00A4040C0CA0000001644C41534552000100"});
    verify("0001", "1234");
    const auto master = [&](std::initializer_list<const char*> commands) {
      for (const char* command : commands) {
        say({"80A4080C023F0000", command});
      }
    };
    master(
        {"00E008003762358A010483020010800200 10850EC001000033000000000000000000860E00FF001000FF0010"
         "00FF00FF000081083030303030303030",
         "00E008003762358A01048302002080020 "
         "00A850EC0010000A0000000000000000000860E00FF003000FF001000"
         "FF0010000081083131313131313131"});
    if (raw("80A4080C043F00000200").ends_with("6A82")) {
      master(
          {"00E0080035 6233 8A0104 83020002 80020010 850E800100003004100000000000FFFF 860E"
           "000000FF00FF0010000000000000 81064C415345522B"});
    }
    master(
        {"00E0010025 6223 8A0104 83021000 80020001 840C566572696669636174696F6E 8608"
         "0000000000000000"});
    write("1000", {0x01});
    const char* const expression =
        " 80 02 000E 850500010F0000 860E000000FF00FF0010000000000000 810CE30A89020010890200208800";
    master(
        {(std::string("00E0080032 6230 8A0104 83020035") + expression).c_str(),
         (std::string("00E0080032 6230 8A0104 83020030") + expression).c_str(),
         "00E0080038 6236 8A0104 83020032 80020012 850500010F0000 860E000000FF00FF0010000000000000 "
         "8112E31089020010890200208902000288008800",
         "00E0380024 6222 8A0104 83023000 80020000 8407415345504B4353 "
         "860C0010001000FF001000000010"});
    verify("0010", "00000000");
    const auto create = [&](const char* parent, const char* command) {
      in(parent);
      say({command});
    };
    create("3000",
           "00E0380023 6221 8A0104 83023001 80020000 84065055424C4943 860C"
           "0000000000FF001000000010");
    create("3000",
           "00E0380024 6222 8A0104 83023002 80020000 840750524956415445 860C"
           "0020002000FF001000000010");
    create("3000",
           "00E038001F 621D 8A0104 83023003 80020000 84024D44 860C0030003000FF0030000000FF");
    create("3000",
           "00E0010021 621F 8A0104 8302B000 8002001A 84085573657248697374 8608"
           "0030003000300030");
    create("3000",
           "00E0010022 6220 8A0104 8302C000 800200A1 8409546F6B656E496E666F 8608"
           "0000003000300030");
    create("3000", "00E001001D 621B 8A0104 8302EEED 80020004 840445454544 86080000003000FF0030");
    write("3000EEED", hex("02D00164"));
    create("3000", "00E001001D 621B 8A0104 8302EEEE 800200AD 840445454545 86080000001000FF0010");
    write("3000EEEE", hex(vendor::policy));
    create("3000", "00E001001D 621B 8A0104 8302EEEF 8002000F 840445454546 86080000003000FF0030");
    write("3000EEEF", hex(vendor::date));
    create("30003003",
           "00E001001F 621D 8A0104 83024000 80020012 8406636172646964 8608"
           "0000001000FF0010");
    write("300030034000", hex(vendor::card_id));
    create("30003003",
           "00E001001F 621D 8A0104 83024001 80020008 8406636172646366 8608"
           "0000003200FF0032");
    create("30003003",
           "00E0010021 621F 8A0104 83024002 8002000A 84086361726461707073 8608"
           "0000003000FF0030");
    write("300030034002", hex("00086D73637000000000"));
    create("30003003",
           "00E0380021 621F 8A0104 83023005 80020000 84046D736370 860C"
           "0030003000FF0030000000FF");
    // The PINs are stored: their objects are made anew.
    say({"80A4080C043F00001000", "00E40000"});
    master(
        {"00E0080037 6235 8A0104 83020010 80020010 850EC0010000AA041000000000001010 860E"
         "00FF001000FF001000FF00FF0000 81083030303030303030"});
    verify("0010", "00000000");
    say({"80A4080C043F00002000", "00E40000"});
    master(
        {"00E0080039 6237 8A0104 83020020 80020010 850EC0010000AA041000000000001010 860E"
         "00FF003000FF001000FF00100000 810A31323334353637383930"});
    write("3000C000", hex(vendor::token_info));
  }

  /// "Key pair" and "Certificate", with the modulus that this chip made.
  void make_objects_as_vendor() {
    verify("0020", "1234567890");
    in("30003002");
    say(
        {"00E0080026 6224 8A0104 83020041 80020100 8505050C2000A3 860E0000002000FF0000002000200020 "
         "7100"});
    in("300030020041");
    std::string answer = raw("004700000BAC0980010781810301000100");
    while (answer.substr(answer.size() - 4, 2) == "61") {
      const std::string more = raw("00C00000" + answer.substr(answer.size() - 2));
      answer = answer.substr(0, answer.size() - 4) + more;
    }
    modulus = hex(answer.substr(18, 512));
    public_key.modulus = modulus;
    public_key.exponent = {0x01, 0x00, 0x01};
    der = certificate_for(public_key, "Vendor", 486);
    const auto parsed = card::Certificate::parse(der).value();
    in("30003002");
    say({"00E001001E 621C 8A0104 83020200 800200A8 84056B78733030 86080000002000FF0020"});
    write("300030020200", hex(vendor::private_key));
    in("30003001");
    say({"00E0010021 621F 8A0104 8302867F 80020266 8408636D617066696C65 86080000002000200020"});
    write("30003001867F", hex(vendor::container_map));
    in("30003001");
    say({"00E0010017 6215 8A0104 83020140 800201A7 86080000002000FF0020"});
    write("300030010140", altered(vendor::public_key, 0x0140, {{Type::modulus, modulus}}, {4, 4}));
    const Bytes certificate = altered(vendor::certificate, 0x8400,
                                      {{Type::value, der},
                                       {Type::issuer, parsed.issuer},
                                       {Type::serial_number, parsed.serial},
                                       {Type::subject, parsed.subject}},
                                      {5, 5});
    in("30003001");
    Bytes size;
    append_be16(size, certificate.size());
    say({"00E001001E 621C 8A0104 83028400 8002" + to_hex(size) +
         "84056B78633030 86080000002000FF0020"});
    write("300030018400", certificate);
    write("300030034001", hex(vendor::freshness));
  }

  Bytes modulus, der;
  card::PublicKey public_key;
};

TEST_F(JacartaVendor, ItsCardIsListedAndUsed) {
  initialise_as_vendor();
  make_objects_as_vendor();
  if (HasFatalFailure()) return;
  reinsert();
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << why(info);
  EXPECT_EQ(info->label, "JaCarta test");
  EXPECT_EQ(info->manufacturer, "Aladdin R.D.");
  EXPECT_EQ(info->hardware_version, "1.0");
  EXPECT_TRUE(info->initialized);
  EXPECT_FALSE(info->write_protected);
  const auto pin = card->pin_status(Role::user);
  EXPECT_TRUE(pin->initialized);
  EXPECT_EQ(pin->tries_left, 10);
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  const auto& key = found.keys[0];
  EXPECT_EQ(key.label, "Key One");
  EXPECT_EQ(key.id, hex("4B31"));
  EXPECT_EQ(key.bits, 2048u);
  EXPECT_TRUE(key.local && key.usage.sign && key.usage.decrypt && key.usage.unwrap);
  EXPECT_TRUE(key.subject.empty());
  ASSERT_EQ(found.public_keys.size(), 1u);
  EXPECT_EQ(*card->read_public_key(key.ref), public_key);
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].id, hex("4B31"));
  EXPECT_EQ(found.certificates[0].label, "Key One");
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_TRUE(found.data.empty()) << "the map is no data object of its owner";
  login();
  EXPECT_TRUE(is_signature(public_key, text, card->sign(key, Scheme::rsa_pkcs1, text)));

  // kilt goes on where the vendor's software stopped.
  const auto second = card->generate(key_request("2", 1024, "Key Two"));
  ASSERT_TRUE(second.ok()) << why(second);
  EXPECT_EQ(second->private_key.ref.token, 0x0201u);
  EXPECT_EQ(to_hex(read("300030034001", 8)), "0006000307000700") << "two more on both counters";
  const Bytes map = read("30003001867F", 614);
  EXPECT_EQ(to_hex(map).substr(2 * 79, 180), std::string(vendor::container_map).substr(2 * 79, 180))
      << "the vendor's record stays as it is";
  EXPECT_EQ(map[79 + 90 + 80], 0x01) << "and ours stands beside it";
  EXPECT_TRUE(jacarta::digest_is_right(map));
  reinsert();
  login();
  EXPECT_TRUE(is_signature(second->public_key, text,
                           card->sign(second->private_key, Scheme::rsa_pkcs1, text)));
  // And takes away what the vendor made.
  found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  ASSERT_TRUE(card->delete_object(found.keys[0].ref).ok());
  ASSERT_TRUE(card->delete_object(found.certificates[0].ref).ok());
  found = list();
  EXPECT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.public_keys.size(), 2u) << "the public key stays, as the vendor has it";
  EXPECT_TRUE(found.certificates.empty());
}

std::string attribute_text(const Bytes& file, std::uint16_t fid) {
  const auto attributes = jacarta::decode(file, fid);
  EXPECT_TRUE(attributes.ok());
  std::string all;
  for (const auto& attribute : *attributes) {
    const auto type = static_cast<unsigned>(attribute.type);
    all += std::to_string(type) + "/" + std::to_string(attribute.flags) + " " +
           to_hex(attribute.value) + "\n";
  }
  return all;
}

TEST_F(JacartaVendor, KiltsCardHasTheVendorsFiles) {
  auto status = card->initialise("JaCarta test", secret(jacarta_officer_pin));
  ASSERT_TRUE(status.ok()) << why(status);
  EXPECT_EQ(to_hex(read("300030034001", 8)), "0006000301000100");
  EXPECT_EQ(read("3000C000", 161)[96], 0x04) << "no user PIN yet";
  const auto rules_of_map = [this] {
    const std::string answer = raw("80A4080C083F0030003001867F00");
    return answer.substr(answer.size() - 20, 16);
  };
  EXPECT_EQ(rules_of_map(), "0000002000200020") << "the user's alone, from the start";
  EXPECT_EQ(read("30003001867F", 807).size(), 807u);
  ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  status = card->set_user_pin(secret(jacarta_user_pin));
  ASSERT_TRUE(status.ok()) << why(status);
  EXPECT_EQ(to_hex(read("300030034001", 8)), "0006000302000200");
  login();
  auto request = key_request("K1", 2048, "Key One");
  request.usage.sign_recover = request.usage.unwrap = true;
  const auto pair = card->generate(request);
  ASSERT_TRUE(pair.ok()) << why(pair);
  EXPECT_EQ(to_hex(read("300030034001", 8)), "0006000304000400");
  EXPECT_EQ(rules_of_map(), "0000002000200020") << "as small as the vendor's, and no less his";
  // As it was after the key, before the certificate.
  Bytes map = hex(vendor::container_map);
  map[79 + 80] = 0x01;
  EXPECT_EQ(to_hex(read("30003001867F", 614)).substr(64), to_hex(map).substr(64));
  const Bytes body = certificate_for(pair->public_key, "Somebody", 486);
  ASSERT_TRUE(card->install_certificate({}, body).ok());

  EXPECT_EQ(to_hex(read("300030034001", 8)), vendor::freshness);
  EXPECT_EQ(to_hex(read("30003001867F", 614)), vendor::container_map);
  EXPECT_EQ(to_hex(read("3000EEEE", 173)), vendor::policy);
  EXPECT_EQ(to_hex(read("3000EEED", 4)), "02D00164");
  EXPECT_EQ(to_hex(read("3000EEEF", 15)).substr(0, 14), std::string(vendor::date).substr(0, 14));
  EXPECT_EQ(to_hex(read("300030034002", 10)), "00086D73637000000000");
  EXPECT_EQ(to_hex(read("1000", 1)), "01");
  const auto serial = card->serial().value();
  EXPECT_EQ(to_hex(read("300030034000", 18)), "0010414C444E534E0000" + serial);
  Bytes info = read("3000C000", 161), theirs = hex(vendor::token_info);
  std::copy(info.begin() + 80, info.begin() + 96, theirs.begin() + 80);     // serial number
  std::copy(info.begin() + 144, info.begin() + 158, theirs.begin() + 144);  // time
  EXPECT_EQ(to_hex(info), to_hex(theirs));
  EXPECT_EQ(as_text(ByteView(info).subspan(144, 2)), "20");

  EXPECT_EQ(to_hex(read("300030020200", 168)), vendor::private_key) << "to the byte, stamp and all";
  // WRAP: the vendor's sample was made without it.
  Bytes public_file =
      altered(vendor::public_key, 0x0140,
              {{Type::modulus, pair->public_key.modulus}, {Type::wrap, {0x01}}}, {4, 4});
  EXPECT_EQ(to_hex(read("300030010140", 423)), to_hex(public_file));
  const auto parsed = card::Certificate::parse(body).value();
  const Bytes certificate = altered(vendor::certificate, 0x8400,
                                    {{Type::value, body},
                                     {Type::issuer, parsed.issuer},
                                     {Type::serial_number, parsed.serial},
                                     {Type::subject, parsed.subject}},
                                    {5, 5});
  EXPECT_EQ(attribute_text(read("300030018400", certificate.size()), 0x8400),
            attribute_text(certificate, 0x8400));
  EXPECT_EQ(to_hex(read("300030018400", certificate.size())), to_hex(certificate));
}

TEST_F(JacartaVendor, ACardThatKiltSetsUpAgainGoesOnCounting) {
  const auto counters_when_made = [this] {
    const auto status = card->initialise("JaCarta test", secret(jacarta_officer_pin));
    EXPECT_TRUE(status.ok()) << why(status);
    return to_hex(read("300030034001", 8));
  };
  EXPECT_EQ(counters_when_made(), "0006000301000100") << "as the vendor's, where there were none";
  EXPECT_EQ(counters_when_made(), "0006000302000200");
  write("300030034001", hex("00060003FF00FFFF"));
  EXPECT_EQ(counters_when_made(), "0006000300010000");
}

// ---- keys for signatures only [facts jacarta A9] ---------------------------------------------

class JacartaSignatureOnly : public Jacarta {
 protected:
  /// A key for signatures in the first place: kilt makes none, so it comes past the driver.
  void make_signature_key() {
    ASSERT_TRUE(raw("80A4080C063F0030003002 00").ends_with("9000"));
    const auto created = raw(
        "00E0080026 6224 8A0104 83020061 80020080 8505050C2000A3 860E0000002000FF0000002000200020 "
        "7100");
    ASSERT_EQ(created, "9000");
    ASSERT_TRUE(raw(signature_object).ends_with("9000"));
    const std::string answer = raw("00470000 0B AC09800106 8181 03010001 00");
    ASSERT_TRUE(answer.starts_with("7F498188818180")) << answer;
    value.modulus = hex(answer.substr(14, 256));
    value.exponent = {0x01, 0x00, 0x01};
  }
  static constexpr const char* exchange_object = "80A4080C083F0030003002004100";
  static constexpr const char* signature_object = "80A4080C083F0030003002006100";
  card::PublicKey value;
};

TEST_F(JacartaSignatureOnly, IsListedUsedAndDeleted) {
  login();
  const auto pair = generate("1");
  make_signature_key();
  if (HasFatalFailure()) return;
  // What describes the pair describes the other key from here on.
  ASSERT_TRUE(raw(exchange_object).ends_with("9000"));
  ASSERT_EQ(raw("00E40000"), "9000");
  ASSERT_TRUE(card->delete_object(pair.public_info.ref).ok());
  reinsert();
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].bits, 1024u);
  login();
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(is_signature(value, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  // Another key in between.
  const auto second = generate("2");
  EXPECT_TRUE(is_signature(second.public_key, text,
                           card->sign(second.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_signature(value, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  const auto deleted = card->delete_object(found.keys[0].ref);
  ASSERT_TRUE(deleted.ok()) << why(deleted);
  EXPECT_EQ(raw(signature_object), "6A82") << "nothing is left behind";
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_F(JacartaSignatureOnly, OneThatNothingDescribesIsLeftAlone) {
  login();
  make_signature_key();
  if (HasFatalFailure()) return;
  reinsert();
  login();
  EXPECT_TRUE(list().keys.empty());
  // A pair of ours may come to lie beside it, and is the one that is used and deleted.
  const auto pair = generate("1");
  reinsert();
  login();
  ASSERT_EQ(list().keys.size(), 1u);
  EXPECT_TRUE(
      is_signature(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(card->delete_object(pair.private_key.ref).ok());
  EXPECT_EQ(raw(exchange_object), "6A82");
  EXPECT_TRUE(raw(signature_object).ends_with("9000"));
}

TEST_F(JacartaVendor, APrivateKeyOfKiltsIsNotDeletedWithoutThePin) {
  ASSERT_TRUE(card->initialise("JaCarta test", secret(jacarta_officer_pin)).ok());
  ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  ASSERT_TRUE(card->set_user_pin(secret(jacarta_user_pin)).ok());
  login();
  generate("1");
  reinsert();
  in("300030020041");
  EXPECT_EQ(raw("00E40000"), "6982");
  EXPECT_EQ(list().keys.size(), 1u);
}

}  // namespace
}  // namespace kilt::test
