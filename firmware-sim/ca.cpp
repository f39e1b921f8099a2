// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/ca.hpp"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/hosts/workspace.hpp"

namespace kilt::sim {

namespace {

constexpr std::time_t year = 365 * 24 * 60 * 60;
constexpr std::size_t serial_size = 20;
constexpr unsigned public_exponent = 65537;

/// The CA's key pair.
class CaKey {
 public:
  CaKey() { mbedtls_pk_init(&key_); }
  ~CaKey() { mbedtls_pk_free(&key_); }
  CaKey(const CaKey&) = delete;
  CaKey& operator=(const CaKey&) = delete;

  Status generate(unsigned bits) {
    const int failed = mbedtls_pk_setup(&key_, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) |
                       mbedtls_rsa_gen_key(mbedtls_pk_rsa(key_), Random::for_mbedtls, &random_,
                                           bits, static_cast<int>(public_exponent));
    if (failed) return Error{ErrorKind::bad_argument, "no RSA key of this size can be made"};
    return {};
  }

  Status parse(const std::string& pem) {
    const auto* text = reinterpret_cast<const unsigned char*>(pem.c_str());
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    const int failed = mbedtls_pk_parse_key(&key_, text, pem.size() + 1, nullptr, 0,
                                            Random::for_mbedtls, &random_);
#else
    const int failed = mbedtls_pk_parse_key(&key_, text, pem.size() + 1, nullptr, 0);
#endif
    if (failed || !mbedtls_pk_can_do(&key_, MBEDTLS_PK_RSA)) {
      return Error{ErrorKind::bad_data, "the CA's key file holds no RSA key"};
    }
    return {};
  }

  std::string pem() {
    std::string text(16384, '\0');
    mbedtls_pk_write_key_pem(&key_, reinterpret_cast<unsigned char*>(text.data()), text.size());
    text.resize(std::strlen(text.c_str()));
    return text;
  }

  /// SubjectPublicKeyInfo, whole DER.
  Bytes public_key() {
    Bytes buffer(2048);  // mbedTLS writes from the end
    const int size = mbedtls_pk_write_pubkey_der(&key_, buffer.data(), buffer.size());
    return {buffer.end() - size, buffer.end()};
  }

  Result<Bytes> sign(ByteView message) {
    Bytes digest(32);
    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), message.data(), message.size(),
               digest.data());
    Bytes signature(MBEDTLS_PK_SIGNATURE_MAX_SIZE);
    std::size_t size = 0;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    const int failed =
        mbedtls_pk_sign(&key_, MBEDTLS_MD_SHA256, digest.data(), digest.size(), signature.data(),
                        signature.size(), &size, Random::for_mbedtls, &random_);
#else
    const int failed = mbedtls_pk_sign(&key_, MBEDTLS_MD_SHA256, digest.data(), digest.size(),
                                       signature.data(), &size, Random::for_mbedtls, &random_);
#endif
    if (failed) return Error{ErrorKind::internal, "the CA's key does not sign"};
    signature.resize(size);
    return signature;
  }

  Bytes serial() {
    Bytes serial = random_.bytes(serial_size);
    // Positive, and no shorter than it looks [X.690 §8.3.2].
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7F) | 0x10);
    return serial;
  }

 private:
  mbedtls_pk_context key_;
  Random random_{0, 0};
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) {
    return Error{ErrorKind::not_found,
                 "the file " + path + " cannot be read: " + std::strerror(errno)};
  }
  return content.str();
}

std::string pem_of(ByteView der) {
  Bytes base64(der.size() * 2);
  std::size_t size = 0;
  mbedtls_base64_encode(base64.data(), base64.size(), &size, der.data(), der.size());
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < size; at += 64) {
    pem += as_text(ByteView(base64).subspan(at, std::min<std::size_t>(64, size - at))) + "\n";
  }
  return pem + "-----END CERTIFICATE-----\n";
}

Result<std::string> sign_certificate(CaKey& key, const Bytes& to_be_signed) {
  auto signature = key.sign(to_be_signed);
  if (!signature) return signature.take_error();
  return pem_of(signed_certificate(to_be_signed, *signature));
}

std::string key_file(const std::string& directory) {
  return directory + "/ca.key.pem";
}

}  // namespace

Status ca_init(const std::string& directory, unsigned bits) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorKind::bad_argument,
                 "the directory " + directory + " cannot be made: " + std::strerror(errno)};
  }
  if (std::ifstream(key_file(directory))) {
    return Error{ErrorKind::exists, "there is a CA in " + directory + " already"};
  }
  CaKey key;
  if (auto made = key.generate(bits); !made) return made;
  const std::time_t now = std::time(nullptr);
  auto certificate =
      sign_certificate(key, ca_certificate(key.public_key(), key.serial(), {now, now + 10 * year}));
  if (!certificate) return certificate.take_error();
  if (auto done = write_file(directory + "/ca.pem", *certificate); !done) return done;
  return write_file(key_file(directory), key.pem());
}

Result<std::string> ca_issue(const std::string& directory, const std::string& request,
                             Purpose purpose) {
  auto key_text = read_file(key_file(directory));
  if (!key_text) {
    return key_text.error().within("no CA is in " + directory + " (kilt-sim ca init makes one)");
  }
  CaKey key;
  if (auto parsed = key.parse(*key_text); !parsed) return parsed.take_error();
  auto request_text = read_file(request);
  if (!request_text) return request_text.take_error();
  auto read = CertificateRequest::read(without_pem(as_bytes(*request_text)));
  if (!read) return read.error().within("reading the request " + request);
  const std::time_t now = std::time(nullptr);
  const Issuer issuer{issuer_name(), key_identifier(key.public_key())};
  return sign_certificate(
      key, user_certificate(*read, purpose, issuer, key.serial(), {now, now + year}));
}

}  // namespace kilt::sim
