// SPDX-License-Identifier: Apache-2.0
// kilt cert install, export, delete.
#include <fmt/format.h>

#include <ctime>
#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/files.hpp"
#include "cli/objects.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

/// A certificate with a long list of policies is a few KiB; a whole token holds 64.
constexpr std::size_t largest_certificate = 64 * 1024;

struct Options {
  std::string file, certificate, label, id, output;
  bool without_key = false, der = false, yes = false;
  PinOptions pin;
};

Result<card::Certificate> certificate_from(const std::string& path) {
  auto content = read_file(path, largest_certificate);
  if (!content) return content.take_error();
  auto der = from_pem_or_der(*content, "CERTIFICATE");
  if (!der) return der.take_error();
  auto certificate = card::Certificate::parse(*der);
  if (!certificate) return certificate.error().within(path + " is not a certificate");
  return certificate;
}

/// An authority's certificate fits no key either: it too must be asked for.
Result<card::CertificateRequest> request_from(const Options& options, bool authority) {
  card::CertificateRequest request{.id = {},
                                   .label = options.label,
                                   .authority = authority && options.without_key,
                                   .allow_without_key = options.without_key};
  if (options.id.empty()) return request;
  auto id = from_hex(options.id);
  if (!id || id->empty()) return Error{ErrorKind::bad_argument, "--id is not hexadecimal"};
  request.id = *std::move(id);
  return request;
}

void warn_of_dates(Context& context, const card::Certificate& certificate) {
  const auto begin = from_iso_time(certificate.not_before);
  const auto end = from_iso_time(certificate.not_after);
  const std::time_t now = std::time(nullptr);
  if (!begin || !end || (now >= *begin && now <= *end)) return;
  context.console.warn(fmt::format("The certificate {}.", validity(now, *begin, *end)));
}

Report install(Context& context, const Options& options) {
  // Garbage is refused before anybody is asked for a PIN.
  auto certificate = certificate_from(options.file);
  if (!certificate) return certificate.take_error();
  auto request = request_from(options, certificate->authority);
  if (!request) return request.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  warn_of_dates(context, *certificate);
  auto pin = ask_pin(context, session, card::Role::user, options.pin);
  if (!pin) return pin.take_error();
  auto info = session.logged_in(
      card::Role::user, *pin, context.spend_last_try,
      [&](card::Card& card) { return card.install_certificate(*request, certificate->der); });
  if (!info) return info.take_error();
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  Report report(
      token_json(session),
      fmt::format("The certificate was installed on {}.\n  {}\n  {}\n", session.name(),
                  certificate_line(*info), object_uri(session, "cert", info->id, info->label)));
  report.data["certificate"] = certificate_json(session, *info);
  add_certificate_body(report.data["certificate"], *certificate, std::time(nullptr));
  return report;
}

Report write_out(Context& context, const Options& options) {
  if (context.console.json && options.output == "-") {
    return Error{ErrorKind::bad_argument, "--json and -o - would both write to standard output"};
  }
  take_token_from(context, options.certificate);
  auto session = select_token(context);
  if (!session) return session.take_error();
  card::CertificateInfo info;
  auto der = (*session)->with_card([&](card::Card& card) -> Result<Bytes> {
    auto objects = card.list();
    if (!objects) return objects.take_error();
    auto found = find_certificate(*objects, options.certificate);
    if (!found) return found.take_error();
    info = *found;
    return card.read_certificate(info.ref);
  });
  if (!der) return der.take_error();
  const std::string pem = to_pem("CERTIFICATE", *der);
  auto written = write_file(options.output, options.der ? ByteView(*der) : as_bytes(pem));
  if (!written) return written.take_error();
  Report report(token_json(**session), "");
  report.data["certificate"] = certificate_json(**session, info);
  report.data["certificate"]["pem"] = pem;
  report.data["file"] = options.output;
  if (options.output != "-") {
    report.text = fmt::format("The certificate {} was written to {}.\n", printable(info.label),
                              options.output);
  }
  return report;
}

