// SPDX-License-Identifier: Apache-2.0
// The channel on a card that answers anything. Input: reader (3 bytes), command (6 bytes), then
// answers, each a two-byte length and that many bytes.
#include "apdu/channel.hpp"

#include <algorithm>

#include "tests/apdu/scripted_transport.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (const char* hex : {
           "01 0105  00A40000 0002 0100  0002 6110  0004 0102 9000",
           "00 0105  00CA0181 0000 0100  0002 6C08  000A 0102030405060708 9000",
           "03 FFFF  002A9E9A 0100 0100  0002 9000  0004 AABB 9000",
           "05 0105  00200002 0008 0000  0002 63C5",
       }) {
    made.push_back(from_hex(hex).value());
  }
  return made;
}

}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t flags = input.u8();
  const apdu::Limits limits{input.u16(), 258, (flags & 2) != 0};

  apdu::CommandApdu command(input.u8(), input.u8(), input.u8(), input.u8());
  const std::size_t body = input.u16() % 2048, ne = input.u16();
  if ((flags & 4) != 0) {
    command.secret(SecretBytes::copy_of(Bytes(body)));
  } else {
    command.data(Bytes(body));
  }
  if (ne != 0) command.expect(ne);

  int exchanges = 0;
  test::ScriptedTransport card([&](ByteView wire) -> Result<Bytes> {
    ++exchanges;
    fuzz::check(wire.size() <= limits.max_command, "no command is longer than the reader takes");
    fuzz::check(wire.size() >= 4, "a command has a header");
    const bool is_extended = wire.size() > 6 && wire[4] == 0;
    fuzz::check(!is_extended || ((flags & 2) != 0 && (flags & 8) != 0 && (flags & 1) != 0),
                "extended length only where reader, card and protocol know it");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    return copy_of(input.take(input.u16()));
  });
  card.spoken = (flags & 1) != 0 ? apdu::Protocol::t1 : apdu::Protocol::t0;
  card.reader_limits = limits;
  apdu::Channel channel(card);
  channel.set_prefer_extended((flags & 8) != 0);

  const auto answer = channel.send(command);
  fuzz::check(exchanges <= 512, "the number of exchanges is bounded");
  if (answer.ok()) {
    fuzz::check(answer->data.size() <= 65536, "the answer is bounded");
    fuzz::check(!answer->status.more_data(), "an answer is whole");
  }
  return 0;
}
