// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/etoken72k_applet.hpp"

#include "firmware-sim/profiles/etoken72k_commands.hpp"
#include "firmware-sim/profiles/etoken72k_device.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;

// [facts etoken §5.1]; nothing but the whole name selects it (assumed).
constexpr std::array<std::uint8_t, 7> aid{0xA0, 0x00, 0x00, 0x03, 0x12, 0x02, 0x02};

constexpr const char* file_cells = "etoken:file:";

struct Entry {
  std::uint8_t cla, ins;
  Reply (*run)(Applet&, const Command&);
};

constexpr std::uint8_t interindustry = apdu::cla::interindustry;
constexpr std::uint8_t proprietary = apdu::cla::proprietary;
constexpr std::uint8_t private_operation_ins = 0x0C;
constexpr std::uint8_t log_in_ins = 0x11;
constexpr std::uint8_t write_ins = 0x15;
constexpr std::uint8_t read_ins = 0x18;
constexpr std::uint8_t import_ins = 0xDB;
constexpr std::uint8_t initialise_ins = 0x8E;

// [facts etoken §5.2]; behind the gap those that nobody public knows: the instruction numbers of
// ISO 7816-4, -8, -9, assumed.
constexpr Entry commands[] = {
    {interindustry, ins::select, select_file},
    {interindustry, ins::get_data, get_data},
    {proprietary, 0x01, list_directory},
    {proprietary, private_operation_ins, private_operation},
    {proprietary, log_in_ins, log_in},
    {proprietary, write_ins, write_file},
    {proprietary, 0x17, get_challenge},
    {proprietary, read_ins, read_file},
    {proprietary, 0x1C, get_information},

    {proprietary, ins::create_file, create_file},
    {proprietary, ins::delete_file, delete_file},
    {proprietary, ins::change_reference_data, change_pin},
    {proprietary, ins::reset_retry_counter, set_user_pin},
    {proprietary, ins::generate_asymmetric_key_pair, generate_key},
    {proprietary, import_ins, import_key},
    {proprietary, initialise_ins, initialise},
};

const Entry* find_command(std::uint8_t cla, std::uint8_t instruction) {
  for (const auto& entry : commands) {
    if (entry.cla == cla && entry.ins == instruction) return &entry;
  }
  return nullptr;
}

bool selects_by_name(const Command& command) {
  return command.cla == interindustry && command.ins == ins::select &&
         command.p1 == static_cast<std::uint8_t>(apdu::SelectMode::by_df_name);
}

}  // namespace

// The response to a challenge: salt and challenge stand beside it, so that PINs could be tried at
// home, and a wrapped key is no better. Whether the bare power signed or deciphered, the card
// cannot know.
Secrets secrets(ByteView command) {
  if (command.size() < 2 || (command[0] & proprietary) == 0) return {};
  switch (command[1]) {
    case log_in_ins:
    case import_ins:
    case initialise_ins:
    case ins::change_reference_data:
    case ins::reset_retry_counter:
      return {.body = true, .answer = false};
    case private_operation_ins:
      return {.body = false, .answer = true};
    default:
      return {};
  }
}

Applet::Applet(Nvram& nvram, Configuration options, std::shared_ptr<Random> random,
               std::shared_ptr<Stopwatch> stopwatch)
    : files(nvram, options.memory, file_cells),
      configuration(std::move(options)),
      nvram_(nvram),
      random_(std::move(random)),
      stopwatch_(std::move(stopwatch)) {
  extended_length = true;
}

bool Applet::is_named(ByteView df_name) {
  return equal(df_name, aid);
}

void Applet::forget() {
  selected_ = false;
  current_df = path::root();
  current_ef.reset();
  role = Role::nobody;
  challenge.clear();
  drop_import();
}

bool Applet::is_private(std::uint8_t instruction) const {
  if (!selected_ || (instruction != read_ins && instruction != write_ins)) return false;
  const auto file = current_ef ? find(*current_ef) : std::nullopt;
  const auto acl = file ? Acl::parse(file->security) : std::nullopt;
  return acl && !acl->is_free(Access::read);
}

void Applet::drop_import() {
  for (auto& [tag, part] : import)
    wipe(part);
  import.clear();
}

Reply Applet::execute(const Command& command) {
  finish_what_was_cut();
  const auto writes = nvram_.writes();
  Reply reply = dispatch(command);
  spend(timing::nvram_write * (nvram_.writes() - writes));
  return reply;
}

Reply Applet::dispatch(const Command& command) {
  if (selects_by_name(command)) {
    if (!is_named(command.data)) return sw::file_not_found;  // and the applet stays selected
    Reply reply = select_applet(*this, command);
    // Selected anew is started anew: a login is gone (assumed, as Java Card drops what an applet
    // keeps until its deselection).
    if (reply.status.ok()) {
      forget();
      selected_ = true;
    }
    return reply;
  }
  if (!selected_) return sw::ins_not_supported;
  const Entry* entry = find_command(command.cla, command.ins);
  if (entry == nullptr) {
    const bool known_class = command.cla == interindustry || command.cla == proprietary;
    return known_class ? sw::ins_not_supported : sw::cla_not_supported;
  }
  if (command.data.size() > max_data) return sw::wrong_length;
  // assumed: the parts of a key come one after the other, or the import begins again.
  if (command.ins != import_ins) drop_import();
  return entry->run(*this, command);
}

std::optional<File> Applet::find(const FilePath& path) const {
  auto file = files.find(path);
  if (file && file->type == FileType::internal_ef) return std::nullopt;
  return file;
}

std::vector<File> Applet::children(const FilePath& df) const {
  auto all = files.children(df);
  std::erase_if(all, [](const File& file) { return file.type == FileType::internal_ef; });
  return all;
}

void Applet::make_current(const File& file) {
  if (file.is_df()) {
    current_df = file.path;
    current_ef.reset();
  } else {
    current_df = file.path.parent();
    current_ef = file.path;
  }
}

bool Applet::allowed(const File& file, Access access) const {
  const auto acl = Acl::parse(file.security);
  return acl && acl->grants(access, role);
}

}  // namespace kilt::sim::etoken72k
