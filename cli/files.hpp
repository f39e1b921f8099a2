// SPDX-License-Identifier: Apache-2.0
// Files that commands read and write: documents, certificates in PEM or DER, signatures.
#pragma once

#include <string>
#include <utility>

#include "apdu/result.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::cli {

/// The whole file ("-": standard input), at most `limit` bytes. bad_data with the system's reason.
Result<Bytes> read_file(const std::string& path, std::size_t limit);
/// A file that is going to be written, the whole content or nothing: beside it and renamed at the
/// end. Opened before a card does anything, so that a place where nothing can be written is told in
/// time. "-" is standard output; devices, pipes and symbolic links are written through in place.
class OutputFile {
 public:
  /// bad_data with the system's reason.
  static Result<OutputFile> open(const std::string& path);
  Status commit(ByteView content);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

 private:
  OutputFile(std::string path, int fd, std::string beside)
      : path_(std::move(path)), fd_(fd), beside_(std::move(beside)) {}

  std::string path_;
  int fd_;
  std::string beside_;  ///< what is written until the end; empty: `path_` itself
};
/// The digest of a file of any size ("-": standard input).
Result<Bytes> digest_file(const std::string& path, card::Digest digest);
Result<Bytes> digest_of(ByteView content, card::Digest digest);

/// PEM [RFC 7468] with lines of 64 characters.
[[nodiscard]] std::string to_pem(const std::string& label, ByteView der);
/// DER as it stands, or out of the first PEM block of that label. bad_data when neither is there.
Result<Bytes> from_pem_or_der(ByteView content, const std::string& label);

}  // namespace kilt::cli
