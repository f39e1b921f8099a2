// SPDX-License-Identifier: Apache-2.0
// The host's side of the eToken, done by OpenSSL: key derivation, response, wrapped keys
// [facts etoken §5.4]; and the commands that every test sends.
#pragma once

#include <map>
#include <string>

#include "tests/sim/sim_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {

/// PKCS #12 KDF with SHA-1, ID 3, 999 iterations, by OpenSSL. `pin` in ASCII.
Bytes openssl_login_key(const std::string& pin, ByteView salt);
Bytes openssl_des3_ecb(ByteView key, ByteView block);
/// Without padding.
Bytes openssl_des3_cbc(ByteView key, ByteView iv, ByteView plain);

/// An answer without its 9000, or nothing and a failure.
Bytes data_of(const std::string& answer);

inline const char* const select_applet = "00 A4 04 00 07 A0000003120202 00";
inline const char* const user_pin = "1234567890";
inline const char* const so_pin = "00000000";
inline const char* const user_role = "11";
inline const char* const so_role = "21";

/// ACLs in the order read, write, create, delete, use, make, administer, list.
inline const char* const user_df = "FFFF11111111FF00";
inline const char* const user_ef = "0011FF11FFFFFFFF";
inline const char* const private_ef = "1111FF11FFFFFFFF";

std::string simple_tlv(const std::string& tag, ByteView value);
std::string create_df(const std::string& id, const std::string& acl = user_df);
std::string create_ef(const std::string& id, std::size_t size, const std::string& acl = user_ef);
std::string write_at(std::size_t offset, ByteView part);
/// READ of what is selected; `le` in hex.
std::string read_at(std::size_t offset, const std::string& le = "00");
/// SELECT by path from the root, no answer.
std::string select_path(const std::string& path);
inline const char* const generate_1024 = "80 46 00 31 09 03020400 1203010001";
inline const char* const generate_2048 = "80 46 00 31 09 03020800 1203010001";

class EtokenCard : public TestCard {
 public:
  /// The applet is selected.
  explicit EtokenCard(const char* profile = "etoken72k", bool blank = false,
                      std::size_t memory = 0);
  EtokenCard(Nvram& nvram, const char* profile, const ChipOptions& options);

  Bytes challenge();
  /// Reads the salt of the role once and keeps it: the first time this moves the selection.
  const Bytes& salt(const std::string& role);
  Bytes login_key(const std::string& pin, const std::string& role);
  /// CHALLENGE and LOGIN; the status word.
  std::string log_in(const std::string& pin = user_pin, const std::string& role = user_role);
  /// LOGIN with a response that nobody could have computed.
  std::string log_in_wrongly(const std::string& role = user_role);
  /// `0F 14 salt 10 18 wrapped key` for a new PIN; fetches a challenge.
  std::string new_credential(ByteView new_salt, const std::string& new_pin, ByteView wrapping_key);
  void forget_salts() { salts_.clear(); }
  /// A key object 30xx with a key of `bits` that the card made; stays selected.
  void generate(const std::string& id, const char* command = generate_1024);
  /// Modulus and exponent as the public key file of the object says; selects it.
  struct PublicKey {
    Bytes modulus, exponent;
  };
  PublicKey public_key(const std::string& id);
  /// Select and raw private operation.
  Bytes private_operation(const std::string& id, ByteView block);

 private:
  std::map<std::string, Bytes> salts_;
};

/// LOGIN and the like: header, Lc, body.
std::string command(const std::string& header, const std::string& body_hex);

}  // namespace kilt::sim::test
