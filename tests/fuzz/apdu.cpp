// SPDX-License-Identifier: Apache-2.0
// Command and response parsers: what they accept can be written and read back to the same value.
#include "apdu/command.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (const char* hex :
       {"00200002", "00CA018100", "002000020431323334", "00A40000023F0000", "00B00000000400",
        "00D60000000003010203", "002A8086000002ABCD0100", "6F009000", "63C5"}) {
    made.push_back(from_hex(hex).value());
  }
  return made;
}

namespace {

void check_command(ByteView wire) {
  const auto command = apdu::CommandApdu::parse(wire);
  if (!command.ok()) return;
  const Bytes written = command->encode();
  check(written.size() == command->encoded_size(), "the size is known beforehand");
  check(written.size() <= wire.size(), "the encoding is the shortest");
  const auto again = apdu::CommandApdu::parse(written);
  check(again.ok(), "a written command is a command");
  check(equal(again->body(), command->body()) && again->ne() == command->ne() &&
            again->ins() == command->ins() && again->cla() == command->cla() &&
            again->p1() == command->p1() && again->p2() == command->p2(),
        "a written command is the same command");
  if (command->encoding_case() < apdu::Case::c2_extended) {
    check(!command->needs_extended() && written.size() <= 261, "a short command is short");
  }
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  const ByteView wire(data, size);
  fuzz::check_command(wire);
  const auto response = apdu::ResponseApdu::parse(wire);
  fuzz::check(response.ok() == (size >= 2 && size <= 65538), "a response has 2 to 65538 bytes");
  if (response.ok()) {
    fuzz::check(equal(response->encode(), wire), "a response is written as it was read");
    (void)apdu::meaning(response->status);
  }
  return 0;
}
