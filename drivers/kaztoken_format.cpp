// SPDX-License-Identifier: Apache-2.0
// Setting up a Kaztoken: adopting one as it is sold, erasing one, and its PINs' places. The files
// and their rights are those that OpenSC makes [facts kaztoken §10.3], so that either program goes
// on where the other stopped; one difference is explained at adopt().
#include <algorithm>
#include <ctime>

#include "apdu/tlv.hpp"
#include "drivers/kaztoken_card.hpp"

namespace kilt::card::kaztoken {

using rights::Who;

namespace {

constexpr const char* manufacturer = "Aktiv Co.";
constexpr std::size_t master_list_size = 128, token_info_size = 128, pin_list_size = 256,
                      profile_size = 128, application_size = 0x1388;
constexpr std::uint16_t master_file_id = 0x3F00;

/// "20261122041100Z" [X.680 GeneralizedTime].
std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[20];
  std::strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &parts);
  return text;
}

Bytes officer_pin_entry() {
  pkcs15::PinEntry entry;
  entry.common.label = "Security Officer PIN";
  entry.auth_id = {pin::officer};
  entry.security_officer = entry.unblock_disabled = true;
  entry.min_length = pin::officer_min;
  entry.max_length = entry.stored_length = pin::max_length;
  entry.reference = pin::officer;
  return pkcs15::encode(entry);
}

Bytes user_pin_entry() {
  pkcs15::PinEntry entry;
  entry.common.label = "User PIN";
  entry.auth_id = {pin::user};
  entry.unblock_disabled = true;
  entry.min_length = pin::new_user_min;
  entry.max_length = entry.stored_length = pin::max_length;
  entry.reference = pin::user;
  return pkcs15::encode(entry);
}

/// EF.DIR: where the PKCS #15 application is [7816-15 §6.2, facts kaztoken §10.4].
Bytes application_template(const std::string& label) {
  apdu::BerWriter inside;
  inside.put(apdu::tag::application_identifier,
             {0xA0, 0x00, 0x00, 0x00, 0x63, 0x50, 0x4B, 0x43, 0x53, 0x2D, 0x31, 0x35});
  inside.put(0x50, as_bytes(label.substr(0, 64)));
  inside.put(0x51, path_bytes(file::application));
  apdu::BerWriter writer;
  writer.put(apdu::tag::application_template, inside);
  return std::move(writer).bytes();
}

/// EF 4946: the name of OpenSC's profile, which its tools look for [facts kaztoken §10.1 #9].
Bytes profile_name() {
  return {0x01, 0x06, 'p', 'k', 'c', 's', '1', '5'};
}

Bytes odf_line(pkcs15::Kind kind) {
  return pkcs15::encode(pkcs15::DirectoryPointer{static_cast<std::uint8_t>(kind),
                                                 path_bytes(in_application(directory_id(kind)))});
}

/// Without ODF nothing that the user makes later finds its place, and what an officer began the
/// user may not write.
Error cut_off() {
  return {ErrorKind::card_state,
          "the initialisation of the token was cut off; initialise the token again (kilt init)"};
}

bool already_there(const Status& status) {
  return !status && status.error().kind == ErrorKind::exists;
}

}  // namespace

Status KaztokenCard::create_application() {
  if (auto status = files_.enter({}); !status) return status;
  const auto made =
      files_.create(directory_file(file::application[0], application_size,
                                   rights::of_file(Who::anybody, Who::anybody, Who::user)),
                    "create the application");
  files_.forget();
  return already_there(made) ? Status{} : made;
}

