// SPDX-License-Identifier: Apache-2.0
// A simulated JaCarta in a test, and the host's side of its secure messaging, computed by OpenSSL.
#pragma once

#include <functional>

#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {

inline const char* const laser_aid = "A0000001644C415345520001";
inline const char* const select_laser = "00A4040C0CA0000001644C41534552000100";
inline const char* const laser_serial = "0B5234A1C3D90007";

inline const char* const transport_ko = "3F000001";
inline const char* const so_ko = "3F000010";
inline const char* const user_ko = "3F000020";
inline const char* const private_df = "3F0030003002";
inline const char* const public_df = "3F0030003001";

/// "80A4080C" and so on: SELECT by path, with Le.
std::string select_path(const std::string& path);
/// VERIFY plain, with the characters of `pin`.
std::string verify_plain(const std::string& pin);
/// A command of this header, chained in links of 255 bytes where needed. `le` empty: none.
std::vector<std::string> chained(const std::string& header, const std::string& body,
                                 const std::string& le);

/// What the issuer of a command over a secure channel does, by OpenSSL.
class SmHost {
 public:
  SmHost(ByteView shared, ByteView challenge);
  /// `command` in hex, unchained; `outer_le` as the wire has it.
  [[nodiscard]] std::string wrap(const std::string& command, const std::string& outer_le = "00");
  /// The data and status word inside an answer; "?" and the reason when it is no proper one.
  [[nodiscard]] std::string unwrap(const std::string& answer);

 private:
  Bytes mac_of(ByteView header, ByteView objects);
  Bytes encryption_key_, mac_key_, counter_ = Bytes(8);
};

/// By OpenSSL: base^exponent in the 768-bit MODP group, as long as the modulus.
Bytes modp_768_power(ByteView base, ByteView exponent);
Bytes modp_768_modulus();
Bytes openssl_sha1(ByteView text);
/// 3DES-CBC with a key of 16 bytes, initial vector zero, no padding.
Bytes openssl_des3(ByteView key, ByteView blocks, bool encrypt);

class LaserCard {
 public:
  static ChipOptions options(std::uint64_t seed = TestCard::seed);

  explicit LaserCard(const ChipOptions& with = options(), const char* profile = "jacarta");
  /// On an NVRAM that outlives it; the applet is selected.
  LaserCard(Nvram& nvram, const ChipOptions& with);

  std::string send(const std::string& hex) { return card_.send(hex); }
  std::string sw(const std::string& hex) { return card_.sw(hex); }
  /// With GET RESPONSE as long as the card says 61xx. `hex` may be a chain.
  std::string whole(const std::vector<std::string>& commands);
  std::string whole(const std::string& command) { return whole(std::vector{command}); }
  void reset();  ///< and selects the applet

  void select(const std::string& path);
  /// SELECT of the PIN and VERIFY.
  std::string present(const std::string& ko, const std::string& pin);
  std::string present_secure(const std::string& ko, const std::string& pin);
  void log_in_user() { EXPECT_EQ(present(user_ko, "1234567890"), "9000"); }
  void log_in_so() { EXPECT_EQ(present(so_ko, "00000000"), "9000"); }
  /// Status of a PIN without spending a try.
  std::string status(const std::string& ko);

  /// Opens a secure channel; `padded` false leaves out leading zeros of the public value.
  SmHost open_channel(const Bytes& exponent = Bytes(20, 0x5A));
  /// A new value for the selected PIN, through a channel of its own.
  std::string change_pin(const std::string& pin);

  /// An empty private key object of reference `rr` (01..1E); logged in before.
  void create_private_key(unsigned rr, unsigned bits);
  /// Generates into it and gives the modulus.
  Bytes generate(unsigned rr, unsigned bits);
  void select_key(unsigned rr);

  [[nodiscard]] TestCard& card() { return card_; }
  [[nodiscard]] Nvram& nvram() { return card_.nvram(); }

 private:
  std::unique_ptr<Nvram> own_;
  TestCard card_;
};

std::string key_path(unsigned rr);
/// "06", "07", "08" of GENERATE.
std::string generate_command(unsigned bits);
std::string private_key_fcp(unsigned rr, unsigned bits);

}  // namespace kilt::sim::test
