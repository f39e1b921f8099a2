// SPDX-License-Identifier: Apache-2.0
// PKCS#11 modules by word of command: a line in, a line out, so that a test says what happens in
// one process and when. Modules have names; each has one session.
//
//   load NAME PATH, initialize NAME, slots NAME, open NAME, login NAME PIN, sign NAME FILE OUT,
//   close NAME, finalize NAME, unload NAME
//
// The answer is "ok", with a word more for slots (how many tokens), or what failed and its code.
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>

#include "tests/foreign/p11_client.hpp"

namespace {

using kilt::client::check;
using kilt::client::Module;

struct Loaded {
  explicit Loaded(const std::string& path) : module(path) {}
  Module module;
  CK_SESSION_HANDLE session = 0;
};

std::map<std::string, std::unique_ptr<Loaded>> all;

void sign(const Loaded& own, const std::string& in, const std::string& out) {
  const auto keys = own.module.find_class(own.session, CKO_PRIVATE_KEY);
  if (keys.empty()) throw std::runtime_error("no private key");
  std::ifstream file(in, std::ios::binary);
  const std::vector<CK_BYTE> data{std::istreambuf_iterator<char>(file), {}};
  const auto signature = own.module.sign(own.session, keys.front(), CKM_SHA256_RSA_PKCS, data);
  std::ofstream(out, std::ios::binary)
      .write(reinterpret_cast<const char*>(signature.data()),
             static_cast<std::streamsize>(signature.size()));
}

std::string act(const std::string& line) {
  std::istringstream words(line);
  std::string verb, name, first, second;
  words >> verb >> name >> first >> second;
  if (verb == "load") {
    all[name] = std::make_unique<Loaded>(first);
    return "ok";
  }
  Loaded& own = *all.at(name);
  const Module& module = own.module;
  if (verb == "initialize") {
    module.initialize();
  } else if (verb == "slots") {
    return "ok " + std::to_string(module.slots().size());
  } else if (verb == "open") {
    const auto slots = module.slots();
    if (slots.empty()) throw std::runtime_error("no token");
    own.session = module.open(slots.front());
  } else if (verb == "login") {
    module.login(own.session, first);
  } else if (verb == "sign") {
    sign(own, first, second);
  } else if (verb == "close") {
    check(module->C_CloseSession(own.session), "C_CloseSession");
  } else if (verb == "finalize") {
    check(module->C_Finalize(nullptr), "C_Finalize");
  } else if (verb == "unload") {
    all.erase(name);
  } else {
    throw std::runtime_error("what is " + verb + "?");
  }
  return "ok";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << act(line) << std::endl;
    } catch (const std::exception& problem) {
      std::cout << problem.what() << std::endl;
    }
  }
}