Status KaztokenCard::fill_application(const ApplicationContent& content) {
  const Bytes shared = rights::of_file(Who::anybody, Who::anybody, Who::user);
  const Bytes lists = rights::of_file(Who::anybody, content.owner, content.owner);
  const auto pin_list = directory_id(Kind::authentication),
             key_list = directory_id(Kind::private_keys);
  if (auto status = application_.ensure_file(pin_list, pin_list_size, lists, content.pins);
      !status) {
    return status;
  }
  Bytes odf = odf_line(Kind::authentication);
  if (!content.keys.empty()) {
    if (auto status =
            application_.ensure_file(key_list, Application::directory_size, lists, content.keys);
        !status) {
      return status;
    }
    append(odf, odf_line(Kind::private_keys));
  }
  if (auto status = application_.ensure_file(file::token_info.back(), token_info_size, shared,
                                             content.token_info);
      !status) {
    return status;
  }
  // ODF last: the application is there once its list of directories is.
  return application_.ensure_file(file::odf.back(), Application::odf_size,
                                  rights::of_file(Who::anybody, Who::anybody, Who::officer), odf);
}

/// Adds the application to EF.DIR, which is created if there is none. Where it exists it is the
/// officer's: then programs that need it do not find the application; kilt looks for DF 5000
/// itself.
Status KaztokenCard::enter_in_list(const std::string& label) {
  if (auto status = files_.enter({}); !status) return status;
  auto made =
      files_.create(transparent_file(file::application_list[0], master_list_size,
                                     rights::of_file(Who::anybody, Who::user, Who::officer)),
                    "create the list of applications");
  if (!made && !already_there(made)) return made;
  const auto listed = files_.read_entries(file::application_list);
  if (!listed) {
    const bool answered = listed.error().sw != 0 || listed.error().kind == ErrorKind::protocol;
    return answered ? Status{} : listed.error();
  }
  const Bytes own = path_bytes(file::application);
  const auto& content = listed->content;
  if (std::search(content.begin(), content.end(), own.begin(), own.end()) != content.end())
    return {};
  const Bytes entry = application_template(label);
  if (content.size() + entry.size() > listed->size) return {};
  auto written = files_.update(content.size(), entry);
  if (!written && written.error().sw != 0) return {};
  return written;
}

/// A token as sold has PINs and perhaps keys, but no DF 5000. It is created under the right that
/// the MF gives to the user. Unlike OpenSC's, its list of PINs belongs to the user, because no
/// officer is there to write it. Keys that are in the chip already are entered under the names they
/// were listed by, so that they stay in sight.
Status KaztokenCard::adopt() {
  auto present = private_keys();
  if (!present) return present.take_error();
  const std::string label = kaztoken::model().name;
  if (auto status = enter_in_list(label); !status) return status;
  files_.forget();
  const auto number = serial();
  if (!number) return number.error();
  ApplicationContent content{Who::user, officer_pin_entry(), {}, {}};
  append(content.pins, user_pin_entry());
  for (const auto& key : *present)
    append(content.keys, pkcs15::encode(key.entry));
  content.token_info =
      pkcs15::encode(pkcs15::TokenInformation{*serial_, manufacturer, label, now()});
  if (auto status = create_application(); !status) return status;
  return fill_application(content);
}

Status KaztokenCard::create_master_file() {
  // System directories that old firmware refuses are passed over, as OpenSC does [facts kaztoken
  // §4.8].
  static constexpr FilePath directories[] = {
      {0x1000},
      {0x1000, 0x1000},
      {0x1000, 0x1000, 0x6001},
      {0x1000, 0x1000, 0x6002},
      {0x1000, 0x1000, 0x6003},
      {0x1000, 0x1000, 0x6004},
      {0x1000, 0x1000, 0x6005},
      {0x1000, 0x1001},
      {0x1000, 0x1002},
      {0x1000, 0x1003},
      {0x1000, 0x1004},
      {0x1000, 0x1001, 0x8001},
      {0x1000, 0x1001, 0x8002},
  };
  auto made =
      files_.create(directory_file(master_file_id, 0, rights::master_file()), "create the MF");
  if (!made && !already_there(made)) return made;
  files_.forget();
  if (auto status = files_.enter({}); !status) return status;
  made = files_.create(transparent_file(file::application_list[0], master_list_size,
                                        rights::of_file(Who::anybody, Who::officer, Who::officer)),
                       "create the list of applications");
  if (!made && !already_there(made)) return made;
  const Bytes rights = rights::of_file(Who::user, Who::user, Who::nobody);
  for (const auto& path : directories) {
    files_.forget();
    if (auto status = files_.enter(path.parent()); !status) {
      if (status.error().kind == ErrorKind::not_found) continue;
      return status;
    }
    made = files_.create(directory_file(path.back(), 0, rights), "create a system directory");
    if (!made && (made.error().sw == 0 || made.error().kind == ErrorKind::no_space)) return made;
  }
  files_.forget();
  return {};
}

