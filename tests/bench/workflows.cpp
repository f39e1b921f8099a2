// SPDX-License-Identifier: Apache-2.0
// What a module spends on the card, step by step: the same calls for any module.
//
//   workflows MODULE PIN SIM WORKFLOW [CERTIFICATE.der]
//
// SIM is the kilt-sim program; it is asked for the card's counters before and after each step.
// WORKFLOW: sign (find the key by CKA_ID, log in, sign), everything (read every attribute of every
// object first), generate, certificate, load (time and memory of loading only).
// Prints one JSON object: step -> {"apdus": n, "to_card": bytes, "from_card": bytes, "ms": time}.
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/foreign/p11_client.hpp"

namespace {

using kilt::client::check;
using kilt::client::Module;
using nlohmann::json;

constexpr CK_BYTE first_id[] = {0x45};   // of the pair that the card is prepared with
constexpr CK_BYTE second_id[] = {0x46};  // of the pair that is added
constexpr CK_BYTE third_id[] = {0x47};   // of the certificate that is added

json counters(const std::string& sim) {
  const std::string command = sim + " stats";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe))
    text.append(buffer, n);
  ::pclose(pipe);
  return json::parse(text);
}

/// The first number of that name anywhere in the document.
long number(const json& document, const std::string& name) {
  if (document.is_object()) {
    if (document.contains(name) && document[name].is_number()) return document[name];
  }
  if (document.is_structured()) {
    for (const auto& inner : document) {
      if (const long found = number(inner, name); found >= 0) return found;
    }
  }
  return -1;
}

class Meter {
 public:
  explicit Meter(std::string sim) : sim_(std::move(sim)) {}
  void step(const char* name, const std::function<void()>& work) {
    const json before = counters(sim_);
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    const json after = counters(sim_);
    json& row = report_[name];
    for (const char* what : {"apdus", "to_card", "from_card"})
      row[what] = number(after, what) - number(before, what);
    row["ms"] = time.count();
  }
  [[nodiscard]] const json& report() const { return report_; }

 private:
  std::string sim_;
  json report_ = json::object();
};

/// The first slot whose token has the prepared card's keys or can be written.
struct Client {
  Module module;
  std::string pin;
  CK_SLOT_ID slot = 0;
  CK_SESSION_HANDLE session = 0;

  void start() {
    module.initialize();
    const auto slots = module.slots();
    if (slots.empty()) throw std::runtime_error("no token");
    slot = slots[0];
    session = module.open(slot);
  }
  void read_token_info() {
    CK_TOKEN_INFO info;
    check(module->C_GetTokenInfo(slot, &info), "C_GetTokenInfo");
  }
  void login() { module.login(session, pin); }
  [[nodiscard]] CK_OBJECT_HANDLE private_key(const CK_BYTE* id) {
    CK_OBJECT_CLASS what = CKO_PRIVATE_KEY;
    const auto found = module.find(
        session, {{CKA_CLASS, &what, sizeof what}, {CKA_ID, const_cast<CK_BYTE*>(id), 1}});
    if (found.empty()) throw std::runtime_error("the key is not there");
    return found[0];
  }
  void sign(CK_OBJECT_HANDLE key) {
    (void)module.sign(session, key, CKM_SHA256_RSA_PKCS, std::vector<CK_BYTE>(100, 'x'));
  }
  void read_everything() {
    for (auto object : module.find(session, {})) {
      for (CK_ATTRIBUTE_TYPE type :
           {CKA_CLASS, CKA_LABEL, CKA_ID, CKA_KEY_TYPE, CKA_MODULUS, CKA_MODULUS_BITS,
            CKA_PUBLIC_EXPONENT, CKA_VALUE, CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_SIGN,
            CKA_DECRYPT, CKA_CERTIFICATE_TYPE}) {
        (void)module.attribute(session, object, type);
      }
    }
  }
};

