// SPDX-License-Identifier: Apache-2.0
// The simulated ID card in a test: T=0 as a reader's driver drives it, and OpenSSL as its judge.
#pragma once

#include <string>

#include "firmware-sim/profiles/kzid_objects.hpp"
#include "tests/sim/sim_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {

namespace kzid_commands {
inline const char* const select_mf = "00 A4 00 0C 02 3F00";
inline const char* const select_df = "00 A4 00 0C 02 0101";
inline const char* const verify_user = "00 20 00 02 08 3132333430303030";
inline const char* const verify_wrong = "00 20 00 02 08 3939393939393939";
inline const char* const verify_puk = "00 20 00 01 08 3837363534333231";
inline const char* const query_user = "00 20 00 02";
inline const char* const query_puk = "00 20 00 01";
/// SHA-1 of "test", as the NCA's program signs it.
inline const char* const digest_info =
    "3021300906052B0E03021A05000414A94A8FE5CCB19BA61C4C0873D391E987982FBBD3";
std::string generate(std::uint8_t key);
std::string get_modulus(std::uint8_t key);
std::string get_modulus_and_exponent(std::uint8_t key);
std::string set_key(std::uint8_t key);
std::string sign(const std::string& input = digest_info);
std::string delete_key(std::uint8_t key);
/// CREATE FILE of a transparent EF.
std::string create_ef(std::size_t size, std::size_t id);
}  // namespace kzid_commands

class KzidCard : public TestCard {
 public:
  explicit KzidCard(const char* profile = "kzid", bool blank = false, std::size_t memory = 0)
      : TestCard(profile, blank, memory) {}
  KzidCard(Nvram& nvram, const char* profile, const ChipOptions& options)
      : TestCard(nvram, profile, options) {}

  /// With GET RESPONSE and the right Le, as often as the card asks for. Data and status word.
  std::string exchange(const std::string& hex);
  /// Data of an exchange that must succeed.
  Bytes data(const std::string& hex);

  void log_in() { EXPECT_EQ(send(kzid_commands::verify_user), "9000"); }
  void log_in_puk() { EXPECT_EQ(send(kzid_commands::verify_puk), "9000"); }
  /// MF, login, signature DF: the order that was observed.
  void enter();
  void load(std::uint8_t key, const ForeignRsaKey& value);
  Bytes modulus(std::uint8_t key);
  Bytes signature(std::uint8_t key, const std::string& input = kzid_commands::digest_info);
};

/// RSA-2048 made by OpenSSL, once for the whole program.
const ForeignRsaKey& foreign_key_2048();
/// What OpenSSL finds in a signature of PKCS #1 v1.5 under this modulus and 65537; empty when the
/// padding is wrong.
Bytes recovered_by_openssl(ByteView modulus, ByteView signature);
/// Whether OpenSSL takes it as SHA1withRSA of `text`.
bool openssl_verifies_sha1(ByteView modulus, ByteView text, ByteView signature);

}  // namespace kilt::sim::test