/// The phase in which rules are not in force stays open until the user's PIN is set, as with
/// OpenSC: in which DF the card would let an officer create that PIN later is not known.
Status KaztokenCard::initialise(const std::string& label, const SecretBytes& so_pin) {
  if (label.size() > longest_label) {
    return Error{ErrorKind::bad_argument, "a token's label may have 32 bytes of UTF-8 at most"};
  }
  if (auto status = Pins::check_length(Role::security_officer, so_pin.size(), true); !status) {
    return status;
  }
  begin();
  const auto number = serial();
  if (!number) return number.error();
  // The chip would erase itself for anybody, so it is on us to ask for the officer's PIN. A card
  // with no officer's PIN was never set up, or lost its power while it was.
  auto officer = pins_.status(Role::security_officer);
  if (!officer) return officer.take_error();
  if (officer->initialized) {
    auto allowed = pins_.login(Role::security_officer, so_pin);
    if (!allowed && allowed.error().kind != ErrorKind::pin_not_set) return allowed;
  }
  forget_objects();
  changed_ = false;
  if (auto status = check(link_->send(command::begin_format()), "erasing the card"); !status) {
    return status;
  }
  forget_state();
  auto status = set_up(label, so_pin);
  forget_state();
  forget_objects();
  if (status) return {};
  return status.take_error().within("the card was erased, but setting it up failed; do it again");
}

Status KaztokenCard::set_up(const std::string& label, const SecretBytes& so_pin) {
  if (auto status = create_master_file(); !status) return status;
  if (auto status = create_application(); !status) return status;
  if (auto status = files_.enter(file::application); !status) return status;
  const Bytes pin_file =
      internal_file(pin::officer, so_pin.size(),
                    properties::pin(pin::officer_min, pin::officer_tries), rights::officer_pin());
  if (auto status = files_.create(pin_file, "create the security officer's PIN"); !status)
    return status;
  files_.forget();
  if (auto status = pins_.load(Role::security_officer, so_pin); !status) return status;
  // No lastUpdate yet: set_user_pin() writes it when it has ended the phase.
  const Bytes token_info =
      pkcs15::encode(pkcs15::TokenInformation{*serial_, manufacturer, label, {}});
  if (auto status = fill_application({Who::officer, officer_pin_entry(), {}, token_info}); !status)
    return status;
  if (auto status = application_.ensure_file(
          file::profile.back(), profile_size,
          rights::of_file(Who::anybody, Who::officer, Who::anybody), profile_name());
      !status)
    return status;
  return application_.write_value(file::application_list, application_template(label));
}

// ---- PINs ------------------------------------------------------------------------------------

Status KaztokenCard::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  if (auto status = Pins::check_length(role, new_pin.size(), true); !status) return status;
  if (auto status = login(role, old_pin); !status) return status;
  return pins_.load(role, new_pin);
}

Status KaztokenCard::create_user_pin(const SecretBytes& new_pin) {
  // Whoever may create keys in the application may create PINs there; the card sorts them by kind.
  if (auto status = files_.enter(file::application); !status) return status;
  auto made = files_.create(
      internal_file(pin::user, new_pin.size(), properties::pin(pin::new_user_min, pin::user_tries),
                    rights::user_pin()),
      "create the user PIN");
  files_.forget();
  if (!made && !already_there(made)) return made;
  return pins_.load(Role::user, new_pin);
}

