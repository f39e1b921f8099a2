// SPDX-License-Identifier: Apache-2.0
// Vector files are untrusted text: whatever is accepted can be written and read back, and what a
// pattern is filled with fits the pattern.
#include "apdu/trace.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (const char* text : {
           "card: x\nsource: y\n\n; a comment\n> 00 20 00 02 {pin}\n< 90 00\n",
           "> 00 88 00 00 08 {rnd:8} 00\n< {any:16}\n  90 00 ; more\n! reset\n",
           "> 00 20 00 02 08 {pin} 00\n< {any} 63 C5\n",
           "> 0024010200{pin}0000\r\n<6F00\r\n",
       }) {
    made.push_back(copy_of(as_bytes(text)));
  }
  return made;
}

namespace {

void check_pattern(const apdu::Pattern& pattern) {
  const auto pin = as_bytes("12345678");
  const auto filled = pattern.fill(pin);
  if (filled.ok()) check(pattern.matches(*filled), "what fills a pattern fits it");
  (void)pattern.matches({});
  (void)pattern.matches(pin);
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  const auto file = apdu::VectorFile::parse(as_text({data, size}));
  if (!file.ok()) {
    fuzz::check(file.error().kind == ErrorKind::bad_data, "a bad file is bad data");
    return 0;
  }
  for (const auto& step : file->steps) {
    if (step.kind == apdu::VectorStep::Kind::reset) continue;
    fuzz::check_pattern(step.command);
    fuzz::check_pattern(step.answer);
  }
  const std::string text = file->format();
  const auto again = apdu::VectorFile::parse(text);
  fuzz::check(again.ok(), "a written file is a vector file");
  fuzz::check(again->header == file->header, "the header survives");
  fuzz::check(again->steps.size() == file->steps.size(), "the steps survive");
  fuzz::check(again->format() == text, "writing is stable");
  return 0;
}
