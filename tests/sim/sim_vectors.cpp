// SPDX-License-Identifier: Apache-2.0
// The simulator's side of the vector files: what stands behind ">" goes into the chip, what comes
// out must be what stands behind "<". A card of its own per file; header `start: blank` takes one
// that was never initialised, `serial:` names its serial.
#include <algorithm>

#include "apdu/trace.hpp"
#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

std::string header(const apdu::VectorFile& file, const std::string& key) {
  const auto found = file.header.find(key);
  return found == file.header.end() ? "" : found->second;
}

/// The PIN that {pin} stands for: the factory's, by the reference in P2.
ByteView pin_of(const apdu::Pattern& command) {
  constexpr std::size_t p2_digits = 9;  // "00 20 00 01"
  const bool so =
      command.text().size() >= p2_digits + 2 && command.text().compare(p2_digits, 2, "01") == 0;
  return as_bytes(so ? "87654321" : "12345678");
}

class Vectors : public testing::TestWithParam<const char*> {};

TEST_P(Vectors, AreMet) {
  const auto file =
      apdu::VectorFile::load(std::string(KILT_SOURCE_DIR "/tests/vectors/").append(GetParam()));
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_FALSE(file->steps.empty());
  Nvram nvram;
  ChipOptions options;
  options.seed = TestCard::seed;
  options.blank = header(*file, "start") == "blank";
  options.serial = header(*file, "serial");
  const std::string card_name = header(*file, "card");
  ASSERT_NE(find_profile(card_name), nullptr) << "header card: " << card_name;
  TestCard card(nvram, card_name.c_str(), options);

  for (const auto& step : file->steps) {
    if (step.kind == apdu::VectorStep::Kind::reset) {
      card.reset();
      continue;
    }
    const auto command = step.command.fill(pin_of(step.command));
    ASSERT_TRUE(command.ok()) << "line " << step.line << ": " << command.error().message();
    const Bytes answer = card.send_bytes(*command);
    ASSERT_TRUE(step.answer.matches(answer))
        << GetParam() << ":" << step.line << "\n> " << to_hex(*command) << "\n< "
        << step.answer.text() << "\nbut the chip says\n< " << to_hex(answer);
  }
}

INSTANTIATE_TEST_SUITE_P(Kaztoken, Vectors, testing::Values("kaztoken.vec", "kaztoken-opensc.vec"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return c == '.' || c == '-'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace kilt::sim::test