Report remove(Context& context, const Options& options) {
  take_token_from(context, options.certificate);
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto objects = session.with_card([](card::Card& card) { return card.list(); });
  if (!objects) return objects.take_error();
  auto certificate = find_certificate(*objects, options.certificate);
  if (!certificate) return certificate.take_error();
  const std::string loss =
      fmt::format("This certificate will be deleted from {}; its key stays:\n  {}", session.name(),
                  certificate_line(*certificate));
  if (auto sure = confirm_loss(context, session, loss, options.yes); !sure) {
    return sure.take_error();
  }
  session.permit_destruction();
  auto pin = ask_pin(context, session, card::Role::user, options.pin);
  if (!pin) return pin.take_error();
  auto done = session.logged_in(
      card::Role::user, *pin, context.spend_last_try, [&](card::Card& card) -> Status {
        auto now = card.list();
        if (!now) return now.take_error();
        for (const auto& other : now->certificates) {
          if (other.ref == certificate->ref && other.id == certificate->id) {
            return card.delete_object(other.ref);
          }
        }
        return Error{ErrorKind::not_found, "the certificate is no longer on the token"};
      });
  if (!done) return done.take_error();
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  Report report(token_json(session), fmt::format("The certificate {} was deleted from {}.\n",
                                                 printable(certificate->label), session.name()));
  report.data["certificate"] = certificate_json(session, *certificate);
  return report;
}

void add_install(CLI::App& cert, Choice& choice, const std::shared_ptr<Options>& options) {
  auto* command = cert.add_subcommand("install", "Install a certificate beside its key");
  command->add_option("file", options->file, "Certificate in PEM or DER; - is standard input")
      ->required();
  command->add_option("--label", options->label, "Label; by default that of the key");
  command->add_option("--id", options->id, "CKA_ID in hex; by default that of the key");
  command->add_flag("--without-key", options->without_key,
                    "Install it even if it fits no key on the token");
  add_pin_options(*command, options->pin, "pin", "the user PIN");
  command->callback([&choice, options] {
    choice = {"cert install", "The certificate was not installed.",
              [options](Context& context) { return install(context, *options); }};
  });
}

void add_export(CLI::App& cert, Choice& choice, const std::shared_ptr<Options>& options) {
  auto* command = cert.add_subcommand("export", "Write a certificate to a file");
  command->add_option("certificate", options->certificate,
                      "Label, CKA_ID in hex, or PKCS#11 URI; not needed if there is only one");
  command->add_option("-o,--output", options->output, "File; - is standard output")->required();
  command->add_flag("--der", options->der, "Write DER instead of PEM");
  command->callback([&choice, options] {
    choice = {"cert export", "The certificate was not written.",
              [options](Context& context) { return write_out(context, *options); }};
  });
}

void add_delete(CLI::App& cert, Choice& choice, const std::shared_ptr<Options>& options) {
  auto* command = cert.add_subcommand("delete", "Delete a certificate");
  command->add_option("certificate", options->certificate, "Label, CKA_ID in hex, or PKCS#11 URI")
      ->required();
  command->add_flag("--yes", options->yes, "Do not ask; needs --token with the exact serial");
  add_pin_options(*command, options->pin, "pin", "the user PIN");
  command->callback([&choice, options] {
    choice = {"cert delete", "The certificate was not deleted.",
              [options](Context& context) { return remove(context, *options); }};
  });
}

}  // namespace

void add_cert(CLI::App& app, Choice& choice) {
  auto* cert = app.add_subcommand("cert", "Install, export and delete certificates");
  cert->require_subcommand(1);
  auto options = std::make_shared<Options>();
  add_install(*cert, choice, options);
  add_export(*cert, choice, options);
  add_delete(*cert, choice, options);
}

}  // namespace kilt::cli
