// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/jacarta_laser.hpp"

#include <algorithm>
#include <array>

namespace kilt::sim::jacarta {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;

constexpr std::uint8_t interindustry = apdu::cla::interindustry;
constexpr std::uint8_t proprietary = apdu::cla::proprietary;
constexpr std::uint8_t sm_class_bits = 0x0C;
constexpr std::size_t longest_answer = apdu::CommandApdu::le_max_short;

struct Entry {
  std::uint8_t cla, ins;
  bool chains;
  Reply (*run)(Laser&, const Command&);
};

// [facts jacarta A4].
constexpr Entry commands[] = {
    {proprietary, ins::select, false, select_file},
    {interindustry, ins::select, false, select_by_name},
    {proprietary, 0x30, false, list_files},
    {interindustry, ins::read_binary, false, read_binary},
    {interindustry, ins::update_binary, false, update_binary},
    {interindustry, ins::create_file, true, create_file},
    {interindustry, ins::delete_file, false, delete_file},
    {interindustry, ins::verify, false, verify},
    {proprietary, ins::verify, false, verify_secure},
    {proprietary, 0x24, true, update_key_object},
    {proprietary, ins::reset_retry_counter, false, reset_retry_counter},
    {proprietary, 0x28, false, log_out},
    {interindustry, 0x47, false, generate_key_pair},
    {interindustry, ins::perform_security_operation, true, perform_security_operation},
    {proprietary, ins::get_data_odd, false, get_capability},
    {interindustry, ins::get_challenge, false, get_challenge},
    {proprietary, 0x48, false, offer_key_agreement},
    {proprietary, 0x86, false, open_or_close_channel},
};

const Entry* find_command(std::uint8_t cla, std::uint8_t ins) {
  for (const auto& entry : commands) {
    if (entry.cla == cla && entry.ins == ins) return &entry;
  }
  return nullptr;
}

bool is_get_response(const Command& command) {
  return command.cla == interindustry && command.ins == ins::get_response && command.data.empty();
}

apdu::StatusWord with_length(std::uint8_t sw1, std::size_t length) {
  const auto rest = static_cast<std::uint8_t>(std::min(length, longest_answer));
  return {be16(sw1, rest)};
}

}  // namespace

Laser::Laser(Nvram& nvram, LaserConfiguration options, std::shared_ptr<Random> random,
             std::shared_ptr<Stopwatch> stopwatch)
    : files(nvram, options.memory, "laser:"),
      configuration(std::move(options)),
      nvram_(nvram),
      random_(std::move(random)),
      stopwatch_(std::move(stopwatch)) {}

void Laser::forget() {
  current_df = FilePath::mf();
  current.reset();
  verified.clear();
  challenge.clear();
  chain.drop();
  agreement.reset();
  channel.reset();
  secured = false;
  pending_.clear();
}

bool Laser::is_named(ByteView aid) const {
  // Athena's RID, "LASER", 00 01 [facts jacarta A1].
  constexpr std::array<std::uint8_t, 12> own{0xA0, 0x00, 0x00, 0x01, 0x64, 0x4C,
                                             0x41, 0x53, 0x45, 0x52, 0x00, 0x01};
  return equal(aid, own);
}

Reply Laser::select(const Command& command) {
  // [facts jacarta A4]: 0C, and yet the answer has data; 00 is taken as well.
  if (command.p2 != 0x00 && command.p2 != 0x0C) return sw::wrong_p1_p2;
  forget();
  const auto mf = find(FilePath::mf());
  if (!mf) return sw::ok;
  return control_parameters(*mf, {});  // assumed: the MF's; an empty answer is known to do as well
}

// ---- a command from outside

Reply Laser::execute(const Command& command) {
  constexpr std::size_t longest_data = 255;
  if (command.data.size() > longest_data || command.ne.value_or(0) > longest_answer) {
    return sw::wrong_length;  // this applet knows short APDUs only [facts jacarta A4]
  }
  if (is_get_response(command)) return get_response(command);
  pending_.clear();
  const auto writes = nvram_.writes();
  const bool protected_form = (command.cla & sm_class_bits) == sm_class_bits;
  Reply reply = protected_form ? execute_secured(command) : execute_plain(command);
  spend(timing::nvram_write * (nvram_.writes() - writes));
  return reply;
}

