// SPDX-License-Identifier: Apache-2.0
#include "apdu/channel.hpp"

#include <algorithm>

namespace kilt::apdu {
namespace {

constexpr std::size_t total_answer_max = 65536;
constexpr int exchanges_max = 512;
constexpr std::size_t short_body_max = 255;
/// Header, Lc and Le: what a block of a chain carries besides its data.
constexpr std::size_t short_frame = 6;

bool chained_by_caller(const CommandApdu& command) {
  return (command.cla() & cla::chaining) != 0;
}

CommandApdu with_header_of(const CommandApdu& command) {
  return {command.cla(), command.ins(), command.p1(), command.p2()};
}

/// A part of the body as a command of its own; a part of a secret is a secret.
CommandApdu part_of(const CommandApdu& command, std::size_t from, std::size_t count) {
  CommandApdu part = with_header_of(command);
  const ByteView body = command.body().subspan(from, count);
  if (command.is_secret()) {
    part.secret(SecretBytes::copy_of(body));
  } else {
    part.data(copy_of(body));
  }
  return part;
}

/// As T=0 sends it: there P3 is always there, and is Lc or Le but not both. Case 1 goes with
/// P3 = 00, case 4 without Le, its answer being fetched by GET RESPONSE [7816-3 §12.2].
CommandApdu t0_form(const CommandApdu& command) {
  const bool has_body = !command.body().empty();
  CommandApdu sent =
      has_body ? part_of(command, 0, command.body().size()) : with_header_of(command);
  if (!has_body) sent.expect(command.ne().value_or(CommandApdu::le_max_short));
  return sent;
}

/// The same with another Le, for a repetition.
CommandApdu with_ne(const CommandApdu& command, std::size_t ne) {
  CommandApdu again = command.clone();
  again.expect(ne);
  return again;
}

bool names_a_file(const CommandApdu& command) {
  return command.ins() == ins::select;
}

std::size_t short_count(std::uint8_t sw2) {
  return sw2 == 0 ? CommandApdu::le_max_short : sw2;
}

}  // namespace

Result<ResponseApdu> Channel::send(const CommandApdu& command) {
  exchanges_left_ = exchanges_max;
  const bool is_private = is_private_ && !names_a_file(command);
  hidden_ = {.body = is_private, .answer = is_private || Recorder::has_secret_answer(command)};
  if (!sm_ && !closed_) return send_plain(command);
  if (closed_) {
    return Error{ErrorKind::protocol,
                 "the secure channel broke earlier, nothing more is sent; reconnect to the card"};
  }
  auto wrapped = sm_->wrap(command);
  if (!wrapped) return wrapped.take_error();
  auto answer = send_plain(*wrapped);
  if (!answer) return answer;
  auto plain = sm_->unwrap(*answer);
  if (!plain) closed_ = true;
  return plain;
}

Result<ResponseApdu> Channel::send_plain(const CommandApdu& command) {
  const Limits limits = transport_.limits();
  if (limits.max_command < short_frame + 1) {
    return Error{ErrorKind::transport, "the reader lets no command with data through"};
  }
  const std::size_t block_max = std::min(short_body_max, limits.max_command - short_frame);
  const std::size_t size = command.body().size();

  // Over T=0 there is no extended length without ENVELOPE [7816-3 §12.2.2].
  const bool reader_passes =
      limits.silent || (limits.extended && command.encoded_size() <= limits.max_command);
  const bool extended_passes =
      reader_passes && prefer_extended_ && transport_.protocol() == Protocol::t1;
  if (command.needs_extended() && extended_passes) return complete(command);

  if (chained_by_caller(command) && size > block_max) {
    return Error{ErrorKind::bad_argument, "one block of a chain is longer than the reader takes"};
  }
  if (size > block_max) return send_chained(command);
  if (!command.needs_extended()) return complete(command);
  return complete(with_ne(command, CommandApdu::le_max_short));
}

Result<ResponseApdu> Channel::send_chained(const CommandApdu& command) {
  const std::size_t size = command.body().size();
  const std::size_t block = std::min(short_body_max, transport_.limits().max_command - short_frame);
  std::size_t at = 0;
  for (; size - at > block; at += block) {
    CommandApdu part = part_of(command, at, block);
    part.set_cla(command.cla() | cla::chaining);
    auto answer = exchange(part);
    if (answer && answer->status.more_data()) {
      return Error{ErrorKind::protocol, "the card answers before the chain ended",
                   answer->status.value};
    }
    // A card that refuses a block has ended the chain: its reason is the answer.
    if (!answer || !answer->ok()) return answer;
  }
  CommandApdu last = part_of(command, at, size - at);
  if (command.ne()) last.expect(std::min(*command.ne(), CommandApdu::le_max_short));
  return complete(last);
}

Result<ResponseApdu> Channel::complete(const CommandApdu& command) {
  auto answer = exchange(command);
  // Where Le was on the wire the card may correct it, once [7816-4 §5.3.4]. A command that asked
  // for nothing, or sent Lc in place of Le (case 4 over T=0), has no Le to correct.
  const bool le_was_sent =
      command.ne() && (transport_.protocol() == Protocol::t1 || command.body().empty());
  if (answer && answer->status.wrong_le() && le_was_sent) {
    answer = exchange(with_ne(command, short_count(answer->status.sw2())));
  }
  if (!answer || !answer->status.more_data()) return answer;
  return collect(std::move(*answer));
}

Result<ResponseApdu> Channel::collect(ResponseApdu whole) {
  while (whole.status.more_data()) {
    CommandApdu fetch(cla::interindustry, ins::get_response, 0x00, 0x00);
    fetch.expect(short_count(whole.status.sw2()));
    auto more = exchange(fetch);
    if (more && more->status.wrong_le()) {
      more = exchange(with_ne(fetch, short_count(more->status.sw2())));
    }
    if (!more) return more;
    if (more->status.more_data() && more->data.empty()) {
      return Error{ErrorKind::protocol, "the card promises more data and sends none",
                   more->status.value};
    }
    if (whole.data.size() + more->data.size() > total_answer_max) {
      return Error{ErrorKind::protocol, "the card's answer does not end within 65536 bytes",
                   more->status.value};
    }
    append(whole.data, more->data);
    whole.status = more->status;
  }
  return whole;
}

Result<ResponseApdu> Channel::exchange(const CommandApdu& command) {
  if (exchanges_left_ == 0) {
    return Error{ErrorKind::protocol, "one command took more than 512 exchanges without an end"};
  }
  --exchanges_left_;
  if (transport_.protocol() == Protocol::t0) return exchange_as_is(t0_form(command));
  return exchange_as_is(command);
}

Result<ResponseApdu> Channel::exchange_as_is(const CommandApdu& command) {
  auto transmit = [&]() -> Result<Bytes> {
    if (!command.is_secret()) return transport_.transmit(command.encode());
    SecretBytes wire(command.encoded_size());
    wire.resize(command.encoded_size());
    command.encode_into({wire.data(), wire.size()});
    return transport_.transmit(wire.view());
  };
  auto wire = transmit();
  if (!wire) {
    if (recorder_) recorder_->failed(command, wire.error(), hidden_);
    return wire.take_error();
  }
  if (recorder_) recorder_->exchange(command, *wire, hidden_);
  auto answer = ResponseApdu::parse(*wire);
  if (answer && !command.needs_extended() && answer->data.size() > CommandApdu::le_max_short) {
    return Error{ErrorKind::protocol, "the card's answer is longer than a short APDU's 256 bytes",
                 answer->status.value};
  }
  return answer;
}

}  // namespace kilt::apdu
