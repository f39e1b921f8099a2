// SPDX-License-Identifier: Apache-2.0
// The simulator's side of the vector files: what stands behind ">" goes into the chip, what comes
// out must be what stands behind "<". A card of its own per file; header `start: blank` takes one
// that was never initialised, `serial:` names its serial, `pin-02:` what {pin} stands for with the
// reference 02, `atr:` what the card must answer to a reset.
#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>

#include "apdu/trace.hpp"
#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

std::string header(const apdu::VectorFile& file, const std::string& key) {
  const auto found = file.header.find(key);
  return found == file.header.end() ? "" : found->second;
}

/// What {pin} stands for in a command: the header `pin-NN`, by the reference in P2, as it goes over
/// the wire.
std::string pin_of(const apdu::VectorFile& file, const apdu::Pattern& command) {
  constexpr std::size_t p2 = 3;
  const auto header_bytes = command.fill(as_bytes("0"));
  if (!header_bytes || header_bytes->size() <= p2) return {};
  // Without one {pin} cannot be filled, and the test says so.
  return header(file, "pin-" + hex_byte((*header_bytes)[p2]));
}

/// The names in KILT_CARD_VECTORS, apart.
std::vector<std::string> vector_files() {
  std::istringstream names(KILT_CARD_VECTORS);
  return {std::istream_iterator<std::string>(names), {}};
}

class Vectors : public testing::TestWithParam<std::string> {};

TEST_P(Vectors, AreMet) {
  const auto file = apdu::VectorFile::load(std::string(KILT_VECTORS_DIR "/").append(GetParam()));
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
  const auto atr = from_hex(header(*file, "atr"));
  ASSERT_TRUE(atr.has_value());
  if (!atr->empty()) {
    EXPECT_EQ(to_hex(card.chip().atr()), to_hex(*atr));
  }

  for (const auto& step : file->steps) {
    if (step.kind == apdu::VectorStep::Kind::reset) {
      card.reset();
      continue;
    }
    const auto command = step.command.fill(as_bytes(pin_of(*file, step.command)));
    ASSERT_TRUE(command.ok()) << "line " << step.line << ": " << command.error().message();
    const Bytes answer = card.send_bytes(*command);
    ASSERT_TRUE(step.answer.matches(answer))
        << GetParam() << ":" << step.line << "\n> " << to_hex(*command) << "\n< "
        << step.answer.text() << "\nbut the chip says\n< " << to_hex(answer);
  }
}

INSTANTIATE_TEST_SUITE_P(Cards, Vectors, testing::ValuesIn(vector_files()), [](const auto& param) {
  std::string name = param.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
  return name;
});

}  // namespace
}  // namespace kilt::sim::test