void sign(Client& client, Meter& meter, bool everything) {
  CK_OBJECT_HANDLE key = 0;
  meter.step("start", [&] { client.start(); });
  if (everything) {
    meter.step("read", [&] { client.read_everything(); });
    meter.step("login", [&] { client.login(); });
    meter.step("find", [&] { key = client.private_key(first_id); });
    meter.step("read again", [&] { client.read_everything(); });
  } else {
    meter.step("login", [&] { client.login(); });
    meter.step("find", [&] { key = client.private_key(first_id); });
  }
  meter.step("first signature", [&] { client.sign(key); });
  // kilt reads the public key once, before it first relies on what the card has set.
  meter.step("second signature", [&] { client.sign(key); });
  meter.step("later signature", [&] { client.sign(key); });
  meter.step("token info", [&] { client.read_token_info(); });
}

void generate(Client& client, Meter& meter) {
  meter.step("start", [&] { client.start(), client.login(), client.read_everything(); });
  meter.step("generate", [&] {
    CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG bits = 2048;
    CK_BYTE exponent[] = {1, 0, 1};
    char label[] = "second";
    CK_ATTRIBUTE for_public[] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_MODULUS_BITS, &bits, sizeof bits},
                                 {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent},
                                 {CKA_VERIFY, &yes, sizeof yes},
                                 {CKA_ID, const_cast<CK_BYTE*>(second_id), 1},
                                 {CKA_LABEL, label, sizeof label - 1}};
    CK_ATTRIBUTE for_private[] = {{CKA_TOKEN, &yes, sizeof yes},
                                  {CKA_PRIVATE, &yes, sizeof yes},
                                  {CKA_SENSITIVE, &yes, sizeof yes},
                                  {CKA_SIGN, &yes, sizeof yes},
                                  {CKA_ID, const_cast<CK_BYTE*>(second_id), 1},
                                  {CKA_LABEL, label, sizeof label - 1}};
    CK_OBJECT_HANDLE public_key, private_key;
    check(client.module->C_GenerateKeyPair(client.session, &mechanism, for_public,
                                           std::size(for_public), for_private,
                                           std::size(for_private), &public_key, &private_key),
          "C_GenerateKeyPair");
  });
}

void certificate(Client& client, Meter& meter, const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> der{std::istreambuf_iterator<char>(file), {}};
  if (der.empty()) throw std::runtime_error(std::string("cannot read ") + path);
  meter.step("start", [&] { client.start(), client.login(), client.read_everything(); });
  meter.step("certificate", [&] {
    CK_OBJECT_CLASS what = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE x509 = CKC_X_509;
    CK_BBOOL yes = CK_TRUE;
    char label[] = "second";
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &what, sizeof what},
                                 {CKA_CERTIFICATE_TYPE, &x509, sizeof x509},
                                 {CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_VALUE, der.data(), der.size()},
                                 {CKA_ID, const_cast<CK_BYTE*>(third_id), 1},
                                 {CKA_LABEL, label, sizeof label - 1}};
    CK_OBJECT_HANDLE object;
    check(client.module->C_CreateObject(client.session, attributes, std::size(attributes), &object),
          "C_CreateObject");
  });
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

json load(const char* path) {
  const long before = resident_kib();
  const auto start = std::chrono::steady_clock::now();
  const Module module(path);
  const auto loaded = std::chrono::steady_clock::now();
  module.initialize();
  const auto ready = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::milli> loading = loaded - start,
                                                  initialising = ready - loaded;
  json report = {{"load ms", loading.count()},
                 {"initialize ms", initialising.count()},
                 {"memory KiB", resident_kib() - before}};
  (void)module->C_Finalize(nullptr);
  return report;
}

json run(int argc, char** argv) {
  const std::string workflow = argv[4];
  if (workflow == "load") return load(argv[1]);
  Client client{Module(argv[1]), argv[2]};
  Meter meter(argv[3]);
  if (workflow == "sign") sign(client, meter, false);
  if (workflow == "everything") sign(client, meter, true);
  if (workflow == "generate") generate(client, meter);
  if (workflow == "certificate" && argc == 6) certificate(client, meter, argv[5]);
  (void)client.module->C_Finalize(nullptr);
  return meter.report();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr
        << "usage: workflows MODULE PIN SIM sign|everything|generate|certificate|load [DER]\n";
    return 2;
  }
  try {
    std::cout << run(argc, argv).dump() << "\n";
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
