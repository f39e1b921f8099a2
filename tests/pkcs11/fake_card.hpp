// SPDX-License-Identifier: Apache-2.0
// A card of plain fields under sessions: for kinds of cards that the simulator has not, and for
// answers that no card should give.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/card.hpp"

namespace kilt::test {

/// A transport that only holds transactions.
class QuietTransport : public apdu::Transport {
 public:
  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return {}; }
  [[nodiscard]] apdu::Protocol protocol() const override { return apdu::Protocol::t1; }
  [[nodiscard]] apdu::Limits limits() const override { return {}; }
  [[nodiscard]] bool is_simulated() const override { return true; }
  Result<Bytes> transmit(ByteView) override { return Error{ErrorKind::internal, "not used"}; }
  Status reset() override { return {}; }
  Result<std::uint64_t> begin() override { return *epoch; }
  void end() override {}
  void set_leave(apdu::Leave) override {}
  void abandon() override {}
  std::shared_ptr<std::uint64_t> epoch = std::make_shared<std::uint64_t>(1);

 private:
  std::string reader_ = "quiet";
};

/// What the test sets and sees; shared, for the module owns the card.
struct FakeState {
  card::CardModel model;
  card::Directory directory;
  std::string pin = "1234";
  std::optional<int> tries;  ///< as told; empty: the card does not tell
  int failures = 0;          ///< that other processes saw
  unsigned logins = 0;       ///< PINs that reached the card
  bool logged_in = false;
  bool login_lost = false;         ///< the next signature finds nobody logged in
  Bytes body{1, 2, 3};             ///< of certificates and data
  std::optional<Error> failure{};  ///< of whatever writes, signs or gives random numbers
  std::size_t random_short_by = 0;
  std::size_t signature_size = 128;
  std::shared_ptr<std::uint64_t> epoch;
};

class FakeCard : public card::Card {
 public:
  explicit FakeCard(std::shared_ptr<FakeState> state)
      : state_(std::move(state)), link_(transport(), nullptr) {}

  [[nodiscard]] const card::CardModel& model() const override { return state_->model; }
  [[nodiscard]] card::Link& link() override { return link_; }
  void forget_state() override { state_->logged_in = false; }
  void forget_objects() override {}
  Result<card::TokenInfo> token_info() override {
    card::TokenInfo info;
    info.label = "a label of more than thirty-two octets: it is cut";
    info.serial = "00112233445566778899";
    return info;
  }
  Result<card::PinInfo> pin_status(card::Role role) override {
    card::PinInfo info;
    info.role = role;
    info.tries_left = state_->tries;
    info.failures = state_->failures;
    info.blocked = state_->tries == 0;
    info.logged_in = state_->logged_in;
    return info;
  }
  Status login(card::Role, const SecretBytes& pin) override {
    ++state_->logins;
    if (!pin.equals(as_bytes(state_->pin))) {
      if (state_->tries) --*state_->tries;
      return Error{ErrorKind::pin_incorrect, "wrong PIN", 0x63C0};
    }
    state_->logged_in = true;
    state_->login_lost = false;
    return {};
  }
  Status logout() override {
    state_->logged_in = false;
    return {};
  }
  Status change_pin(card::Role, const SecretBytes&, const SecretBytes&) override { return fails(); }
  Status set_user_pin(const SecretBytes&) override { return fails(); }
  Result<card::Directory> list() override { return state_->directory; }
  Result<card::PublicKey> read_public_key(const card::ObjectRef&) override {
    card::PublicKey key;
    key.modulus = Bytes(128, 0xC1);
    key.exponent = {1, 0, 1};
    return key;
  }
  Result<Bytes> read_certificate(const card::ObjectRef&) override { return state_->body; }
  Result<Bytes> read_data(const card::ObjectRef&) override { return state_->body; }
  Result<card::KeyPair> generate(const card::GenerateRequest&) override {
    if (state_->failure) return *state_->failure;
    return card::KeyPair{};
  }
  Result<card::KeyInfo> import_private_key(const card::ImportRequest&,
                                           card::RsaPrivateKey) override {
    return unsupported();
  }
  Result<card::PublicKeyInfo> store_public_key(const card::ImportRequest&,
                                               const card::PublicKey&) override {
    return unsupported();
  }
  Result<card::CertificateInfo> install_certificate(const card::CertificateRequest&,
                                                    ByteView) override {
    return unsupported();
  }
  Result<card::DataInfo> store_data(const card::DataRequest&, ByteView) override {
    return unsupported();
  }
  Status change_attributes(const card::ObjectRef&, const card::AttributeChange&) override {
    return fails();
  }
  Status delete_object(const card::ObjectRef&) override { return fails(); }
  Result<Bytes> sign(const card::KeyInfo&, card::Scheme, ByteView) override {
    if (state_->failure) return *state_->failure;
    if (state_->login_lost) return Error{ErrorKind::not_logged_in, "nobody is logged in", 0x6982};
    return Bytes(state_->signature_size, 0x5A);
  }
  Result<Bytes> decrypt(const card::KeyInfo&, card::Scheme, ByteView) override {
    return unsupported();
  }
  Status initialise(const std::string&, const SecretBytes&) override { return unsupported(); }
  Result<Bytes> random(std::size_t count) override {
    if (state_->failure) return *state_->failure;
    return Bytes(count - state_->random_short_by);
  }

 private:
  static Error unsupported() { return {ErrorKind::unsupported, "this card cannot do that"}; }
  Status fails() {
    if (state_->failure) return *state_->failure;
    return {};
  }
  std::unique_ptr<apdu::Transport> transport() {
    auto made = std::make_unique<QuietTransport>();
    state_->epoch = made->epoch;
    return made;
  }
  std::shared_ptr<FakeState> state_;
  card::Link link_;
};

}  // namespace kilt::test
