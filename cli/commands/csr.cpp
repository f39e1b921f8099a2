// SPDX-License-Identifier: Apache-2.0
// kilt csr: a certification request for a key on the token, signed by that key.
#include "cli/csr.hpp"

#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/files.hpp"
#include "cli/objects.hpp"
#include "cli/signing.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

struct Options {
  CsrSubject subject;
  std::string key, output;
  bool der = false;
  PinOptions pin;
};

struct Target {
  card::KeyInfo key;
  Bytes info;  ///< CertificationRequestInfo
};

/// Everything that can be wrong with the request is found before anybody types a PIN.
Result<Target> prepare(Session& session, const Options& options) {
  return session.with_card([&](card::Card& card) -> Result<Target> {
    auto objects = card.list();
    if (!objects) return objects.take_error();
    auto key = find_key(*objects, options.key);
    if (!key) return key.take_error();
    if (auto can = check_mechanism(card.model(), *key, mechanisms().front()); !can) {
      return can.take_error();
    }
    auto public_key = card.read_public_key(key->ref);
    if (!public_key) return public_key.take_error();
    auto info = certification_request_info(options.subject, *public_key);
    if (!info) return info.take_error();
    key->value = *std::move(public_key);  // the signature has to fit what stands in the request
    return Target{*std::move(key), *std::move(info)};
  });
}

Report run(Context& context, const Options& options) {
  if (context.console.json && options.output == "-") {
    return Error{ErrorKind::bad_argument, "--json and -o - would both write to standard output"};
  }
  take_token_from(context, options.key);
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto output = OutputFile::open(options.output);
  if (!output) return output.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto target = prepare(session, options);
  if (!target) return target.take_error();
  for (const std::string& sentence : subject_warnings(options.subject.name)) {
    context.console.warn(sentence);
  }
  const Mechanism& mechanism = mechanisms().front();  // sha256WithRSAEncryption
  auto digest = digest_of(target->info, mechanism.digest);
  if (!digest) return digest.take_error();
  auto pin = ask_pin(context, session, card::Role::user, *source);
  if (!pin) return pin.take_error();
  auto signature = session.logged_in(
      card::Role::user, *pin, context.spend_last_try,
      [&](card::Card& card) { return sign_and_verify(card, target->key, mechanism, *digest); });
  if (!signature) return signing_failed(signature.take_error());
  warn_of_factory_pin(context, session, card::Role::user, *pin);

  const Bytes request = rsa_certification_request(target->info, *signature);
  const std::string pem = to_pem("CERTIFICATE REQUEST", request);
  auto written = output->commit(options.der ? ByteView(request) : as_bytes(pem));
  if (!written) return written.take_error();
  Report report(token_json(session), "");
  report.data["key"] = key_json(session, target->key);
  report.data["pem"] = pem;
  report.data["file"] = options.output;
  if (options.output != "-") {
    report.text = fmt::format("The request for {} was written to {}.\n",
                              printable(target->key.label), options.output);
  }
  return report;
}

}  // namespace

void add_csr(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("csr", "Make a certification request for a key");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--subject", options->subject.name,
                   "Name in its order, as \"CN=...,SERIALNUMBER=IIN...,C=KZ\"")
      ->required();
  command->add_option("-o,--output", options->output, "File; - is standard output")->required();
  command->add_option("--key", options->key,
                      "Label, CKA_ID in hex, or PKCS#11 URI; not needed if there is only one");
  command->add_option("--email", options->subject.email, "E-mail address of the owner");
  command->add_option("--dns", options->subject.dns_names, "DNS name of a server; may repeat");
  command->add_option("--key-store", options->subject.key_store,
                      "Dotted identifier of the key store, for the CA's extension");
  command->add_flag("--der", options->der, "Write DER instead of PEM");
  add_pin_options(*command, options->pin, "pin", "the user PIN");
  command->callback([&choice, options] {
    choice = {"csr", "The request was not made.",
              [options](Context& context) { return run(context, *options); }};
  });
}

}  // namespace kilt::cli
