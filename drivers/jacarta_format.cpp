// SPDX-License-Identifier: Apache-2.0
// Setting up a JaCarta's LASER applet, and its PINs' changes. The files, their order and their
// rules are the vendor's [facts jacarta A12, A16], so that its software takes the card for its own;
// what the vendor writes and then writes over is written once.
#include "drivers/jacarta_card.hpp"
#include "drivers/jacarta_layout.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t token_flags_at = 96, longest_label = 32;
constexpr std::uint8_t flag_user_pin = 0x08;

}  // namespace

Status JacartaCard::make_file(const FilePath& parent, const NewFile& file, ByteView content) {
  auto status = files_.create(parent, file);
  if (!status || content.empty()) return status;
  FilePath path = parent;
  path.push_back(file.id);
  if (const auto selected = files_.select(path); !selected) return selected.error();
  return files_.write(content);
}

/// What the MF asks for before something is created in it: nothing, the officer, or transport
/// PIN 1.
Status JacartaCard::allow_creation(const FileFacts& master) {
  if (master.rules.size() < 2) return {};
  const std::uint16_t rule = be16(master.rules[0], master.rules[1]);
  if (rule == 0 || (rule == pin::officer.back() && pins_.role() == Role::security_officer))
    return {};
  if (rule == pin::transport.back()) return pins_.login_for_transport();
  return Error{ErrorKind::access_denied,
               "this card lets nobody whose PIN kilt knows create files, so it cannot be set up"};
}

Status JacartaCard::erase() {
  // The vendor's order: what holds objects first, the PINs behind.
  const FilePath files[] = {{0x3000}, {0x1000}, {0x0030}, {0x0032}, {0x0035},
                            {0x0002}, {0x0020}, {0x0010}, {0x5015}};
  for (const auto& path : files) {
    auto status = files_.remove(path, true);
    if (!status && status.error().kind != ErrorKind::not_found)
      return status.take_error().within("erasing " + to_string(path));
  }
  return {};
}

Status JacartaCard::make_files(const Result<std::vector<MadeFile>>& files) {
  if (!files) return files.error();
  for (const auto& made : *files) {
    auto status = make_file(made.parent, made.file, made.content);
    // Quirk: transport PIN 2 may have survived [facts jacarta A16].
    if (!status && status.error().kind == ErrorKind::exists && made.file.id == second_transport_pin)
      continue;
    if (!status) return status;
  }
  return {};
}

/// What the counters of cardcf begin with. A departure from the vendor's software, which writes 1
/// and 1 each time [facts jacarta A9, A16]: another program that holds what it read of the card
/// believes it while the counters stand still, and as many changes as there were before would
/// make them what they were, with other keys in the same places. So they go on counting.
Result<Freshness> JacartaCard::first_counters() {
  constexpr Freshness vendors{1, 1};
  const auto there = objects_.read_counters();
  if (there) return *there ? (*there)->after(1) : vendors;
  const auto kind = there.error().kind;
  if (kind == ErrorKind::removed || kind == ErrorKind::transport) return there.error();
  return vendors;
}

Status JacartaCard::create_all(const std::string& label, const SecretBytes& so_pin,
                               const Freshness& counters) {
  const auto serial = serial_bytes();
  if (!serial) return serial.error();
  constexpr std::size_t placeholder_size = 8;
  auto random = pins_.random(placeholder_size);
  if (!random) return random.take_error();
  const auto placeholder = SecretBytes::copy_of(*random);
  wipe(*random);
  if (auto status = make_files(master_files(so_pin, placeholder)); !status) return status;
  if (auto status = pins_.login(Role::security_officer, so_pin); !status) return status;
  if (auto status = make_files(application_files(label, *serial)); !status) return status;
  if (auto status = pins_.login(Role::user, placeholder); !status) return status;
  return make_files(users_files(counters));
}

Status JacartaCard::initialise(const std::string& label, const SecretBytes& so_pin) {
  const char* const what = "initialising the card";
  if (label.empty() || label.size() > longest_label) {
    return Error{ErrorKind::bad_argument, "a label has 1 to 32 bytes"};
  }
  begin();
  if (auto length = Pins::check_length(Role::security_officer, so_pin.size()); !length)
    return length;
  auto state = pins_.status(Role::security_officer);
  if (!state) return state.take_error().within(what);
  if (state->info.initialized) {
    // No try is spent for what is refused behind it.
    if (auto status = link_->allows(command::erase(true)); !status)
      return status.take_error().within(what);
    if (auto status = pins_.login(Role::security_officer, so_pin); !status) return status;
  }
  const auto counters = first_counters();
  if (!counters) return counters.error().within(what);
  // Before anything is lost: erasing needs the officer alone, setting up the transport PIN too
  // [facts jacarta A16 #20].
  const auto master = files_.select({});
  if (!master) return master.error().within(what);
  if (auto status = allow_creation(*master); !status) return status;
  token_info_.reset();
  auto status = erase();
  if (status) status = create_all(label, so_pin, *counters);
  pins_.forget();
  objects_.forget();
  // The guard lets all of the erasure through or nothing.
  if (!status && status.error().kind == ErrorKind::refused) return status.take_error().within(what);
  if (!status) {
    return status.take_error().within(
        "initialising the card; it is erased in part, and has to be initialised again");
  }
  return {};
}

// ---- PINs ------------------------------------------------------------------------------------

Status JacartaCard::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  begin();
  if (auto length = Pins::check_length(role, new_pin.size()); !length) return length;
  if (auto status = pins_.login(role, old_pin); !status) return status;
  return pins_.store(role, new_pin);
}

/// TokenInfo then says that there is a user PIN [facts jacarta A16 #22].
Status JacartaCard::mark_user_pin() {
  auto content = token_info_file();
  if (!content) return content.take_error();
  if (content->size() <= token_flags_at || ((*content)[token_flags_at] & flag_user_pin) != 0)
    return {};
  (*content)[token_flags_at] |= flag_user_pin;
  if (const auto selected = files_.select(file::token_info); !selected) return selected.error();
  token_info_.reset();
  return files_.update(token_flags_at, ByteView(*content).subspan(token_flags_at, 1));
}

/// In the place of the PIN that initialisation left, or of none after a power cut. The PIN comes
/// last: until then the card says that there is none.
Status JacartaCard::create_user_pin(const SecretBytes& new_pin) {
  const auto master = files_.select({});
  if (!master) return master.error();
  if (auto status = allow_creation(*master); !status) return status;
  auto removed = files_.remove(pin::user);
  if (!removed && removed.error().kind != ErrorKind::not_found) return removed;
  if (auto status = mark_user_pin(); !status) return status;
  return make_file({}, stored_pin(pin::user.back(), rules::user_pin(), new_pin), {});
}

Status JacartaCard::set_user_pin(const SecretBytes& new_pin) {
  const char* const what = "setting the user PIN";
  if (auto length = Pins::check_length(Role::user, new_pin.size()); !length) return length;
  if (pins_.role() != Role::security_officer) {
    return Error{ErrorKind::not_logged_in, "setting the user PIN needs the officer's login"};
  }
  const auto state = pin_status(Role::user);
  if (!state) return state.error().within(what);
  if (state->initialized) {
    if (auto status = pins_.reset_user_counter(); !status) return status.take_error().within(what);
    return pins_.store(Role::user, new_pin);
  }
  if (auto status = objects_.prepare_write(); !status) return status.take_error().within(what);
  auto status = create_user_pin(new_pin);
  if (status) status = objects_.count(1);
  if (!status) return status.take_error().within(what);
  return {};
}

}  // namespace kilt::card::jacarta
