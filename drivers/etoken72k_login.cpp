// SPDX-License-Identifier: Apache-2.0
#include "drivers/etoken72k_login.hpp"

#include <mbedtls/des.h>
#include <mbedtls/pkcs12.h>

#include <algorithm>
#include <utility>

#include "drivers/refusals.hpp"

namespace kilt::card::etoken {
namespace {

constexpr int key_material = 3;  ///< the ID byte: PKCS #12's for MACs [facts etoken §5.4]
constexpr int rounds = 999;
constexpr std::size_t des_block = 8;

/// No wrong PIN: nobody asked the card, so nobody counts it as one.
Error changed_elsewhere() {
  return {ErrorKind::not_logged_in,
          "the PIN was changed by another program; the old one was not sent, so no try was spent"};
}

Error not_text() {
  return {ErrorKind::pin_invalid,
          "the PIN holds characters that this token cannot take; nothing was sent to the card"};
}

/// The next character of a UTF-8 text, which loses it. 0 for anything malformed, too long for its
/// value, a surrogate, or outside the BMP.
std::uint16_t next_character(ByteView& text) {
  const std::uint8_t first = text[0];
  const std::size_t count = first < 0x80 ? 1 : (first & 0xE0) == 0xC0 ? 2 : 3;
  if (count == 3 && (first & 0xF0) != 0xE0) return 0;
  if (text.size() < count) return 0;
  unsigned value = count == 1 ? first : count == 2 ? first & 0x1F : first & 0x0F;
  for (std::size_t i = 1; i < count; ++i) {
    if ((text[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (text[i] & 0x3F);
  }
  constexpr std::array<unsigned, 4> least{0, 1, 0x80, 0x800};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least[count] || is_surrogate) return 0;
  text = text.subspan(count);
  return static_cast<std::uint16_t>(value);
}

/// BMPString with two zero bytes at the end [RFC 7292 B.1].
Result<SecretBytes> bmp_string(const SecretBytes& pin) {
  auto length = length_of(pin);
  if (!length) return length.take_error();
  if (*length == 0 || *length > pin::max_length) {
    return Error{ErrorKind::pin_length, "a PIN of this token has at most " +
                                            std::to_string(pin::max_length) +
                                            " characters; nothing was sent to the card"};
  }
  SecretBytes text(2 * *length + 2);
  for (ByteView rest = pin.view(); !rest.empty();) {
    const auto character = next_character(rest);
    text.append(
        {static_cast<std::uint8_t>(character >> 8), static_cast<std::uint8_t>(character & 0xFF)});
  }
  text.append({0x00, 0x00});
  return text;
}

/// A 3DES key schedule; wiped when it goes.
class Des3 {
 public:
  explicit Des3(const SecretBytes& key) {
    mbedtls_des3_init(&context_);
    mbedtls_des3_set3key_enc(&context_, key.view().data());
  }
  Des3(const Des3&) = delete;
  Des3& operator=(const Des3&) = delete;
  ~Des3() { mbedtls_des3_free(&context_); }
  mbedtls_des3_context* operator*() { return &context_; }

 private:
  mbedtls_des3_context context_;
};

}  // namespace

Result<std::size_t> length_of(const SecretBytes& pin) {
  std::size_t count = 0;
  for (ByteView rest = pin.view(); !rest.empty(); ++count) {
    if (next_character(rest) == 0) return not_text();
  }
  return count;
}

Result<SecretBytes> derive_key(const SecretBytes& pin, ByteView salt) {
  auto text = bmp_string(pin);
  if (!text) return text.take_error();
  SecretBytes key(pin::key_size);
  key.resize(pin::key_size);
  if (mbedtls_pkcs12_derivation(key.data(), key.size(), text->view().data(), text->size(),
                                salt.data(), salt.size(), MBEDTLS_MD_SHA1, key_material,
                                rounds) != 0) {
    return Error{ErrorKind::internal, "the PKCS #12 key derivation failed"};
  }
  return key;
}

Bytes respond(const SecretBytes& key, ByteView challenge) {
  Des3 des(key);
  Bytes response(des_block);
  mbedtls_des3_crypt_ecb(*des, challenge.data(), response.data());
  return response;
}

Bytes encrypt(const SecretBytes& key, ByteView iv, const SecretBytes& text) {
  Des3 des(key);
  Bytes out(text.size()), vector = copy_of(iv);
  mbedtls_des3_crypt_cbc(*des, MBEDTLS_DES_ENCRYPT, text.size(), vector.data(), text.view().data(),
                         out.data());
  return out;
}

Result<Bytes> Login::challenge() {
  auto answer = link_.send(command::challenge());
  if (auto status = check(answer, "getting a challenge"); !status) return status.take_error();
  if (answer->data.size() != pin::challenge_size) {
    return Error{ErrorKind::protocol, "the card's challenge has another length than asked for"};
  }
  return std::move(answer->data);
}

Status Login::answer_challenge(Role role, const SecretBytes& key) {
  auto challenge = this->challenge();
  const std::string what = std::string("checking the ") + pin_name(role);
  if (!challenge) return challenge.take_error().within(what);
  const auto answer = link_.send(command::login(role, respond(key, *challenge)));
  if (!answer) return answer.error().within(what);
  const auto status = answer->status;
  if (status.ok()) return {};
  if (status == apdu::sw::authentication_blocked) {
    blocked_[index(role)] = true;
    return pin_blocked(role, status);
  }
  // 6300 without a counter, and no known way to ask for it [facts etoken §5.4].
  if (status.sw1() == 0x63) {
    return Error{ErrorKind::pin_incorrect, std::string("the ") + pin_name(role) + " is wrong",
                 status.value, status.tries_left()};
  }
  return pin_error(status, what);
}

Status Login::confirm_salt(Role role, ByteView salt) const {
  const auto& before = salts_[index(role)];
  return before.empty() || equal(before, salt) ? Status{} : changed_elsewhere();
}

Status Login::begin(Role role, const SecretBytes& pin, ByteView salt) {
  forget();
  auto key = derive_key(pin, salt);
  if (!key) return key.take_error();
  if (auto status = answer_challenge(role, *key); !status) return status;
  role_ = role;
  key_ = std::move(*key);
  learn_salt(role, copy_of(salt));
  blocked_[index(role)] = false;
  return {};
}

void Login::learn_salt(Role role, Bytes salt) {
  salts_[index(role)] = std::move(salt);
  salt_read_in_ = link_.transaction();
}

/// Not through Files, which would ask for a renewal of the login.
Status Login::read_salt_again(Role role) {
  auto answer = link_.send(command::select(file::salt_of(role), apdu::SelectAnswer::fcp));
  if (answer && answer->ok()) answer = link_.send(command::read(0, pin::salt_size));
  if (!answer) return answer.error().within("reading the salt of the PIN again");
  auto same = answer->ok() ? confirm_salt(role, answer->data)
                           : Status(Error{ErrorKind::not_logged_in,
                                          "the login was used up, and the salt of its PIN can be "
                                          "read no more, so the PIN is not tried without being "
                                          "told"});
  if (!same) {
    forget();
    return same;
  }
  salt_read_in_ = link_.transaction();
  return {};
}

Result<bool> Login::renew() {
  if (!role_) {
    return Error{ErrorKind::not_logged_in, "the card asks for a login",
                 apdu::sw::security_status_not_satisfied.value};
  }
  const Role role = *role_;
  if (failures_(role) > 0) {
    forget();
    return Error{ErrorKind::not_logged_in,
                 std::string("the login was used up and does not return by itself: a wrong ") +
                     pin_name(role) + " was sent since by somebody, and no other try is risked"};
  }
  const auto now = link_.transaction();
  const bool looks = !now || now != salt_read_in_;
  if (looks) {
    if (auto status = read_salt_again(role); !status) return status.take_error();
  }
  auto status = answer_challenge(role, key_);
  if (status) return looks;
  const auto kind = status.error().kind;
  if (kind != ErrorKind::pin_incorrect && kind != ErrorKind::pin_blocked)
    return status.take_error();
  forget();
  refused_(role, status);
  Error lost{ErrorKind::not_logged_in,
             "the login was used up and did not return: the PIN was changed or blocked meanwhile, "
             "so nothing more is tried without being told",
             status.error().sw};
  lost.cause = std::make_shared<const Error>(status.error());
  return lost;
}

void Login::forget() {
  role_.reset();
  key_ = SecretBytes();
}

Status Login::require(Role role, const char* what) const {
  if (role_ == role) return {};
  return Error{ErrorKind::not_logged_in,
               std::string(what) + " needs the " +
                   (role == Role::user ? "user's login" : "security officer's login")};
}

Result<Login::NewPin> Login::prepare(const SecretBytes& pin, const SecretBytes& under) {
  NewPin made;
  // The card may as well choose the salt: it gets the key in any case.
  while (made.salt.size() < pin::salt_size) {
    auto block = challenge();
    if (!block) return block.take_error();
    append(made.salt, *block);
  }
  made.salt.resize(pin::salt_size);
  auto key = derive_key(pin, made.salt);
  if (!key) return key.take_error();
  auto vector = challenge();
  if (!vector) return vector.take_error();
  made.encrypted_key = encrypt(under, *vector, *key);
  made.key = std::move(*key);
  return made;
}

Status Login::change(Role role, const SecretBytes& pin) {
  auto made = prepare(pin, key_);
  if (!made) return made.take_error().within("changing the PIN");
  auto status = check_pin(link_.send(command::change_pin(role, made->salt, made->encrypted_key)),
                          "changing the PIN");
  if (!status) return status;
  key_ = std::move(made->key);
  learn_salt(role, std::move(made->salt));
  return {};
}

Status Login::set_user_pin(const SecretBytes& pin) {
  auto made = prepare(pin, key_);
  if (!made) return made.take_error().within("setting the user PIN");
  auto status = check_pin(link_.send(command::set_user_pin(made->salt, made->encrypted_key)),
                          "setting the user PIN");
  if (status) blocked_[index(Role::user)] = false;
  return status;
}

Status Login::initialise(const SecretBytes& so_pin, ByteView label, bool blank) {
  SecretBytes transport_key(pin::key_size);
  transport_key.resize(pin::key_size);  // zeros (assumed)
  auto made = prepare(so_pin, blank ? transport_key : key_);
  if (!made) return made.take_error();
  return check(link_.send(command::initialise(made->salt, made->encrypted_key, label)),
               "erasing and setting up the token");
}

}  // namespace kilt::card::etoken
