// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/allow_list.hpp"

#include <regex>

namespace kilt::sim {

namespace {

std::string quoted(const std::vector<std::string>& serials) {
  std::string list;
  for (const auto& serial : serials)
    list += "\"" + serial + "\", ";
  return list;
}

}  // namespace

std::string allow_serials(const std::string& toml, const std::vector<std::string>& serials) {
  // Keys of the top level stand before the first table [TOML 1.0, "Table"].
  static const std::regex first_table("(^|\n)[ \t]*\\[");
  static const std::regex list("(^|\n)[ \t]*allow_assumed[ \t]*=[ \t]*\\[");
  std::smatch found;
  std::string::size_type top = toml.size();
  // An array's own bracket is never first on a line that begins with its key.
  if (std::regex_search(toml, found, first_table)) {
    top = static_cast<std::string::size_type>(found.position());
  }
  const std::string head = toml.substr(0, top);
  if (!std::regex_search(head, found, list)) {
    return "allow_assumed = [" + quoted(serials) + "]\n" + toml;
  }
  const auto inside = static_cast<std::string::size_type>(found.position() + found.length());
  return toml.substr(0, inside) + quoted(serials) + toml.substr(inside);
}

}  // namespace kilt::sim
