// SPDX-License-Identifier: Apache-2.0
// ID cards that other programs were at: keys that no directory knows, cards without directories and
// the certificates beside them, full cards.
#include <algorithm>

#include "tests/drivers/kzid_fixture.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;

const Bytes text(20, 0x31);

class KzidForeign : public Kzid {
 protected:
  /// A pair made by a program that keeps no directory, as the verifier of the national CA.
  void make_pair(const std::string& number) {
    raw("00A4000C023F00");
    ASSERT_EQ(raw("00200002083132333430303030"), "9000");
    raw("00A4000C020101");
    ASSERT_EQ(raw("0046020005A40384018" + number), "9000");
    bench.insert();
    connect();
  }
};

TEST_F(KzidForeign, KeysWithoutADirectoryAreListedUsedAndNamed) {
  make_pair("8");
  for (const bool alone : {true, false}) {
    const auto found = card->list_classes({true, !alone, !alone, false});
    ASSERT_TRUE(found.ok()) << why(found);
    ASSERT_EQ(found->keys.size(), 1u);
    EXPECT_EQ(found->keys[0].label, "key 8");
    EXPECT_FALSE(found->keys[0].local);
    connect();
  }
  auto key = list().keys[0];
  const auto value = card->read_public_key(key.ref);
  ASSERT_TRUE(value.ok()) << why(value);
  EXPECT_EQ(key.id, card::default_key_id(*value));
  EXPECT_EQ(list().public_keys.size(), 1u);
  login();
  EXPECT_TRUE(fits(*value, text, card->sign(key, Scheme::rsa_pkcs1, text)));
  const auto own = generate("1");
  EXPECT_EQ(own.private_key.ref.token, 7u);
  reinsert();
  EXPECT_EQ(card->list_classes({true, false, false, false})->keys.size(), 2u)
      << "entered with the first key of ours";
  EXPECT_EQ(*card->read_public_key(key.ref), *value);
  login();
  card::AttributeChange change;
  change.label = "mine";
  ASSERT_TRUE(card->change_attributes(key.ref, change).ok());
  EXPECT_EQ(list().keys[1].label, "mine");
  EXPECT_TRUE(card->delete_object(key.ref).ok());
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_F(KzidForeign, AKeyThatWasMadeAnewIsNotTakenForTheOldOne) {
  login();
  const auto old = generate("1");
  const auto key = list().keys[0];
  make_pair("7");
  login();
  const auto value = card->read_public_key(key.ref);
  ASSERT_TRUE(value.ok());
  EXPECT_NE(*value, old.public_key);
  EXPECT_FALSE(card->sign(key, Scheme::rsa_pkcs1, text).ok()) << "the one that was listed";
  EXPECT_TRUE(fits(*value, text, card->sign(list().keys[0], Scheme::rsa_pkcs1, text)));
}

// ---- certificates beside the card ------------------------------------------------------------

class KzidBare : public KzidForeign {
 protected:
  KzidBare() {
    // Nothing of PKCS #15 on it: as if the card did not know the files.
    bench.watch = nullptr;
    bench.distort = nullptr;
    make_pair("7");
    bare();
  }
  /// The chip behind a transport that answers 6A82 to each SELECT of an EF in DF 0101.
  void bare() {
    class Bare : public ChipTransport {
     public:
      explicit Bare(ChipBench& chip) : ChipTransport(chip), chip_(chip) {}
      Result<Bytes> transmit(ByteView command) override {
        const bool is_file =
            command.size() > 5 && command[1] == 0xA4 && command[2] == 0x02 && command[5] != 0x2F;
        if (!is_file) return ChipTransport::transmit(command);
        ++chip_.exchanges;
        return from_hex("6A82").value();
      }

     private:
      ChipBench& chip_;
    };
    card = std::move(*card::identify(std::make_unique<Bare>(bench), nullptr));
  }
};

TEST_F(KzidBare, KeepsItsCertificatesInSideFiles) {
  const auto keys = list().keys;
  ASSERT_EQ(keys.size(), 1u);
  const auto value = card->read_public_key(keys[0].ref);
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(list().certificates.empty());
  const Bytes der = certificate_for(*value, "Somebody", 1468);
  auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_TRUE(installed->kept_in.starts_with(directory.file("data") + "/kilt/"));
  EXPECT_EQ(read_file(installed->kept_in), der);
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::exists);
  bench.insert();
  bare();
  const auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].id, keys[0].id);
  EXPECT_EQ(found.certificates[0].label, keys[0].label);
  EXPECT_EQ(found.certificates[0].kept_in, installed->kept_in);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  // A renewed one takes its place.
  const Bytes renewed = certificate_for(*value, "Somebody", 900);
  ASSERT_TRUE(card->install_certificate({}, renewed).ok());
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), renewed);
  ASSERT_TRUE(card->delete_object(found.certificates[0].ref).ok());
  EXPECT_TRUE(list().certificates.empty());
  EXPECT_EQ(card->read_certificate(found.certificates[0].ref).error().kind, ErrorKind::not_found);
}

