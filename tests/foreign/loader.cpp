// SPDX-License-Identifier: Apache-2.0
// How programs come to a module and leave it: the ways that ended in crashes elsewhere.
//
//   loader WAY PIN MODULE [MODULE...]       prints what was left behind; its exit code says the
//   rest
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include "tests/foreign/p11_client.hpp"

namespace {

using kilt::client::check;
using kilt::client::Module;

std::size_t entries_of(const char* directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                std::filesystem::directory_iterator()));
}

/// Whether the module's first token is one of kilt's: another's may want a PIN that is not ours.
bool shows_our_token(const Module& module) {
  const auto slots = module.slots();
  CK_TOKEN_INFO info{};
  return !slots.empty() && module->C_GetTokenInfo(slots.front(), &info) == CKR_OK &&
         std::string(info.manufacturerID, info.manufacturerID + 5) == "kilt ";
}

bool is_mapped(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(path)) return true;
  }
  return false;
}

/// A session of the user, and a signature if there is a key.
CK_SESSION_HANDLE use(const Module& module, const std::string& pin) {
  const auto slots = module.slots();
  if (slots.empty()) throw std::runtime_error("no token");
  const auto session = module.open(slots.front());
  module.login(session, pin);
  const auto keys = module.find_class(session, CKO_PRIVATE_KEY);
  if (keys.empty()) throw std::runtime_error("no private key");
  if (module.sign(session, keys.front(), CKM_SHA256_RSA_PKCS, {'h', 'i'}).size() < 128) {
    throw std::runtime_error("no signature");
  }
  return session;
}

struct Ways {
  std::string pin;
  std::vector<std::string> paths;

  /// Loaded, used and unloaded again and again: no thread, descriptor or mapping more.
  void unload() const {
    const auto once = [&] {
      Module module(paths[0]);
      module.initialize();
      use(module, pin);
      check(module->C_Finalize(nullptr), "C_Finalize");
    };
    once();
    const auto descriptors = entries_of("/proc/self/fd");
    for (int i = 0; i < 10; ++i)
      once();
    if (entries_of("/proc/self/fd") != descriptors) throw std::runtime_error("descriptors left");
    if (entries_of("/proc/self/task") != 1) throw std::runtime_error("threads left");
    std::cout << (is_mapped(std::filesystem::canonical(paths[0])) ? "mapped" : "unmapped") << "\n";
  }
  /// Unloaded without C_Finalize, logged in; then the process ends.
  void unload_unfinished() const {
    Module module(paths[0]);
    module.initialize();
    use(module, pin);
  }
  /// Ends in the middle of everything: module loaded, initialised, logged in, an operation begun.
  void leave() const {
    auto* module = new Module(paths[0]);
    module->initialize();
    const auto session = use(*module, pin);
    CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS, nullptr, 0};
    const auto keys = module->find_class(session, CKO_PRIVATE_KEY);
    check((*module)->C_SignInit(session, &mechanism, keys.front()), "C_SignInit");
  }
  /// C_Finalize at exit, from a handler and from a static object's destructor.
  void finish_at_exit() const {
    static std::unique_ptr<Module> module;  // its destructor runs after the handler below
    static struct Late {
      ~Late() {
        const CK_RV rv = (*module)->C_Finalize(nullptr);
        if (rv != CKR_CRYPTOKI_NOT_INITIALIZED) ::_exit(3);
      }
    } late;
    module = std::make_unique<Module>(paths[0]);
    module->initialize();
    use(*module, pin);
    static_cast<void>(std::atexit([] {
      if ((*module)->C_Finalize(nullptr) != CKR_OK) ::_exit(4);
    }));
  }
  /// A thread that used the module ends before the process, another goes on.
  void leave_threads() const {
    Module module(paths[0]);
    module.initialize();
    const auto session = use(module, pin);
    for (int i = 0; i < 8; ++i) {
      auto work = [&] { use(module, pin); };
      pthread_t thread{};
      const auto run = [](void* what) -> void* {
        (*static_cast<decltype(work)*>(what))();
        return nullptr;
      };
      if (::pthread_create(&thread, nullptr, run, &work) != 0) throw std::runtime_error("thread");
      ::pthread_join(thread, nullptr);
    }
    check(module->C_CloseSession(session), "C_CloseSession");
    check(module->C_Finalize(nullptr), "C_Finalize");
  }
  /// exec() from a process that is logged in: the next program starts afresh.
  void replace() const {
    auto* module = new Module(paths[0]);
    module->initialize();
    use(*module, pin);
    ::execl("/proc/self/exe", "loader", "leave", pin.c_str(), paths[0].c_str(), nullptr);
    throw std::runtime_error("execl");
  }
  /// Several modules, or one under several names, used in turns and finished in any order.
  void together() const {
    std::vector<std::unique_ptr<Module>> modules;
    for (const auto& path : paths)
      modules.push_back(std::make_unique<Module>(path));
    for (const auto& module : modules)
      module->initialize();
    std::map<const Module*, CK_SESSION_HANDLE> sessions;
    for (int round = 0; round < 3; ++round) {
      for (const auto& module : modules) {
        if (!shows_our_token(*module)) continue;
        if (sessions.contains(module.get())) {
          const auto keys = module->find_class(sessions[module.get()], CKO_PRIVATE_KEY);
          static_cast<void>(
              module->sign(sessions[module.get()], keys.at(0), CKM_SHA256_RSA_PKCS, {'h', 'i'}));
        } else {
          sessions[module.get()] = use(*module, pin);
        }
      }
    }
    std::rotate(modules.begin(), modules.begin() + 1, modules.end());
    for (const auto& module : modules)
      check((*module)->C_Finalize(nullptr), "C_Finalize");
    std::cout << sessions.size() << " used\n";
  }
  /// Initialised and finished a thousand times.
  void repeat() const {
    Module module(paths[0]);
    for (int i = 0; i < 1000; ++i) {
      module.initialize();
      if (module.slots().empty()) throw std::runtime_error("no token");
      check(module->C_Finalize(nullptr), "C_Finalize");
    }
  }
};

}  // namespace

int main(int count, char** words) {
  const std::map<std::string, void (Ways::*)() const> ways{
      {"unload", &Ways::unload},
      {"unload-unfinished", &Ways::unload_unfinished},
      {"leave", &Ways::leave},
      {"finish-at-exit", &Ways::finish_at_exit},
      {"leave-threads", &Ways::leave_threads},
      {"replace", &Ways::replace},
      {"together", &Ways::together},
      {"repeat", &Ways::repeat},
  };
  if (count < 4 || !ways.contains(words[1])) {
    std::cerr << "usage: loader WAY PIN MODULE...\n";
    return 2;
  }
  try {
    const Ways all{words[2], {words + 3, words + count}};
    (all.*ways.at(words[1]))();
  } catch (const std::exception& error) {
    std::cerr << "loader: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