Status KaztokenCard::set_user_pin(const SecretBytes& new_pin) {
  if (auto status = Pins::check_length(Role::user, new_pin.size(), true); !status) return status;
  if (pins_.role() != Role::security_officer) {
    return Error{ErrorKind::not_logged_in,
                 "setting the user PIN needs the security officer's login"};
  }
  begin();
  application_.forget();
  auto user = pins_.status(Role::user);
  if (!user) return user.take_error();
  if (user->initialized) {
    if (auto status = pins_.reset_user_counter(); !status) return status;
    if (auto status = pins_.load(Role::user, new_pin); !status) {
      return status.take_error().within("the user PIN was unblocked, but not changed");
    }
  } else {
    // Only an initialisation makes cards without a user PIN, and it makes ODF last.
    auto exists = application_.exists();
    if (!exists) return exists.take_error();
    if (!*exists) return cut_off();
    if (auto status = create_user_pin(new_pin); !status) return status;
  }
  if (auto status = list_user_pin(); !status) return status;
  return end_format();
}

Status KaztokenCard::list_user_pin() {
  auto exists = application_.exists();
  if (!exists) return exists.take_error();
  if (!*exists) return {};  // no application yet: it will list the PIN when it is made
  auto listed = application_.entries(Kind::authentication);
  if (!listed) return listed.take_error();
  for (const auto& raw : *listed) {
    const auto entry = pkcs15::parse_pin(raw);
    if (entry && entry->reference == pin::user) return {};
  }
  return application_.add(Kind::authentication, user_pin_entry());
}

/// Ends the phase of initialisation if TokenInfo says that it lasts: it has no lastUpdate then.
/// Whether that ends the officer's login as well is not known, so the card is asked.
Status KaztokenCard::end_format() {
  const auto content = files_.read_file(file::token_info);
  if (!content) return content.error().kind == ErrorKind::not_found ? Status{} : content.error();
  auto info = pkcs15::parse_token_info(*content);
  if (!info || !info->last_update.empty()) return {};
  auto exists = application_.exists();
  if (!exists) return exists.take_error();
  if (!*exists) return cut_off();  // with a user PIN all the same: another program's
  const auto ended = link_->send(command::end_format());
  if (!ended) return ended.error().within("ending the initialisation");
  if (!ended->ok() && ended->status != apdu::sw::conditions_not_satisfied) {
    return status_error(ended->status, "ending the initialisation");
  }
  files_.forget();
  info->last_update = now();
  bodies_.erase(file::token_info);
  if (auto status = application_.write_value(file::token_info, pkcs15::encode(*info)); !status)
    return status;
  const auto still = pins_.status(Role::security_officer);
  return still ? Status{} : still.error();
}

// ---- lastUpdate ------------------------------------------------------------------------------

/// OpenSC's file cache is keyed by TokenInfo's lastUpdate, so it is renewed after changes: once for
/// all of them, before the logout. A failure costs nobody anything but a stale cache.
void KaztokenCard::write_last_update() {
  if (!changed_) return;
  changed_ = false;
  begin();
  auto content = files_.read_file(file::token_info);
  if (!content) return;
  const auto info = pkcs15::parse_token_info(*content);
  if (!info || info->last_update.size() != now().size()) return;
  const Bytes old = copy_of(as_bytes(info->last_update));
  const auto at = std::search(content->begin(), content->end(), old.begin(), old.end());
  if (at == content->end()) return;
  const std::string time = now();
  (void)files_.update(static_cast<std::size_t>(at - content->begin()), as_bytes(time));
  bodies_.erase(file::token_info);
}

}  // namespace kilt::card::kaztoken
