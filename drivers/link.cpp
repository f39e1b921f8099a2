// SPDX-License-Identifier: Apache-2.0
#include "drivers/link.hpp"

namespace kilt::card {
namespace {

Error refusal(const Command& command, const std::string& card, const std::string& why) {
  return {ErrorKind::refused,
          "refusing to " + std::string(command.operation) + " on this " + card + ": " + why};
}

}  // namespace

/// The transport as it is, with its transactions counted.
class Link::CountingTransport final : public apdu::Transport {
 public:
  explicit CountingTransport(std::unique_ptr<apdu::Transport> inner) : inner_(std::move(inner)) {}

  [[nodiscard]] const std::string& reader() const override { return inner_->reader(); }
  [[nodiscard]] ByteView atr() const override { return inner_->atr(); }
  [[nodiscard]] apdu::Protocol protocol() const override { return inner_->protocol(); }
  [[nodiscard]] apdu::Limits limits() const override { return inner_->limits(); }
  [[nodiscard]] bool is_simulated() const override { return inner_->is_simulated(); }
  Result<Bytes> transmit(ByteView command) override { return inner_->transmit(command); }
  Status reset() override { return inner_->reset(); }
  Result<std::uint64_t> begin() override {
    auto epoch = inner_->begin();
    if (epoch) {
      ++count_;
      open_ = true;
    }
    return epoch;
  }
  void end() override {
    open_ = false;
    inner_->end();
  }
  void set_leave(apdu::Leave leave) override { inner_->set_leave(leave); }
  void abandon() override { inner_->abandon(); }

  [[nodiscard]] std::optional<std::uint64_t> transaction() const {
    return open_ ? std::optional<std::uint64_t>(count_) : std::nullopt;
  }

 private:
  std::unique_ptr<apdu::Transport> inner_;
  std::uint64_t count_ = 0;
  bool open_ = false;
};

Link::Link(std::unique_ptr<apdu::Transport> transport, apdu::Recorder* recorder)
    : transport_(std::make_unique<CountingTransport>(std::move(transport))),
      channel_(*transport_, recorder) {}

Link::~Link() = default;

apdu::Transport& Link::transport() {
  return *transport_;
}

std::optional<std::uint64_t> Link::transaction() const {
  return transport_->transaction();
}

Result<apdu::ResponseApdu> Link::send(const Command& command) {
  if (!transport_->is_simulated() && !permissions_.allow_assumed) {
    if (command.evidence == Evidence::assumed) {
      return refusal(command, card_name_,
                     std::string("nobody public says how this card does it, the command is our "
                                 "guess ") +
                         command.source +
                         "; record how the vendor's software does it with `kilt trace record`, or "
                         "list the card's serial under allow_assumed in kilt.toml");
    }
    if (command.destroys && command.evidence >= Evidence::related && !permissions_.allow_destroy) {
      return refusal(command, card_name_,
                     std::string("it destroys keys, and the command is known from a relative of "
                                 "this card only ") +
                         command.source +
                         "; give the card's serial number to confirm, and help with a recording "
                         "by `kilt trace record`");
    }
  }
  return channel_.send(command.apdu);
}

}  // namespace kilt::card
