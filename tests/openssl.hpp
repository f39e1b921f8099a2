// SPDX-License-Identifier: Apache-2.0
// OpenSSL's command line as a foreign witness, and a directory to hand it files in.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "apdu/bytes.hpp"
#include "apdu/tlv.hpp"
#include "drivers/model.hpp"

namespace kilt::test {

struct Ran {
  int status = -1;
  std::string output;  ///< standard output and standard error
};

inline Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.output.append(buffer, got);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
  return ran;
}

/// Output of a command that must succeed.
inline std::string must_run(const std::string& command) {
  const Ran ran = run(command);
  if (ran.status != 0) throw std::runtime_error(command + ": " + ran.output);
  return ran.output;
}

inline Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kilt-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }
  [[nodiscard]] std::string write(const std::string& name, ByteView content) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    return file(name);
  }
  [[nodiscard]] Bytes read(const std::string& name) const { return read_file(path_ / name); }

 private:
  std::filesystem::path path_;
};

/// An RSA key pair in OpenSSL's hands: what a card would do with it, and what others do.
class OpensslRsa {
 public:
  explicit OpensslRsa(std::size_t bits) : bits_(bits) {
    must_run("openssl genrsa -out " + key() + " " + std::to_string(bits));
    must_run("openssl rsa -in " + key() + " -pubout -out " + public_key_file());
    const std::string modulus = must_run("openssl rsa -in " + key() + " -noout -modulus");
    public_key_.modulus = *from_hex(modulus.substr(modulus.find('=') + 1));
    public_key_.exponent = {0x01, 0x00, 0x01};
  }

  [[nodiscard]] std::string key() const { return directory_.file("key.pem"); }
  [[nodiscard]] std::string public_key_file() const { return directory_.file("public.pem"); }
  [[nodiscard]] const card::PublicKey& public_key() const { return public_key_; }
  /// As a card is given the key: RSAPrivateKey [RFC 8017 A.1.2] has version, n, e, d, p, q, dp, dq
  /// and qinv.
  [[nodiscard]] card::RsaPrivateKey components() const {
    must_run("openssl rsa -traditional -in " + key() + " -outform DER -out " +
             directory_.file("key.der"));
    const Bytes der = directory_.read("key.der");
    apdu::BerReader outer(der);
    auto inside = std::move(*outer.enter(0x30));
    std::vector<Bytes> numbers;
    while (!inside.done())
      numbers.push_back(copy_of(inside.expect(0x02)->value));
    card::RsaPrivateKey made;
    made.modulus = numbers[1];
    made.public_exponent = numbers[2];
    made.prime1 = SecretBytes::copy_of(numbers[4]);
    made.prime2 = SecretBytes::copy_of(numbers[5]);
    made.exponent1 = SecretBytes::copy_of(numbers[6]);
    made.exponent2 = SecretBytes::copy_of(numbers[7]);
    made.coefficient = SecretBytes::copy_of(numbers[8]);
    return made;
  }
  [[nodiscard]] std::size_t bits() const { return bits_; }
  [[nodiscard]] std::size_t size() const { return (bits_ + 7) / 8; }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }

  /// `openssl pkeyutl` with the private key.
  [[nodiscard]] Bytes with_private(const std::string& options, ByteView input) const {
    return pkeyutl("-inkey " + key() + " " + options, input);
  }
  [[nodiscard]] Bytes with_public(const std::string& options, ByteView input) const {
    return pkeyutl("-pubin -inkey " + public_key_file() + " " + options, input);
  }
  /// The bare power, as a card computes it.
  [[nodiscard]] Bytes raw_private(ByteView block) const {
    return with_private("-decrypt -pkeyopt rsa_padding_mode:none", block);
  }
  [[nodiscard]] bool verifies(const std::string& options, ByteView input,
                              ByteView signature) const {
    return run("openssl pkeyutl -verify -pubin -inkey " + public_key_file() + " " + options +
               " -in " + directory_.write("in", input) + " -sigfile " +
               directory_.write("sig", signature))
               .status == 0;
  }

 private:
  [[nodiscard]] Bytes pkeyutl(const std::string& options, ByteView input) const {
    must_run("openssl pkeyutl " + options + " -in " + directory_.write("in", input) + " -out " +
             directory_.file("out"));
    return directory_.read("out");
  }

  TemporaryDirectory directory_;
  std::size_t bits_;
  card::PublicKey public_key_;
};

}  // namespace kilt::test
