// SPDX-License-Identifier: Apache-2.0
#include "cli/deletion.hpp"

#include <algorithm>

namespace kilt::cli {

bool is_there(const card::Directory& directory, const card::ObjectRef& object, const Bytes& id) {
  const auto in = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(),
                       [&](const auto& info) { return info.ref == object && info.id == id; });
  };
  return in(directory.keys) || in(directory.certificates);
}

namespace {

/// A certificate that is kept on this computer asks neither for a PIN nor for leave.
bool is_beside(Session& session, const card::ObjectRef& object) {
  if (object.object_class != card::ObjectClass::certificate) return false;
  const auto found = session.with_card([](card::Card& card) {
    return card.list_classes({false, false, true, false});
  });
  return found && std::any_of(found->certificates.begin(), found->certificates.end(),
                              [&](const card::CertificateInfo& info) {
                                return info.ref == object && !info.kept_in.empty();
                              });
}

}  // namespace

Report carry_out(Context& context, Session& session, const Deletion& deletion, PinSource& source) {
  auto sure = confirm_loss(context, session, deletion.loss, deletion.confirmed);
  if (!sure) return sure.take_error();
  session.permit_destruction();
  session.note_change();
  bool begun = false;
  const auto remove = [&](card::Card& card) -> Status {
    auto now = card.list();
    if (!now) return now.take_error();
    if (!is_there(*now, deletion.object, deletion.id)) {
      return Error{ErrorKind::not_found, "it is no longer on the token"};
    }
    begun = true;
    return deletion.work(card);
  };
  if (is_beside(session, deletion.object)) {
    auto done = session.with_card([&](card::Card& card) {
      auto removed = remove(card);
      // Other programs notice by the reset, as they do after a login.
      if (removed) card.link().transport().set_leave(apdu::Leave::reset);
      return removed;
    });
    if (!done) return done.take_error();
    return {};
  }
  // Beforehand, so that nobody types a PIN for what the guard refuses.
  if (auto allowed = session.allows(card::Work::remove); !allowed) return allowed.take_error();
  auto pin = ask_pin(context, session, card::Role::user, source);
  if (!pin) return pin.take_error();
  auto done = session.logged_in(card::Role::user, *pin, context.spend_last_try, remove);
  if (!done) return perhaps_done(done.take_error(), begun, "It may be deleted all the same");
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  return {};
}

}  // namespace kilt::cli
