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

/// Beforehand, so that nobody types a PIN for what the guard refuses. It does not matter for a
/// certificate that is kept beside the card.
Status is_allowed(Session& session, const card::ObjectRef& object) {
  return session.with_card([&](card::Card& card) -> Status {
    auto allowed = card.allows(card::Work::remove);
    if (allowed || object.object_class != card::ObjectClass::certificate) return allowed;
    const auto found = card.list_classes({false, false, true, false});
    const auto is_beside = [&](const card::CertificateInfo& info) {
      return info.ref == object && !info.kept_in.empty();
    };
    if (found && std::any_of(found->certificates.begin(), found->certificates.end(), is_beside))
      return {};
    return allowed;
  });
}

}  // namespace

Report carry_out(Context& context, Session& session, const Deletion& deletion, PinSource& source) {
  auto sure = confirm_loss(context, session, deletion.loss, deletion.confirmed);
  if (!sure) return sure.take_error();
  session.permit_destruction();
  session.note_change();
  if (auto allowed = is_allowed(session, deletion.object); !allowed) return allowed.take_error();
  auto pin = ask_pin(context, session, card::Role::user, source);
  if (!pin) return pin.take_error();
  bool begun = false;
  auto done = session.logged_in(
      card::Role::user, *pin, context.spend_last_try, [&](card::Card& card) -> Status {
        auto now = card.list();
        if (!now) return now.take_error();
        if (!is_there(*now, deletion.object, deletion.id)) {
          return Error{ErrorKind::not_found, "it is no longer on the token"};
        }
        begun = true;
        return deletion.work(card);
      });
  if (!done) return perhaps_done(done.take_error(), begun, "It may be deleted all the same");
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  return {};
}

}  // namespace kilt::cli
