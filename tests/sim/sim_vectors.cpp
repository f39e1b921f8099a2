// SPDX-License-Identifier: Apache-2.0
// The simulator's side of the vector files: what stands behind ">" goes into the chip, what comes
// out must be what stands behind "<". A card of its own per file; header `start: blank` takes one
// that was never initialised, `serial:` names its serial.
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

/// As a card is delivered, in the form that goes over the wire.
struct FactoryPins {
  std::string_view card, user, so;
};

constexpr FactoryPins factory_pins[] = {
    {"kaztoken", "12345678", "87654321"},
    {"kzid", "12340000", "87654321"},
};

/// The PIN that {pin} stands for: the factory's, by the reference in P2.
ByteView pin_of(const std::string& card, const apdu::Pattern& command) {
  constexpr std::size_t p2_digits = 9;  // "00 20 00 01"
  const bool so =
      command.text().size() >= p2_digits + 2 && command.text().compare(p2_digits, 2, "01") == 0;
  for (const auto& pins : factory_pins) {
    if (card.starts_with(pins.card)) return as_bytes(so ? pins.so : pins.user);
  }
  return {};  // {pin} cannot be filled then, and the test says so
}

/// The names in KILT_CARD_VECTORS, apart.
std::vector<std::string> vector_files() {
  std::istringstream names(KILT_CARD_VECTORS);
  return {std::istream_iterator<std::string>(names), {}};
}

class Vectors : public testing::TestWithParam<std::string> {};

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
    const auto command = step.command.fill(pin_of(card_name, step.command));
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