Reply Laser::execute_plain(const Command& command) {
  secured = false;
  return in_pieces(run(command), command.ne);
}

// A wrong MAC ends the session with a bare status word [facts jacarta A16 #30].
Reply Laser::execute_secured(const Command& command) {
  if (!channel) return sw::conditions_not_satisfied;  // assumed
  auto inner = channel->unwrap(command);
  if (!inner.status.ok()) {
    channel.reset();
    chain.drop();
    return inner.status;
  }
  secured = true;
  Reply reply = run(inner.command);
  wipe(inner.command.data);
  secured = false;
  if (!channel) return reply;
  // Nobody fetches what was not asked for, inside as outside.
  const bool wanted = inner.command.ne.has_value();
  Reply outer(channel->protect(wanted ? ByteView(reply.data) : ByteView(), reply.status));
  outer.status = reply.status;
  // The outer Le may be the inner one; the protected answer is longer and is not cut to it
  // [facts jacarta A16 #29].
  outer.beyond_ne = true;
  return in_pieces(std::move(outer), longest_answer);
}

// [facts jacarta A16 #8-#10, #31]: what is longer than an answer can be waits for GET RESPONSE,
// which comes in the clear.
Reply Laser::in_pieces(Reply reply, std::optional<std::size_t> wanted) {
  if (!wanted || reply.data.size() <= *wanted) return reply;
  const auto split = reply.data.begin() + static_cast<std::ptrdiff_t>(*wanted);
  pending_.assign(split, reply.data.end());
  reply.data.erase(split, reply.data.end());
  reply.status = with_length(0x61, pending_.size());
  return reply;
}

Reply Laser::get_response(const Command& command) {
  if (pending_.empty() || !command.ne) return sw::conditions_not_satisfied;
  if (*command.ne > pending_.size() && *command.ne != longest_answer) {
    return with_length(0x6C, pending_.size());
  }
  Bytes rest = std::exchange(pending_, {});
  return in_pieces(std::move(rest), command.ne);
}

// ---- a command in the clear

Reply Laser::run(const Command& command) {
  const auto base_class = static_cast<std::uint8_t>(command.cla & ~apdu::cla::chaining);
  if (base_class != interindustry && base_class != proprietary) return sw::cla_not_supported;
  const Entry* entry = find_command(base_class, command.ins);
  if (entry == nullptr) {
    const bool other_class = find_command(base_class ^ proprietary, command.ins) != nullptr;
    return other_class ? sw::cla_not_supported : sw::ins_not_supported;
  }
  if (const auto answer = chain.admit(command, entry->chains)) return *answer;
  Bytes fresh_challenge = std::exchange(challenge, {});
  if (entry->run == verify_secure) challenge = std::move(fresh_challenge);
  Reply reply = entry->run(*this, command);
  if (entry->chains) chain.drop();
  return reply;
}

// ---- state

std::optional<Object> Laser::find(const FilePath& path) const {
  const auto file = files.find(path);
  if (!file) return std::nullopt;
  return Object::of(*file);
}

std::optional<Object> Laser::selected_object(Kind kind) const {
  if (!current) return std::nullopt;
  auto object = find(*current);
  if (object && object->kind != kind) return std::nullopt;
  return object;
}

PinBody Laser::pin_body(const Object& object) const {
  return PinBody::parse(files.body(object.path));
}

// A rule names a key object of the MF [facts jacarta A6]; one that does not exist is never met.
bool Laser::presented(std::uint8_t key) const {
  const auto path = FilePath::mf().child(key);
  const auto object = find(path);
  if (!object) return false;
  if (object->key_kind() != KeyKind::expression) return verified.count(path.text()) != 0;
  const auto met = evaluate_expression(files.body(path), [this](std::uint16_t id) {
    return verified.count(FilePath::mf().child(id).text()) != 0;
  });
  return met.ok() && *met;
}

bool Laser::allowed(Rule rule) const {
  // Answers under secure messaging come whenever the command did.
  if ((rule.flags & Rule::under_sm) != 0 && !secured) return false;
  if (rule.key == Rule::never) return false;
  return rule.key == 0 || presented(rule.key);
}

}  // namespace kilt::sim::jacarta
