// SPDX-License-Identifier: Apache-2.0
// kilt sign and verify: raw signatures over a file.
#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/files.hpp"
#include "cli/objects.hpp"
#include "cli/signing.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

/// RSA of 16384 bits, and what a PEM certificate takes.
constexpr std::size_t largest_signature = 2048;
constexpr std::size_t largest_certificate = 64 * 1024;

struct Options {
  std::string file, output, signature, key, certificate, certificate_file;
  std::string mechanism = "pkcs1-sha256";
  PinOptions pin;
};

Report sign(Context& context, const Options& options) {
  if (context.console.json && options.output == "-") {
    return Error{ErrorKind::bad_argument, "--json and -o - would both write to standard output"};
  }
  auto mechanism = find_mechanism(options.mechanism);
  if (!mechanism) return mechanism.take_error();
  take_token_from(context, options.key);
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto digest = digest_file(options.file, mechanism->digest);
  if (!digest) return digest.take_error();
  auto output = OutputFile::open(options.output);
  if (!output) return output.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto key = session.with_card([&](card::Card& card) -> Result<card::KeyInfo> {
    auto objects = card.list();
    if (!objects) return objects.take_error();
    auto found = find_key(*objects, options.key);
    if (!found) return found;
    if (auto can = check_mechanism(card.model(), *found, *mechanism); !can) return can.take_error();
    return found;
  });
  if (!key) return key.take_error();
  auto pin = ask_pin(context, session, card::Role::user, *source);
  if (!pin) return pin.take_error();
  auto signature = session.logged_in(
      card::Role::user, *pin, context.spend_last_try,
      [&](card::Card& card) { return sign_and_verify(card, *key, *mechanism, *digest); });
  if (!signature) return signing_failed(signature.take_error());
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  if (auto written = output->commit(*signature); !written) return written.take_error();
  Report report(token_json(session), "");
  report.data["key"] = key_json(session, *key);
  report.data["mechanism"] = mechanism->name;
  report.data["signature"] = to_hex(*signature);
  report.data["file"] = options.output;
  if (options.output != "-") {
    report.text = fmt::format("The signature ({}, {} bytes) was written to {}.\n", mechanism->name,
                              signature->size(), options.output);
  }
  return report;
}

/// The key that the signature is checked with, and where it is from.
struct Witness {
  card::PublicKey key;
  std::string from;
};

Result<Witness> witness_from(const Result<card::Certificate>& certificate, std::string from) {
  if (!certificate) return certificate.error();
  if (!certificate->key) {
    return Error{ErrorKind::unsupported, "the certificate holds a kind of key that is not known"};
  }
  return Witness{*certificate->key, std::move(from)};
}

Result<Witness> witness_from_file(const std::string& path) {
  auto content = read_file(path, largest_certificate);
  if (!content) return content.take_error();
  auto der = from_pem_or_der(*content, "CERTIFICATE");
  if (!der) return der.take_error();
  return witness_from(card::Certificate::parse(*der), fmt::format("the certificate in {}", path));
}

Result<Witness> witness_on_token(Context& context, const Options& options) {
  take_token_from(context, options.certificate.empty() ? options.key : options.certificate);
  auto session = select_token(context);
  if (!session) return session.take_error();
  return (*session)->with_card([&](card::Card& card) -> Result<Witness> {
    auto objects = card.list();
    if (!objects) return objects.take_error();
    if (!options.certificate.empty()) {
      auto info = find_certificate(*objects, options.certificate);
      if (!info) return info.take_error();
      auto der = card.read_certificate(info->ref);
      if (!der) return der.take_error();
      return witness_from(card::Certificate::parse(*der),
                          fmt::format("the certificate {}", printable(info->label)));
    }
    auto info = find_key(*objects, options.key);
    if (!info) return info.take_error();
    auto key = card.read_public_key(info->ref);
    if (!key) return key.take_error();
    return Witness{*std::move(key), fmt::format("the key {}", printable(info->label))};
  });
}

Report verify(Context& context, const Options& options) {
  auto mechanism = find_mechanism(options.mechanism);
  if (!mechanism) return mechanism.take_error();
  auto signature = read_file(options.signature, largest_signature);
  if (!signature) return signature.take_error();
  auto digest = digest_file(options.file, mechanism->digest);
  if (!digest) return digest.take_error();
  auto witness = options.certificate_file.empty() ? witness_on_token(context, options)
                                                  : witness_from_file(options.certificate_file);
  if (!witness) return witness.take_error();
  auto right = verify_digest(witness->key, *mechanism, *digest, *signature);
  if (!right) return right.take_error();
  Report report;
  report.data["mechanism"] = mechanism->name;
  report.data["verified_with"] = witness->from;
  report.data["valid"] = true;
  report.text =
      fmt::format("The signature is right ({}, by {}).\n", mechanism->name, witness->from);
  return report;
}

}  // namespace

void add_sign(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("sign", "Sign a file with a key on the token");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "File to sign; - is standard input")->required();
  command->add_option("-o,--output", options->output, "Raw signature; - is standard output")
      ->required();
  command->add_option("--key", options->key,
                      "Label, CKA_ID in hex, or PKCS#11 URI; not needed if there is only one");
  command->add_option("--mechanism", options->mechanism, "pkcs1-sha256, pss-sha256 (pss), ...")
      ->capture_default_str();
  add_pin_options(*command, options->pin, "pin", "the user PIN");
  command->callback([&choice, options] {
    choice = {"sign", "The file was not signed.",
              [options](Context& context) { return sign(context, *options); }};
  });
}

void add_verify(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("verify", "Verify a signature made by sign");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "File that was signed; - is standard input")
      ->required();
  command->add_option("--signature", options->signature, "File with the raw signature")->required();
  auto* key = command->add_option("--key", options->key, "Verify with this key on the token");
  auto* certificate = command->add_option("--certificate", options->certificate,
                                          "Verify with this certificate on the token");
  auto* file = command->add_option("--cert", options->certificate_file,
                                   "Verify with the certificate in this file; needs no token");
  key->excludes(certificate)->excludes(file);
  certificate->excludes(file);
  command->add_option("--mechanism", options->mechanism, "pkcs1-sha256, pss-sha256 (pss), ...")
      ->capture_default_str();
  command->callback([&choice, options] {
    choice = {"verify", "The signature was not verified.",
              [options](Context& context) { return verify(context, *options); }};
  });
}

}  // namespace kilt::cli
