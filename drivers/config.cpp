// SPDX-License-Identifier: Apache-2.0
#include "drivers/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <toml++/toml.h>

namespace kilt::card {
namespace {

constexpr std::size_t max_file_size = 256 * 1024;

std::optional<std::string> environment(const char* name) {
  const char* value = secure_getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::string upper_without_leading_zeros(std::string_view serial) {
  std::string text;
  for (const char c : serial) {
    if (c == ' ' || (c == '0' && text.empty())) continue;
    text += (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return text;
}

/// Upper case, spaces and colons between the bytes left out.
std::string digits_of(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == ':') continue;
    digits += (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return digits;
}

bool names_atr(std::string_view listed, std::string_view atr) {
  const std::string pattern = digits_of(listed);
  return std::equal(pattern.begin(), pattern.end(), atr.begin(), atr.end(),
                    [](char wanted, char digit) { return wanted == '?' || wanted == digit; });
}

/// One file being laid over what is known so far.
class Merge {
 public:
  Merge(const std::string& path, LoadedConfig& into) : path_(path), into_(into) {}

  void read(bool must_exist) {
    std::string text;
    if (!slurp(text, must_exist)) return;
    // toml++ throws; nothing of that leaves this function.
    toml::table table;
    try {
      table = toml::parse(text);
    } catch (const toml::parse_error& error) {
      problem(error.source(), std::string(error.description()) + "; nothing in this file was used");
      return;
    }
    for (const auto& [key, node] : table)
      take(key.str(), node);
  }

 private:
  void problem(const toml::source_region& where, const std::string& what) {
    into_.problems.push_back(path_ + ":" + std::to_string(where.begin.line) + ": " + what + ".");
  }

  bool slurp(std::string& text, bool must_exist) {
    // Not blocking: a FIFO in the file's place must not hang the program that loaded us.
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      const int reason = errno;
      if (must_exist || (reason != ENOENT && reason != ENOTDIR)) unreadable(std::strerror(reason));
      return false;
    }
    struct stat info {};
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    const char* failure = regular ? nullptr : "it is not a regular file";
    char block[4096];
    ssize_t count = 0;
    while (failure == nullptr && (count = ::read(fd, block, sizeof block)) > 0) {
      text.append(block, static_cast<std::size_t>(count));
      if (text.size() > max_file_size) failure = "it is larger than 256 KiB";
    }
    if (count < 0) failure = std::strerror(errno);
    close(fd);
    if (failure != nullptr) unreadable(failure);
    return failure == nullptr;
  }

  void unreadable(const std::string& why) {
    into_.problems.push_back(path_ + ": the configuration cannot be read: " + why + ".");
  }

  void take(std::string_view key, const toml::node& node) {
    Config& config = into_.config;
    if (key == "readers") {
      take_readers(node);
    } else if (key == "allow_assumed") {
      if (auto list = strings(key, node)) config.allow_assumed = *std::move(list);
    } else if (key == "pin_cache") {
      take_bool(key, node, config.pin_cache);
    } else if (key == "spend_last_try") {
      take_bool(key, node, config.spend_last_try);
    } else if (key == "log") {
      take_string(key, node, config.log);
    } else if (key == "trace") {
      take_string(key, node, config.trace);
    } else {
      problem(node.source(), "the key \"" + std::string(key) + "\" is not known and was ignored");
    }
  }

  void take_readers(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) {
      into_.config.readers = *text;
      return;
    }
    const auto list = strings("readers", node);
    if (!list) return;
    std::string joined;
    for (const std::string& reader : *list)
      joined += (joined.empty() ? "" : ",") + reader;
    into_.config.readers = joined;
  }

  std::optional<std::vector<std::string>> strings(std::string_view key, const toml::node& node) {
    std::vector<std::string> list;
    const toml::array* array = node.as_array();
    bool good = array != nullptr;
    for (std::size_t i = 0; good && i < array->size(); ++i) {
      const auto text = (*array)[i].value_exact<std::string>();
      good = text.has_value();
      if (good) list.push_back(*text);
    }
    if (good) return list;
    problem(node.source(), "\"" + std::string(key) + "\" must be a list of strings, as [\"...\"]");
    return std::nullopt;
  }

  void take_bool(std::string_view key, const toml::node& node, bool& to) {
    if (const auto value = node.value_exact<bool>()) {
      to = *value;
    } else {
      problem(node.source(), "\"" + std::string(key) + "\" must be true or false");
    }
  }

  void take_string(std::string_view key, const toml::node& node, std::string& to) {
    if (const auto value = node.value_exact<std::string>()) {
      to = *value;
    } else {
      problem(node.source(), "\"" + std::string(key) + "\" must be a string");
    }
  }

  const std::string& path_;
  LoadedConfig& into_;
};

}  // namespace

bool Config::allows_assumed(std::string_view serial, ByteView atr) const {
  const std::string wanted = upper_without_leading_zeros(serial);
  if (wanted.empty()) {
    const std::string digits = to_hex(atr);
    return !digits.empty() &&
           std::any_of(allow_assumed.begin(), allow_assumed.end(),
                       [&](const std::string& listed) { return names_atr(listed, digits); });
  }
  for (const std::string& listed : allow_assumed) {
    if (upper_without_leading_zeros(listed) == wanted) return true;
  }
  return false;
}

ConfigSources ConfigSources::from_environment() {
  ConfigSources sources;
  sources.readers = environment("KILT_READERS");
  sources.log = environment("KILT_LOG");
  sources.trace = environment("KILT_TRACE");
  if (auto named = environment("KILT_CONFIG")) {
    if (!named->empty()) sources.files.push_back(*std::move(named));
    sources.files_must_exist = true;
    return sources;
  }
  sources.files.emplace_back("/etc/kilt/kilt.toml");
  const auto base = environment("XDG_CONFIG_HOME");
  const auto home = environment("HOME");
  // [XDG Base Directory §3] a relative path is to be ignored.
  if (base && base->starts_with('/')) {
    sources.files.push_back(*base + "/kilt/kilt.toml");
  } else if (home && home->starts_with('/')) {
    sources.files.push_back(*home + "/.config/kilt/kilt.toml");
  }
  return sources;
}

LoadedConfig load_config(const ConfigSources& sources) {
  LoadedConfig loaded;
  for (const std::string& path : sources.files) {
    Merge(path, loaded).read(sources.files_must_exist);
  }
  if (sources.readers) loaded.config.readers = *sources.readers;
  if (sources.log) loaded.config.log = *sources.log;
  if (sources.trace) loaded.config.trace = *sources.trace;
  return loaded;
}

}  // namespace kilt::card
