// SPDX-License-Identifier: Apache-2.0
// kilt cert install, export, delete.
#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <optional>

#include "cli/commands/commands.hpp"
#include "cli/deletion.hpp"
#include "cli/files.hpp"
#include "cli/objects.hpp"
#include "cli/text.hpp"
#include "drivers/pairing.hpp"
#include "drivers/side_files.hpp"

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
  if (certificate) return certificate;
  Error error = certificate.take_error();
  error.what = path + ": " + error.what;
  return error;
}

/// An authority's certificate fits no key either: it too must be asked for.
Result<card::CertificateRequest> request_from(const Options& options, bool authority) {
  card::CertificateRequest request{.id = {},
                                   .label = options.label,
                                   .authority = authority && options.without_key,
                                   .allow_without_key = options.without_key};
  if (auto fits = check_label(options.label, longest_object_label); !fits) return fits.take_error();
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

struct Installed {
  card::CertificateInfo info;
  bool already = false;   ///< it was there, so nothing was written
  bool replaced = false;  ///< the file beside the card held another one of the same key
};

/// Where on the card the very certificate is that was to be installed.
Result<card::CertificateInfo> find_same(card::Card& card, const card::CertificateRequest& request,
                                        ByteView der) {
  auto objects = card.list();
  if (!objects) return objects.take_error();
  for (const auto& info : objects->certificates) {
    if (!request.id.empty() && info.id != request.id) continue;
    if (!request.label.empty() && info.label != request.label) continue;
    auto value = card.read_certificate(info.ref);
    if (!value) return value.take_error();
    if (equal(*value, der)) return info;
  }
  return Error{ErrorKind::not_found, "the certificate is not on the token"};
}

Result<Installed> put_on(card::Card& card, const card::CertificateRequest& request,
                         const card::Certificate& certificate) {
  if (auto fits = card::check_pairing(card, request.id, certificate); !fits) {
    return fits.take_error();
  }
  const ByteView der = certificate.der;
  // Looked at beforehand, for a card without room for certificates has its file replaced.
  std::optional<Bytes> before;
  if (certificate.key) before = card::SideFiles::of_this_user().read(*certificate.key);
  auto made = card.install_certificate(request, der);
  if (made) {
    const bool replaced = !made->kept_in.empty() && before && !equal(*before, der);
    return Installed{*std::move(made), false, replaced};
  }
  if (made.error().kind != ErrorKind::exists) return made.take_error();
  auto same = find_same(card, request, der);
  if (!same) return made.take_error();
  return Installed{*std::move(same), true, false};
}

/// What is kept beside a card needs no PIN, so none is asked for before the card wants one: each
/// one that is typed may cost a try. not_logged_in: nothing was done, and the card wants it.
Result<Installed> put_without_pin(Session& session, const card::CertificateRequest& request,
                                  const card::Certificate& certificate) {
  if (!session.token().initialized) return Error{ErrorKind::not_logged_in, "the token is blank"};
  return session.with_card([&](card::Card& card) {
    auto result = put_on(card, request, certificate);
    // Other programs notice by the reset, as they do after a login.
    if (result && !result->already) card.link().transport().set_leave(apdu::Leave::reset);
    return result;
  });
}

std::string outcome(const Session& session, const Installed& result) {
  if (result.info.kept_in.empty()) {
    return result.already ? fmt::format("The certificate is on {} already; nothing was written.",
                                        session.name())
                          : fmt::format("The certificate was installed on {}.", session.name());
  }
  if (result.already) {
    return "The certificate is kept on this computer already; nothing was written.";
  }
  std::string text = fmt::format(
      "The certificate was kept on this computer; {} has no place for it: another computer will "
      "not find it.",
      session.name());
  if (result.replaced) text += "\nIt took the place of the certificate kept there before.";
  return text;
}

Report installed(const Session& session, const Installed& result,
                 const card::Certificate& certificate) {
  const card::CertificateInfo& info = result.info;
  Report report(token_json(session),
                fmt::format("{}\n  {}\n  {}\n", outcome(session, result), certificate_line(info),
                            object_uri(session, "cert", info.id, info.label)));
  report.data["already_installed"] = result.already;
  report.data["replaced"] = result.replaced;
  report.data["certificate"] = certificate_json(session, info);
  add_certificate_body(report.data["certificate"], certificate, std::time(nullptr));
  return report;
}

Report install(Context& context, const Options& options) {
  // Garbage is refused before anybody is asked for a PIN.
  auto certificate = certificate_from(options.file);
  if (!certificate) return certificate.take_error();
  auto request = request_from(options, certificate->authority);
  if (!request) return request.take_error();
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  warn_of_dates(context, *certificate);
  if (auto may = session.allows(card::Work::install); !may) return may.take_error();
  session.note_change();
  auto open = put_without_pin(session, *request, *certificate);
  if (open) return installed(session, *open, *certificate);
  if (open.error().kind != ErrorKind::not_logged_in) return open.take_error();
  auto pin = ask_pin(context, session, card::Role::user, *source);
  if (!pin) return pin.take_error();
  bool begun = false;
  auto result =
      session.logged_in(card::Role::user, *pin, context.spend_last_try, [&](card::Card& card) {
        begun = true;
        return put_on(card, *request, *certificate);
      });
  if (!result) {
    return perhaps_done(result.take_error(), begun,
                        "The certificate may be on the token all the same");
  }
  warn_of_factory_pin(context, session, card::Role::user, *pin);
  return installed(session, *result, *certificate);
}

Report write_out(Context& context, const Options& options) {
  if (context.console.json && options.output == "-") {
    return Error{ErrorKind::bad_argument, "--json and -o - would both write to standard output"};
  }
  take_token_from(context, options.certificate);
  auto output = OutputFile::open(options.output);
  if (!output) return output.take_error();
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
  auto written = output->commit(options.der ? ByteView(*der) : as_bytes(pem));
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
  auto source = open_user_pin(context, options.pin);
  if (!source) return source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  auto objects = session.with_card([](card::Card& card) { return card.list(); });
  if (!objects) return objects.take_error();
  auto certificate = find_certificate(*objects, options.certificate);
  if (!certificate) return certificate.take_error();
  const std::string place =
      certificate->kept_in.empty() ? session.name() : std::string("this computer");
  const Deletion deletion{
      .loss = fmt::format("This certificate will be deleted from {}; its key stays:\n  {}", place,
                          certificate_line(*certificate)),
      .object = certificate->ref,
      .id = certificate->id,
      .confirmed = options.yes,
      .work = [&](card::Card& card) { return card.delete_object(certificate->ref); }};
  if (Report failed = carry_out(context, session, deletion, *source); failed.error) return failed;
  Report report(token_json(session), fmt::format("The certificate {} was deleted from {}.\n",
                                                 printable(certificate->label), place));
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
