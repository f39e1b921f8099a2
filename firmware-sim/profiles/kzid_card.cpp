// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/kzid_card.hpp"

#include "firmware-sim/identity.hpp"

namespace kilt::sim::kzid {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;

constexpr std::uint8_t ins_delete_data = 0xEE;  // [7816-9]

struct Entry {
  std::uint8_t ins;
  Reply (*run)(Card&, const Command&);
};

constexpr Entry commands[] = {
    {ins::select, select},
    {ins::read_binary, read_binary},
    {ins::update_binary, update_binary},
    {ins::create_file, create_file},
    {ins::delete_file, delete_file},
    {ins::verify, verify},
    {ins::change_reference_data, change_reference_data},
    {ins::reset_retry_counter, reset_retry_counter},
    {ins::generate_asymmetric_key_pair, generate_key_pair},
    {ins::manage_security_environment, manage_security_environment},
    {ins::internal_authenticate, internal_authenticate},
    {ins::get_challenge, get_challenge},
    {ins::get_data_odd, get_data},
    {ins_delete_data, delete_data},
};

const Entry* find_command(std::uint8_t ins) {
  for (const auto& entry : commands) {
    if (entry.ins == ins) return &entry;
  }
  return nullptr;
}

}  // namespace

FilePath signature_df() {
  return FilePath::below({0x0101});
}

Card::Card(Nvram& nvram, const Configuration& configuration, std::shared_ptr<Stopwatch> stopwatch)
    : files(nvram, configuration.memory),
      pins(nvram),
      keys(nvram, configuration.last_key),
      random(configuration.seed, configuration.seed == 0 ? 0 : count_start(nvram)),
      nvram_(nvram),
      stopwatch_(std::move(stopwatch)) {}

void Card::forget() {
  current_df = FilePath::mf();
  current_ef.reset();
  verified = {};
  authentication_key.reset();
}

// assumed: no chaining, no secure messaging, no logical channels; none was seen on the contact
// interface [facts jacarta B2].
Reply Card::execute(const Command& command) {
  if (command.cla != apdu::cla::interindustry) return sw::cla_not_supported;
  const Entry* entry = find_command(command.ins);
  if (entry == nullptr) return sw::ins_not_supported;
  const auto writes = nvram_.writes();
  Reply reply = entry->run(*this, command);
  spend(timing::nvram_write * (nvram_.writes() - writes));
  return reply;
}

bool Card::has_key_object(std::uint8_t reference) const {
  return current_df == signature_df() && keys.exists(reference);
}

std::size_t Card::wanted(const Command& command) {
  return command.ne.value_or(apdu::CommandApdu::le_max_short);
}

}  // namespace kilt::sim::kzid