TEST_F(KzidBare, TakesNoCertificateOfAnotherKey) {
  auto stranger = *card->read_public_key(list().keys[0].ref);
  const Bytes own = certificate_for(stranger, "Somebody");
  stranger.modulus[7] ^= 1;
  card::CertificateRequest request;
  request.allow_without_key = true;
  EXPECT_EQ(card->install_certificate(request, certificate_for(stranger, "Else")).error().kind,
            ErrorKind::key_mismatch);
  request.id = {1};
  EXPECT_EQ(card->install_certificate(request, own).error().kind, ErrorKind::unsupported);
}

TEST_F(KzidBare, GeneratesButCannotName) {
  login();
  EXPECT_EQ(card->generate(key_request("1", 2048)).error().kind, ErrorKind::unsupported);
  const auto pair = generate("");
  EXPECT_EQ(pair.private_key.label, "key 8");
  EXPECT_EQ(pair.private_key.id, card::default_key_id(pair.public_key));
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[1].label, pair.private_key.label);
  EXPECT_EQ(found.keys[1].id, pair.private_key.id);
  card::AttributeChange change;
  change.label = "x";
  EXPECT_EQ(card->change_attributes(found.keys[1].ref, change).error().kind,
            ErrorKind::unsupported);
  ASSERT_TRUE(card->delete_object(found.keys[1].ref).ok());
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_F(KzidBare, AKeyMadeInThePlaceOfAListedOneIsNotUsed) {
  const auto listed = list().keys.at(0);
  make_pair("7");
  bare();
  login();
  const auto stale = card->sign(listed, Scheme::rsa_pkcs1, text);
  ASSERT_FALSE(stale.ok());
  EXPECT_EQ(stale.error().kind, ErrorKind::not_found) << why(stale);
  const auto now = list().keys.at(0);
  EXPECT_EQ(now.ref, listed.ref);
  EXPECT_TRUE(
      fits(*card->read_public_key(now.ref), text, card->sign(now, Scheme::rsa_pkcs1, text)));
}

TEST_F(KzidBare, LosesNoKeyThatItOnceCallsEmpty) {
  login();
  const auto value = *card->read_public_key(list().keys[0].ref);
  card->forget_objects();
  bool has_lied = false;
  bench.distort = [&](Bytes& answer) {
    if (has_lied || answer != Bytes{0x61, 0x00}) return;
    has_lied = true;
    answer = {0x6A, 0x88};
  };
  EXPECT_EQ(card->generate(key_request("", 2048)).error().kind, ErrorKind::protocol);
  bench.distort = nullptr;
  EXPECT_TRUE(has_lied);
  EXPECT_EQ(generate("").private_key.label, "key 8");
  EXPECT_EQ(*card->read_public_key({ObjectClass::private_key, 7}), value);
}

TEST_F(KzidBare, ItsCertificatesStayInSightWhenItsDirectoriesAreSeen) {
  const auto value = *card->read_public_key(list().keys[0].ref);
  const Bytes der = certificate_for(value, "Somebody", 700);
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  connect();
  auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].kept_in, installed->kept_in);
  EXPECT_EQ(found.certificates[0].id, found.keys[0].id);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  login();
  ASSERT_TRUE(card->install_certificate({}, der).ok());
  found = list();
  ASSERT_EQ(found.certificates.size(), 1u) << "the one on the card";
  EXPECT_EQ(found.certificates[0].kept_in, "");
}

TEST_F(KzidBare, FindsAKeyAndSigns) {
  spent();
  bare();
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_EQ(found->keys.size(), 1u);
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 17u) << "the missing directories are looked for twice, once from the MF";
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
}

// ---- full cards -----------------------------------------------------------------

TEST(KzidFull, SaysSoAndStaysAsItWas) {
  const TemporaryDirectory directory;
  ::setenv("XDG_DATA_HOME", directory.file("data").c_str(), 1);
  sim::ChipOptions options;
  options.seed = 7;
  options.memory = 12 * 1024;
  ChipBench bench("kzid", options);
  auto card = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(card->login(Role::user, secret(id_pin)).ok());
  const auto pair = card->generate(key_request("0", 2048));
  ASSERT_TRUE(pair.ok()) << why(pair);
  Status status;
  for (int i = 0; i < 100 && status; ++i) {
    card::CertificateRequest request;
    request.label = "certificate " + std::to_string(i);
    auto installed =
        card->install_certificate(request, certificate_for(pair->public_key, "Somebody", 900));
    if (!installed) status = installed.take_error();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::no_space) << why(status);
  auto certificates = card->list()->certificates;
  ASSERT_GT(certificates.size(), 3u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto deleted = card->delete_object(certificates[i].ref);
    ASSERT_TRUE(deleted.ok()) << i << ": " << why(deleted);
  }
  const auto installed =
      card->install_certificate({}, certificate_for(pair->public_key, "Somebody new", 900));
  EXPECT_TRUE(installed.ok()) << why(installed);
  EXPECT_TRUE(card->sign(pair->private_key, Scheme::rsa_pkcs1, text).ok());
}

}  // namespace
}  // namespace kilt::test
