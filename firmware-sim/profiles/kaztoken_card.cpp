// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/kaztoken_card.hpp"

#include "firmware-sim/identity.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;

constexpr const char* phase_cell = "phase";

struct Entry {
  std::uint8_t cla, ins;
  bool chains;
  Reply (*run)(Card&, const Command&);
};

constexpr std::uint8_t interindustry = apdu::cla::interindustry;
constexpr std::uint8_t proprietary = apdu::cla::proprietary;

constexpr Entry commands[] = {
    {interindustry, ins::select, false, select},
    {interindustry, ins::read_binary, false, read_binary},
    {interindustry, ins::update_binary, false, update_binary},
    {interindustry, ins::create_file, false, create_file},
    {interindustry, ins::delete_file, false, delete_file},
    {interindustry, ins::verify, false, verify},
    {interindustry, ins::change_reference_data, true, change_reference_data},
    {interindustry, ins::reset_retry_counter, false, reset_retry_counter},
    {interindustry, ins::manage_security_environment, false, manage_security_environment},
    {interindustry, ins::perform_security_operation, true, perform_security_operation},
    {interindustry, ins::generate_asymmetric_key_pair, false, generate_key_pair},
    {interindustry, ins::get_challenge, false, get_challenge},
    {interindustry, ins::get_data, false, get_data},
    {proprietary, 0x40, false, log_out},
    {proprietary, 0x8A, false, begin_initialisation},
    {proprietary, 0x84, false, end_initialisation},
};

const Entry* find_command(std::uint8_t cla, std::uint8_t ins) {
  for (const auto& entry : commands) {
    if (entry.cla == cla && entry.ins == ins) return &entry;
  }
  return nullptr;
}

}  // namespace

Card::Card(Nvram& nvram, const Configuration& options, std::shared_ptr<Stopwatch> stopwatch)
    : files(nvram, options.memory),
      pins(nvram),
      random(options.seed, options.seed == 0 ? 0 : count_start(nvram)),
      configuration(options),
      nvram_(nvram),
      stopwatch_(std::move(stopwatch)) {}

void Card::forget() {
  current_df = files.find(FilePath::mf()) ? FilePath::mf() : FilePath();
  current_ef.reset();
  role = Role::nobody;
  signature_key.reset();
  decryption_key.reset();
  chain.drop();
}

Reply Card::execute(const Command& command) {
  if (phase() == Phase::erasing) erase();  // power went away in the middle of it
  const auto base_class = static_cast<std::uint8_t>(command.cla & ~apdu::cla::chaining);
  if (base_class != interindustry && base_class != proprietary) return sw::cla_not_supported;
  const Entry* entry = find_command(base_class, command.ins);
  if (entry == nullptr) return sw::ins_not_supported;
  if (const auto answer = chain.admit(command, entry->chains)) return *answer;
  const auto writes = nvram_.writes();
  Reply reply = entry->run(*this, command);
  if (entry->chains) chain.drop();
  spend(timing::nvram_write * (nvram_.writes() - writes));
  return reply;
}

Phase Card::phase() const {
  const Bytes* cell = nvram_.read(phase_cell);
  return cell == nullptr || cell->empty() ? Phase::virgin : static_cast<Phase>((*cell)[0]);
}

void Card::set_phase(Phase phase) {
  const auto value = static_cast<std::uint8_t>(phase);
  nvram_.write(phase_cell, ByteView(&value, 1));
}

void Card::erase() {
  set_phase(Phase::erasing);
  forget();
  for (const char* kind : {"file:", "pin:"}) {
    for (const auto& cell : nvram_.cells_with_prefix(kind))
      nvram_.erase(cell);
  }
  set_phase(Phase::initialisation);
  forget();
}

bool Card::allowed(ByteView attributes, Access access) const {
  // [facts kaztoken §4.8]: objects are made before any PIN exists.
  if (phase() == Phase::initialisation) return true;
  return grants(attributes, access, role);
}

std::optional<std::size_t> Card::wanted(const Command& command) const {
  if (command.ne) return command.ne;
  if (over_t0) return apdu::CommandApdu::le_max_short;
  return std::nullopt;
}

}  // namespace kilt::sim::kaztoken
