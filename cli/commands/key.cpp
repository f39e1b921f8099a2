// SPDX-License-Identifier: Apache-2.0
// kilt key generate, list, delete.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/deletion.hpp"
#include "cli/objects.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

struct Options {
  std::string label, id, key;
  std::size_t bits = 2048;
  std::vector<std::string> usage;
  bool yes = false;
  PinOptions pin;
};

Result<card::GenerateRequest> request_from(const Options& options, const card::CardModel& model) {
  card::GenerateRequest request{.bits = options.bits,
                                .id = {},
                                .private_label = options.label,
                                .public_label = options.label,
                                .usage = {}};
  for (const std::string& name : options.usage) {
    if (!add_usage(request.usage, name)) {
      return Error{ErrorKind::bad_argument, fmt::format("\"{}\" is no usage of a key", name)};
    }
  }
  if (!options.id.empty()) {
    auto id = from_hex(options.id);
    if (!id || id->empty()) return Error{ErrorKind::bad_argument, "--id is not hexadecimal"};
    request.id = *std::move(id);
  }
  for (const card::Capability& can : model.capabilities) {
    if (can.type != card::KeyType::rsa || !can.generate || !can.has_size(options.bits)) continue;
    if (can.decrypt.empty() && !request.usage.sign && !request.usage.non_repudiation) {
      return Error{ErrorKind::unsupported, "the token's keys sign and do nothing else"};
    }
    return request;
  }
  return Error{ErrorKind::unsupported,
               fmt::format("the token does not generate RSA keys of {} bits", options.bits)};
}

using Keys = std::optional<std::vector<card::KeyInfo>>;

/// The private keys that are on the card now; nothing where they cannot be listed.
Keys keys_on(card::Card& card) {
  card.forget_objects();
  auto found = card.list_classes({true, true, false, false});
  if (!found) return std::nullopt;
  return std::move(found->keys);
}

/// A generation may fail when the pair is made already, and whoever then repeats it fills the
/// token. What the token held before and after tells; `headline` says it.
Report failed(Error error, const Keys& before, const Keys& after, std::string& headline) {
  if (!before || !after) {
    headline = "The key pair may have been generated.";
    return perhaps_done(std::move(error), true, "The key pair may be on the token all the same");
  }
  const auto is_new = [&](const card::KeyInfo& key) {
    return std::none_of(before->begin(), before->end(), [&](const card::KeyInfo& old) {
      return old.ref == key.ref && old.id == key.id;
    });
  };
  const auto made = std::find_if(after->begin(), after->end(), is_new);
  if (made == after->end()) return error;
  headline = "The key pair was generated, but the work was not finished.";
  Report report(std::move(error));
  report.hint = fmt::format(
      "`kilt key list` shows the pair as \"{}\", id {}; use it, or delete it before you repeat the "
      "command.",
      printable(made->label), to_hex(made->id));
  return report;
}

/// `headline`: what is said first when it fails.
Report generate(Context& context, const Options& options, std::string& headline) {
  if (auto fits = check_label(options.label, longest_object_label); !fits) return fits.take_error();
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto request = request_from(options, session.model());
  if (!request) return request.take_error();
  if (auto may = session.allows(card::Work::generate); !may) return may.take_error();
  session.note_change();
  auto pin = ask_pin(context, session, card::Role::user, *source);
  if (!pin) return pin.take_error();
  bool begun = false;
  Keys before, after;
  auto pair =
      session.logged_in(card::Role::user, *pin, context.spend_last_try, [&](card::Card& card) {
        before = keys_on(card);
        begun = true;
        const Progress progress(
            context.console,
            "The card computes a key pair; 15 to 90 s is normal; do not remove it.");
        auto made = card.generate(*request);
        if (!made) after = keys_on(card);
        return made;
      });
  if (!pair && !begun) return pair.take_error();
  if (!pair) return failed(pair.take_error(), before, after, headline);
  if (pair->private_key.label != options.label) {
    context.console.warn(fmt::format("The card keeps no labels; the key is \"{}\".",
                                     printable(pair->private_key.label)));
  }
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  Report report(
      token_json(session),
      fmt::format("A key pair was generated on {}.\n  {}\n  {}\n", session.name(),
                  key_line(pair->private_key),
                  object_uri(session, "private", pair->private_key.id, pair->private_key.label)));
  report.data["key"] = key_json(session, pair->private_key);
  report.data["key"]["public_key"] = to_hex(card::subject_public_key_info(pair->public_key));
  return report;
}

