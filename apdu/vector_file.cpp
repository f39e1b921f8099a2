// SPDX-License-Identifier: Apache-2.0
// Vector files as text: reading and writing.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "apdu/trace.hpp"

namespace kilt::apdu {
namespace {

constexpr std::size_t text_max = 16 * 1024 * 1024;
constexpr std::size_t header_lines_max = 100;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_key(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
  }
  return true;
}

/// Line by line; a > or < line is kept open until it is known that no continuation follows.
class VectorParser {
 public:
  Status line(std::string_view text) {
    ++number_;
    const std::string_view content = trimmed(text);
    const bool indented = !text.empty() && (text[0] == ' ' || text[0] == '\t');
    if (indented && !content.empty() && content[0] != ';') return go_on(content);
    if (auto closed = close(); !closed) return closed;
    if (content.empty()) {
      comment_.clear();
      return {};
    }
    switch (content[0]) {
      case ';':
        note(content.substr(1));
        return {};
      case '!':
        return reset(trimmed(content.substr(1)));
      case '>':
      case '<':
        return open(content[0], content.substr(1));
      default:
        return header(content);
    }
  }

  Result<VectorFile> finish() {
    if (auto closed = close(); !closed) return closed.take_error();
    if (has_command_) return fail("the last command has no answer");
    return std::move(file_);
  }

 private:
  [[nodiscard]] Error fail(const std::string& why) const {
    return {ErrorKind::bad_data, "line " + std::to_string(number_) + ": " + why};
  }

  void note(std::string_view text) {
    const std::string_view content = trimmed(text);
    if (content.empty()) return;
    if (!comment_.empty()) comment_ += '\n';
    comment_ += content;
  }

  void add_bytes(std::string_view content) {
    const auto semicolon = content.find(';');
    open_text_ += content.substr(0, semicolon);
    open_text_ += ' ';
    if (semicolon != std::string_view::npos) note(content.substr(semicolon + 1));
  }

  Status open(char mark, std::string_view content) {
    if (mark == '>' && has_command_) return fail("a command before the answer to the last one");
    if (mark == '<' && !has_command_) return fail("an answer without a command");
    if (mark == '>') step_.line = number_;
    mark_ = mark;
    open_text_.clear();
    add_bytes(content);
    return {};
  }

  Status go_on(std::string_view content) {
    if (mark_ == 0) return fail("white space at the front, but no line of bytes to go on with");
    add_bytes(content);
    return {};
  }

  Status close() {
    if (mark_ == 0) return {};
    auto pattern = Pattern::parse(trimmed(open_text_));
    if (!pattern) {
      --number_;  // the open line, or its last continuation, is the one above
      return fail(pattern.error().what);
    }
    if (mark_ == '>') {
      step_.command = std::move(*pattern);
      has_command_ = true;
    } else {
      step_.answer = std::move(*pattern);
      step_.comment = std::move(comment_);
      file_.steps.push_back(std::move(step_));
      step_ = {};
      comment_.clear();
      has_command_ = false;
    }
    mark_ = 0;
    return {};
  }

  Status reset(std::string_view word) {
    if (word != "reset") return fail("the only event is: ! reset");
    if (has_command_) return fail("a reset before the answer to the last command");
    VectorStep step;
    step.kind = VectorStep::Kind::reset;
    step.line = number_;
    step.comment = std::move(comment_);
    comment_.clear();
    file_.steps.push_back(std::move(step));
    return {};
  }

  Status header(std::string_view content) {
    const auto colon = content.find(':');
    const auto key = trimmed(content.substr(0, colon));
    if (colon == std::string_view::npos || !is_key(key)) {
      return fail("neither a header (key: value) nor one of > < ; !");
    }
    if (has_command_ || !file_.steps.empty()) return fail("a header after the first step");
    if (file_.header.size() == header_lines_max) return fail("too many header lines");
    const auto value = trimmed(content.substr(colon + 1));
    if (!file_.header.emplace(key, value).second) {
      return fail("header " + std::string(key) + " is given twice");
    }
    comment_.clear();
    return {};
  }

  VectorFile file_;
  VectorStep step_;
  std::string comment_;
  std::string open_text_;
  char mark_ = 0;
  bool has_command_ = false;
  int number_ = 0;
};

}  // namespace

Result<VectorFile> VectorFile::parse(std::string_view text) {
  if (text.size() > text_max) {
    return Error{ErrorKind::bad_data, "a vector file is at most 16 MiB"};
  }
  VectorParser parser;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (auto read = parser.line(text.substr(0, end)); !read) return read.take_error();
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parser.finish();
}

Result<VectorFile> VectorFile::load(const std::string& path) {
  const auto fail = [&path](int code) {
    return Error{ErrorKind::bad_data, "reading " + path + ": " + std::strerror(code)};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return fail(errno);
  std::string text;
  char block[65536];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, count);
    if (text.size() > text_max) break;
  }
  if (std::ferror(file.get())) return fail(errno);
  auto parsed = parse(text);
  if (!parsed) return parsed.error().within("reading " + path);
  return parsed;
}

std::string VectorFile::format() const {
  std::string text;
  for (const auto& [key, value] : header)
    text.append(key).append(": ").append(value).append("\n");
  for (const VectorStep& step : steps) {
    text += '\n';
    for (std::string_view rest = step.comment; !rest.empty();) {
      const auto end = rest.find('\n');
      text += "; " + std::string(rest.substr(0, end)) + "\n";
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (step.kind == VectorStep::Kind::reset) {
      text += "! reset\n";
    } else {
      text += "> " + step.command.text() + "\n< " + step.answer.text() + "\n";
    }
  }
  return text;
}

}  // namespace kilt::apdu
