// SPDX-License-Identifier: Apache-2.0
// What LASER keeps of a file or key object, as CREATE FILE is given it and SELECT tells it
// [facts jacarta A6, A7, A16 #1, #13-#15].
#pragma once

#include <functional>

#include "firmware-sim/filesystem.hpp"

namespace kilt::sim::jacarta {

/// P1 of CREATE FILE and of LIST FILES.
enum class Kind : std::uint8_t { ef = 0x01, key_object = 0x08, df = 0x38 };

/// Operations that have a rule each; the value is its place among the rules of its kind.
enum class DfOperation : std::size_t { create_ef = 0, create_df = 1, remove = 3 };
enum class EfOperation : std::size_t { read = 0, write = 1, remove = 3 };
enum class KeyOperation : std::size_t {
  update = 1,  ///< new PIN, key import
  remove = 3,
  generate = 4,
  reset = 5,  ///< of a PIN's retry counter
  use = 6,
};

/// Two bytes of tag 86.
struct Rule {
  std::uint8_t flags = 0;  ///< 40 command, 80 answer under secure messaging
  std::uint8_t key = 0;    ///< 00 nobody needed, FF never, else a key object of the MF

  static constexpr std::uint8_t under_sm = 0xC0;
  static constexpr std::uint8_t never = 0xFF;
};

/// What a key object is by its properties, tag 85.
enum class KeyKind { pin, expression, rsa, unknown };

struct Object {
  FilePath path{};
  Kind kind = Kind::ef;
  std::uint8_t life_cycle = 0;
  std::uint16_t size = 0;  ///< tag 80; of an EF the bytes it has, else only a figure told again
  Bytes name{};
  Bytes properties{};  ///< of a key object, as given when it was created
  Bytes rules{};
  bool loaded = false;  ///< an RSA object holds its key

  static Object of(const File& file);
  [[nodiscard]] File file() const;
  [[nodiscard]] KeyKind key_kind() const;
  template <class Operation>
  [[nodiscard]] Rule rule(Operation operation) const {
    const std::size_t at = 2 * static_cast<std::size_t>(operation);
    return {rules.at(at), rules.at(at + 1)};
  }
};

/// An object to be created: the object, without its parent in the path, and what it holds at once.
struct NewObject {
  Object object;
  std::uint16_t id = 0;
  Bytes body{};
};

/// The data of CREATE FILE: 62 with 8A 83 80 [84] [85] 86 [content] in this order. bad_data.
Result<NewObject> parse_new_object(Kind kind, ByteView data);

/// The answer to SELECT. `live_properties` replace those of a PIN, whose counters move.
[[nodiscard]] Bytes control_parameters(const Object& object, ByteView live_properties);

// ---- PINs: properties C0/80 01 00 00, counters, policy

/// A PIN's body in NVRAM: counters and value in one cell, so that no write can part them.
struct PinBody {
  std::uint8_t tries = 0;
  std::uint8_t unblocks = 0;
  Bytes value{};

  static constexpr std::size_t longest = 16;
  static PinBody parse(ByteView body);
  [[nodiscard]] Bytes bytes() const;
};

struct PinProperties {
  bool secure_verify = false;
  std::uint8_t max_tries = 0, max_unblocks = 0, min_length = 0, max_length = 0;

  /// Of an object whose kind is pin.
  static PinProperties of(const Object& object);
  /// Only lengths are enforced; what the other policy bytes demand is not public.
  [[nodiscard]] bool accepts(ByteView pin, std::size_t object_size) const;
};

/// With the counters as SELECT tells them: 15 bytes, a byte for the tries (left, most) and one for
/// the unblocks.
[[nodiscard]] Bytes live_pin_properties(const Object& object, const PinBody& body);

// ---- RSA: a private key's body is p, q, q^-1, dp, dq; a public one's the exponent and the modulus

[[nodiscard]] constexpr std::size_t rsa_private_size(std::size_t modulus_bytes) {
  return 5 * (modulus_bytes / 2);
}

// ---- logical expressions: postfix, 89 a key object, 88 the operation OR

/// bad_data: not one value is left, or an unknown operation.
Result<bool> evaluate_expression(ByteView postfix,
                                 const std::function<bool(std::uint16_t id)>& verified);

}  // namespace kilt::sim::jacarta
