// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_words.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace kilt::cli {
namespace {

namespace ins = apdu::ins;

constexpr std::array names{
    std::pair{ins::verify, "VERIFY"},
    std::pair{ins::manage_security_environment, "MANAGE SECURITY ENVIRONMENT"},
    std::pair{ins::change_reference_data, "CHANGE REFERENCE DATA"},
    std::pair{ins::perform_security_operation, "PERFORM SECURITY OPERATION"},
    std::pair{ins::reset_retry_counter, "RESET RETRY COUNTER"},
    std::pair{ins::generate_asymmetric_key_pair, "GENERATE ASYMMETRIC KEY PAIR"},
    std::pair{ins::external_authenticate, "EXTERNAL AUTHENTICATE"},
    std::pair{ins::get_challenge, "GET CHALLENGE"},
    std::pair{ins::internal_authenticate, "INTERNAL AUTHENTICATE"},
    std::pair{ins::select, "SELECT"},
    std::pair{ins::read_binary, "READ BINARY"},
    std::pair{ins::get_response, "GET RESPONSE"},
    std::pair{ins::get_data, "GET DATA"},
    std::pair{ins::get_data_odd, "GET DATA (odd)"},
    std::pair{ins::update_binary, "UPDATE BINARY"},
    std::pair{ins::put_data, "PUT DATA"},
    std::pair{ins::create_file, "CREATE FILE"},
    std::pair{ins::delete_file, "DELETE FILE"},
};

std::string select_words(std::uint8_t p1) {
  switch (static_cast<apdu::SelectMode>(p1)) {
    case apdu::SelectMode::by_id:
      return "by identifier";
    case apdu::SelectMode::child_df:
      return "child DF";
    case apdu::SelectMode::child_ef:
      return "EF of the current DF";
    case apdu::SelectMode::parent:
      return "parent DF";
    case apdu::SelectMode::by_df_name:
      return "by DF name";
    case apdu::SelectMode::path_from_mf:
      return "path from the MF";
    case apdu::SelectMode::path_from_current:
      return "path from the current DF";
  }
  return "";
}

/// What P1 and P2 say in the commands where that is worth a word.
std::string parameter_words(ByteView header, bool has_body) {
  const std::uint8_t p1 = header[2];
  const std::uint8_t p2 = header[3];
  switch (header[1]) {
    case ins::select:
      return select_words(p1);
    case ins::verify:
      return fmt::format("reference {:02X}{}", p2, has_body ? "" : ", state only, spends no try");
    case ins::change_reference_data:
    case ins::reset_retry_counter:
      return fmt::format("reference {:02X}", p2);
    case ins::read_binary:
    case ins::update_binary:
      return fmt::format("offset {}", be16(p1, p2));
    case ins::perform_security_operation:
      if (p1 == 0x9E && p2 == 0x9A) return "COMPUTE DIGITAL SIGNATURE";
      if (p1 == 0x80 && p2 == 0x86) return "DECIPHER";
      return "";
    default:
      return "";
  }
}

std::string command_words(ByteView header, bool has_body) {
  std::string text;
  for (const auto& [code, name] : names) {
    if (code == header[1]) text = name;
  }
  // [7816-4 §5.4.1] bit 8 of CLA: the meaning of the rest is the card's own.
  const bool proprietary = (header[0] & apdu::cla::proprietary) != 0;
  if (text.empty() || proprietary) {
    text = fmt::format("command {:02X} {:02X} of the card's maker{}", header[0], header[1],
                       text.empty() ? "" : " (the standard's " + text + ")");
  } else if (const std::string more = parameter_words(header, has_body); !more.empty()) {
    text += ", " + more;
  }
  if (!proprietary && (header[0] & apdu::cla::chaining) != 0) text += ", more follows";
  return text;
}

/// The leading hex digits of a pattern, up to its first placeholder.
Bytes leading_bytes(std::string_view text) {
  const auto bytes = from_hex(text.substr(0, text.find('{')));
  return bytes ? *bytes : Bytes{};
}

/// The trailing two bytes, if they are no placeholder.
std::optional<apdu::StatusWord> status_of(std::string_view answer) {
  const std::size_t brace = answer.rfind('}');
  const auto bytes = from_hex(brace == std::string_view::npos ? answer : answer.substr(brace + 1));
  if (!bytes || bytes->size() < 2) return std::nullopt;
  return apdu::StatusWord{be16((*bytes)[bytes->size() - 2], bytes->back())};
}

}  // namespace

TracedStep explain_step(const apdu::VectorStep& step) {
  if (step.kind == apdu::VectorStep::Kind::reset) return {"reset", {}, "", "reset"};
  const Bytes header = leading_bytes(step.command.text());
  TracedStep words;
  const bool has_body = header.size() > 5 || step.command.text().find('{') != std::string::npos;
  words.command = header.size() < 4 ? "unreadable command" : command_words(header, has_body);
  words.status = status_of(step.answer.text());
  words.meaning = words.status ? apdu::meaning(*words.status) : "no status word";
  words.text = fmt::format("{}: {}{}\n         > {}\n         < {}", words.command, words.meaning,
                           words.status ? fmt::format(" [{:04X}]", words.status->value) : "",
                           step.command.text(), step.answer.text());
  return words;
}

}  // namespace kilt::cli
