// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/jacarta_sm.hpp"

#include "apdu/tlv.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;

// Objects of secure messaging [7816-4 §10.3].
constexpr std::uint32_t cryptogram_tag = 0x87;
constexpr std::uint32_t le_tag = 0x97;
constexpr std::uint32_t status_tag = 0x99;
constexpr std::uint32_t mac_tag = 0x8E;
constexpr std::uint8_t iso_padding = 0x01;  ///< first byte of 87
constexpr std::uint8_t sm_class_bits = 0x0C;

Bytes exclusive_or(ByteView a, ByteView b) {
  Bytes out = copy_of(a);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] ^= b[i];
  return out;
}

struct Objects {
  std::optional<ByteView> cryptogram, le, mac;
  ByteView authenticated{};  ///< what the MAC is computed over
};

/// [87] [97] 8E in this order and nothing else. Empty: not these objects.
std::optional<Objects> parse(ByteView data) {
  Objects objects;
  apdu::BerReader reader(data);
  std::size_t before_mac = 0;
  for (const std::uint32_t tag : {cryptogram_tag, le_tag, mac_tag}) {
    if (tag == mac_tag) before_mac = data.size() - reader.rest().size();
    const auto object = reader.optional(tag);
    if (!object) return std::nullopt;
    if (!*object) continue;
    auto& slot = tag == cryptogram_tag ? objects.cryptogram
                 : tag == le_tag       ? objects.le
                                       : objects.mac;
    slot = (*object)->value;
  }
  if (!reader.finish()) return std::nullopt;
  objects.authenticated = data.first(before_mac);
  return objects;
}

}  // namespace

SecureChannel::SecureChannel(ByteView shared, ByteView challenge)
    : encryption_key_(exclusive_or(shared.first(16), challenge.first(16))),
      mac_key_(exclusive_or(shared.subspan(24, 16), challenge.subspan(16, 16))) {}

SecureChannel::~SecureChannel() {
  wipe(encryption_key_);
  wipe(mac_key_);
}

Bytes SecureChannel::next_mac(ByteView header, ByteView objects) {
  for (std::size_t i = counter_.size(); i-- > 0 && ++counter_[i] == 0;) {
  }
  Bytes text = counter_;
  if (!header.empty()) append(text, padded(header));
  if (!objects.empty()) append(text, padded(objects));
  return retail_mac(mac_key_, text);
}

SecureChannel::Unwrapped SecureChannel::unwrap(const Command& command) {
  const auto objects = parse(command.data);
  if (!objects) return {sm_objects_wrong};
  if (!objects->mac) return {sm_objects_missing};
  const Bytes header{command.cla, command.ins, command.p1, command.p2};
  if (!equal(next_mac(header, objects->authenticated), *objects->mac)) {
    return {sm_objects_wrong};
  }
  Command plain = command;
  plain.cla = static_cast<std::uint8_t>(command.cla & ~sm_class_bits);
  plain.data.clear();
  plain.ne.reset();
  if (objects->cryptogram) {
    const auto body = *objects->cryptogram;
    if (body.size() <= des_block || (body.size() - 1) % des_block != 0 || body[0] != iso_padding) {
      return {sm_objects_wrong};
    }
    auto text = unpadded(des3_decrypt(encryption_key_, body.subspan(1)));
    if (!text) return {sm_objects_wrong};
    plain.data = std::move(*text);
  }
  if (objects->le) {
    if (objects->le->size() != 1) return {sm_objects_wrong};
    const std::size_t le = objects->le->front();
    plain.ne = le == 0 ? apdu::CommandApdu::le_max_short : le;
  }
  return {sw::ok, std::move(plain)};
}

Bytes SecureChannel::protect(ByteView data, apdu::StatusWord status) {
  apdu::BerWriter objects;
  if (!data.empty()) {
    Bytes body{iso_padding};
    append(body, des3_encrypt(encryption_key_, padded(data)));
    objects.put(cryptogram_tag, body);
  }
  objects.put(status_tag, {status.sw1(), status.sw2()});
  const Bytes mac = next_mac({}, objects.bytes());
  return objects.put(mac_tag, mac).bytes();
}

}  // namespace kilt::sim::jacarta