Report list(Context& context) {
  auto session = select_token(context);
  if (!session) return session.take_error();
  auto objects = (*session)->with_card([](card::Card& card) { return card.list(); });
  if (!objects) return objects.take_error();
  Report report(token_json(**session), "");
  report.data["keys"] = Json::array();
  for (const card::KeyInfo& key : objects->keys) {
    Json json = key_json(**session, key);
    json["certificates"] = Json::array();
    for (const auto& certificate : objects->certificates) {
      if (certificate.id == key.id) json["certificates"].push_back(certificate.label);
    }
    report.text += fmt::format("{}\n  {}\n", key_line(key), json["uri"].get<std::string>());
    report.data["keys"].push_back(std::move(json));
  }
  if (objects->keys.empty()) report.text = "The token holds no keys.\n";
  if (!(*session)->token().initialized) report.text += blank_line;
  return report;
}

/// The private key and its public half; certificates stay, for they are public and may be wanted.
Status delete_pair(card::Card& card, const card::KeyInfo& key) {
  if (auto done = card.delete_object(key.ref); !done) return done;
  auto left = card.list();
  if (!left) return left.take_error();
  for (const auto& other : left->keys) {
    if (other.id == key.id) return {};
  }
  for (const auto& half : left->public_keys) {
    if (half.id != key.id || key.id.empty()) continue;
    if (auto done = card.delete_object(half.ref); !done) return done;
  }
  return {};
}

Report remove(Context& context, const Options& options) {
  take_token_from(context, options.key);
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto objects = session.with_card([](card::Card& card) { return card.list(); });
  if (!objects) return objects.take_error();
  auto key = find_key(*objects, options.key);
  if (!key) return key.take_error();
  const Deletion deletion{
      .loss = fmt::format("This key of {} will be lost for good, and what was encrypted for it "
                          "cannot be read again:\n  {}",
                          session.name(), key_line(*key)),
      .object = key->ref,
      .id = key->id,
      .confirmed = options.yes,
      .work = [&](card::Card& card) { return delete_pair(card, *key); }};
  if (Report failed = carry_out(context, session, deletion, *source); failed.error) return failed;
  Report report(token_json(session), fmt::format("The key {} was deleted from {}.\n",
                                                 printable(key->label), session.name()));
  report.data["key"] = key_json(session, *key);
  return report;
}

}  // namespace

void add_key(CLI::App& app, Choice& choice) {
  auto* key = app.add_subcommand("key", "Generate, list and delete keys");
  key->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* make = key->add_subcommand("generate", "Generate an RSA key pair on the token");
  make->add_option("--label", options->label, "Label of the pair, as AUTH or SIGN")->required();
  make->add_option("--bits", options->bits, "Size of the modulus in bits")->capture_default_str();
  make->add_option("--id", options->id, "CKA_ID in hex; by default SHA-1 of the public key");
  options->usage = {"sign", "decrypt"};
  make->add_option("--usage", options->usage,
                   "What the key may be used for: sign, decrypt, unwrap, non-repudiation")
      ->delimiter(',')
      ->capture_default_str();
  add_pin_options(*make, options->pin, "pin", "the user PIN");
  make->callback([&choice, options] {
    choice = {"key generate", "The key pair was not generated.",
              [options, &choice](Context& context) {
                return generate(context, *options, choice.failed);
              }};
  });

  auto* show = key->add_subcommand("list", "List private keys and their certificates");
  show->callback([&choice] { choice = {"key list", "The keys could not be listed.", list}; });

  auto* erase = key->add_subcommand("delete", "Delete a key pair for good");
  erase->add_option("key", options->key, "Label, CKA_ID in hex, or PKCS#11 URI")->required();
  erase->add_flag("--yes", options->yes, "Do not ask; needs --token with the exact serial");
  add_pin_options(*erase, options->pin, "pin", "the user PIN");
  erase->callback([&choice, options] {
    choice = {"key delete", "The key was not deleted.",
              [options](Context& context) { return remove(context, *options); }};
  });
}

}  // namespace kilt::cli
