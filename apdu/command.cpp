// SPDX-License-Identifier: Apache-2.0
#include "apdu/command.hpp"

#include <algorithm>
#include <cassert>

namespace kilt::apdu {
namespace {

constexpr std::size_t short_body_max = 255;
[[maybe_unused]] constexpr std::size_t extended_body_max = 65535;

Error wrong_length(const char* why) {
  return {ErrorKind::protocol, std::string("command APDU: ") + why};
}

std::size_t be16_at(ByteView wire, std::size_t at) {
  return be16(wire[at], wire[at + 1]);
}

}  // namespace

CommandApdu& CommandApdu::data(Bytes body) {
  assert(body.size() <= extended_body_max);
  data_ = std::move(body);
  is_secret_ = false;
  return *this;
}

CommandApdu& CommandApdu::secret(SecretBytes body) {
  secret_ = std::move(body);
  is_secret_ = true;
  return *this;
}

CommandApdu& CommandApdu::expect(std::size_t ne) {
  assert(ne >= 1 && ne <= le_max_extended);
  ne_ = ne;
  return *this;
}

CommandApdu CommandApdu::clone() const {
  CommandApdu copy(cla_, ins_, p1_, p2_);
  if (is_secret_) {
    copy.secret(secret_.clone());
  } else {
    copy.data(data_);
  }
  copy.ne_ = ne_;
  copy.answer_is_secret_ = answer_is_secret_;
  return copy;
}

bool CommandApdu::needs_extended() const {
  return body().size() > short_body_max || ne_.value_or(0) > le_max_short;
}

Case CommandApdu::encoding_case() const {
  const bool extended = needs_extended();
  if (body().empty()) {
    if (!ne_) return Case::c1;
    return extended ? Case::c2_extended : Case::c2_short;
  }
  if (!ne_) return extended ? Case::c3_extended : Case::c3_short;
  return extended ? Case::c4_extended : Case::c4_short;
}

std::size_t CommandApdu::encoded_size() const {
  const std::size_t body_size = body().size();
  switch (encoding_case()) {
    case Case::c1:
      return 4;
    case Case::c2_short:
      return 5;
    case Case::c3_short:
      return 5 + body_size;
    case Case::c4_short:
      return 6 + body_size;
    case Case::c2_extended:
      return 7;
    case Case::c3_extended:
      return 7 + body_size;
    case Case::c4_extended:
      return 9 + body_size;
  }
  return 0;
}

void CommandApdu::encode_into(std::span<std::uint8_t> out) const {
  assert(out.size() >= encoded_size());
  const ByteView content = body();
  auto at = out.begin();
  auto put = [&at](std::size_t byte) { *at++ = static_cast<std::uint8_t>(byte); };
  auto put16 = [&put](std::size_t number) { put(number >> 8), put(number); };

  put(cla_), put(ins_), put(p1_), put(p2_);
  if (!needs_extended()) {
    if (!content.empty()) {
      put(content.size());
      at = std::ranges::copy(content, at).out;
    }
    if (ne_) put(*ne_);  // 256 is written 00
    return;
  }
  put(0);  // the mark of an extended length field [7816-3 §12.1.3]
  if (!content.empty()) {
    put16(content.size());
    at = std::ranges::copy(content, at).out;
  }
  if (ne_) put16(*ne_);  // 65536 is written 0000
}

Bytes CommandApdu::encode() const {
  assert(!is_secret_);
  Bytes wire(encoded_size());
  encode_into(wire);
  return wire;
}

Result<CommandApdu> CommandApdu::parse(ByteView wire) {
  if (wire.size() < 4) return wrong_length("shorter than its header");
  CommandApdu command(wire[0], wire[1], wire[2], wire[3]);
  if (wire.size() == 4) return command;  // case 1

  const std::size_t first = wire[4];
  if (wire.size() == 5) {  // case 2S
    command.expect(first == 0 ? le_max_short : first);
    return command;
  }
  if (first != 0) {  // 3S or 4S
    const std::size_t end = 5 + first;
    if (wire.size() != end && wire.size() != end + 1) return wrong_length("Lc and length differ");
    command.data(copy_of(wire.subspan(5, first)));
    if (wire.size() == end + 1) command.expect(wire[end] == 0 ? le_max_short : wire[end]);
    return command;
  }

  if (wire.size() < 7) return wrong_length("extended length field cut off");
  const std::size_t number = be16_at(wire, 5);
  if (wire.size() == 7) {  // case 2E
    command.expect(number == 0 ? le_max_extended : number);
    return command;
  }
  if (number == 0) return wrong_length("extended Lc is zero");
  const std::size_t end = 7 + number;
  if (wire.size() != end && wire.size() != end + 2)
    return wrong_length("extended Lc and length differ");
  command.data(copy_of(wire.subspan(7, number)));
  if (wire.size() == end + 2) {
    const std::size_t ne = be16_at(wire, end);
    command.expect(ne == 0 ? le_max_extended : ne);
  }
  return command;
}

Bytes ResponseApdu::encode() const {
  Bytes wire = data;
  append_be16(wire, status.value);
  return wire;
}

Result<ResponseApdu> ResponseApdu::parse(ByteView wire) {
  if (wire.size() < 2)
    return Error{ErrorKind::protocol, "the card's answer is shorter than a status word"};
  if (wire.size() > CommandApdu::le_max_extended + 2) {
    return Error{ErrorKind::protocol, "the card's answer is longer than any APDU"};
  }
  const auto split = wire.size() - 2;
  return ResponseApdu{copy_of(wire.first(split)), StatusWord{be16(wire[split], wire[split + 1])}};
}

CommandApdu select(SelectMode mode, ByteView what, SelectAnswer answer) {
  CommandApdu command(cla::interindustry, ins::select, static_cast<std::uint8_t>(mode),
                      static_cast<std::uint8_t>(answer));
  command.data(copy_of(what));
  if (answer != SelectAnswer::none) command.expect(CommandApdu::le_max_short);
  return command;
}

CommandApdu read_binary(std::size_t offset, std::size_t count) {
  assert(offset <= 0x7FFF);
  CommandApdu command(cla::interindustry, ins::read_binary, static_cast<std::uint8_t>(offset >> 8),
                      static_cast<std::uint8_t>(offset));
  command.expect(count);
  return command;
}

CommandApdu update_binary(std::size_t offset, ByteView data) {
  assert(offset <= 0x7FFF);
  CommandApdu command(cla::interindustry, ins::update_binary,
                      static_cast<std::uint8_t>(offset >> 8), static_cast<std::uint8_t>(offset));
  command.data(copy_of(data));
  return command;
}

CommandApdu verify(std::uint8_t reference, SecretBytes pin) {
  CommandApdu command(cla::interindustry, ins::verify, 0x00, reference);
  command.secret(std::move(pin));
  return command;
}

CommandApdu verify_status(std::uint8_t reference) {
  return {cla::interindustry, ins::verify, 0x00, reference};
}

CommandApdu change_reference_data(std::uint8_t p1, std::uint8_t reference, SecretBytes data) {
  CommandApdu command(cla::interindustry, ins::change_reference_data, p1, reference);
  command.secret(std::move(data));
  return command;
}

CommandApdu mse_set(ControlTemplate which, ByteView crdos) {
  constexpr std::uint8_t set_for_computation = 0x41;
  CommandApdu command(cla::interindustry, ins::manage_security_environment, set_for_computation,
                      static_cast<std::uint8_t>(which));
  command.data(copy_of(crdos));
  return command;
}

CommandApdu pso_compute_digital_signature(ByteView input, std::size_t ne) {
  CommandApdu command(cla::interindustry, ins::perform_security_operation, 0x9E, 0x9A);
  command.data(copy_of(input)).expect(ne);
  return command;
}

CommandApdu pso_decipher(ByteView body, std::size_t ne) {
  CommandApdu command(cla::interindustry, ins::perform_security_operation, 0x80, 0x86);
  command.data(copy_of(body)).expect(ne);
  return command;
}

CommandApdu get_challenge(std::size_t count) {
  CommandApdu command(cla::interindustry, ins::get_challenge, 0x00, 0x00);
  command.expect(count);
  return command;
}

CommandApdu get_data(std::uint16_t tag, std::size_t ne) {
  CommandApdu command(cla::interindustry, ins::get_data, static_cast<std::uint8_t>(tag >> 8),
                      static_cast<std::uint8_t>(tag));
  command.expect(ne);
  return command;
}

CommandApdu create_file(ByteView fcp) {
  CommandApdu command(cla::interindustry, ins::create_file, 0x00, 0x00);
  command.data(copy_of(fcp));
  return command;
}

CommandApdu delete_file(std::uint16_t id) {
  CommandApdu command(cla::interindustry, ins::delete_file, 0x00, 0x00);
  command.data({static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)});
  return command;
}

}  // namespace kilt::apdu
