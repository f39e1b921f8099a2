// SPDX-License-Identifier: Apache-2.0
// The life of the module in a process: initialise, finalise, fork.
#include <pthread.h>
#include <unistd.h>

#include <condition_variable>

#include "pkcs11/arguments.hpp"
#include "pkcs11/error_map.hpp"
#include "pkcs11/log.hpp"
#include "pkcs11/module.hpp"

namespace kilt::p11 {

/// One per process, made by its first C_Initialize and never destroyed: nothing here runs at exit
/// or unload, when the libraries below may be gone already.
struct Process {
  explicit Process(unsigned born, Process* parent) : generation(born), inherited(parent) {}

  const unsigned generation;
  const pid_t pid = ::getpid();
  Process* const inherited;  ///< the parent's, copied by fork: only its numbers are used; not freed
  SlotNumbers numbers;
  std::mutex mutex;
  std::condition_variable idle;
  unsigned calls = 0;
  std::shared_ptr<Module> module;
};

namespace {

std::atomic<Process*> the_process{nullptr};
std::atomic<unsigned> fork_generation{0};
std::atomic<bool> fork_is_watched{false};
std::atomic<ReadersFactory> readers_factory{nullptr};

// In the child of a fork, maybe in the middle of anything: nothing but this is safe.
void after_fork_in_child() {
  fork_generation.fetch_add(1, std::memory_order_relaxed);
}

/// The process's own state; null if there is none, or only the parent's. The generation tells a
/// child of fork() also where numbers of processes come again; a child of _Fork() or a bare clone()
/// ran no handler and is told by its number.
Process* current() {
  Process* process = the_process;
  if (process == nullptr || process->generation != fork_generation) return nullptr;
  return process->pid == ::getpid() ? process : nullptr;
}

/// The inherited state can be taken apart only where no thread of the parent held it when it was
/// copied; otherwise it stays as it is.
void abandon(Process* inherited) {
  if (inherited == nullptr || !inherited->mutex.try_lock()) return;
  if (inherited->module) inherited->module->abandon();
}

Process& own_process() {
  if (Process* process = current()) return *process;
  Process* old = the_process;
  auto* fresh = new Process(fork_generation, old);
  // Other threads wait for the numbers to be there: they can find this process at once.
  std::unique_lock<std::mutex> lock(fresh->mutex);
  if (the_process.compare_exchange_strong(old, fresh)) {
    if (old != nullptr) fresh->numbers.inherit(old->numbers);
    lock.unlock();
    abandon(old);
    return *fresh;
  }
  lock.unlock();
  delete fresh;
  return *old;
}

Result<std::unique_ptr<apdu::Readers>> open_readers(const std::string& spec) {
  if (const ReadersFactory factory = readers_factory) return factory(spec);
  return apdu::Readers::open(spec);
}

void begin_log(const card::LoadedConfig& loaded) {
  const bool understood = open_log(loaded.config.log);
  if (!understood) {
    static_cast<void>(open_log("error"));
    log(LogLevel::error, "KILT_LOG or `log` is LEVEL or LEVEL:FILE, with error, warn, info, debug");
  }
  for (const auto& problem : loaded.problems)
    log(LogLevel::error, problem);
}

CK_RV make_module(const CK_C_INITIALIZE_ARGS* args, const Locking& locking, SlotNumbers& numbers,
                  std::shared_ptr<Module>& out) {
  auto loaded = card::load_config();
  const bool told = logs(LogLevel::debug);
  begin_log(loaded);
  // The call that opens the log stands in it too, before readers are asked and may hang.
  if (!told && logs(LogLevel::debug)) {
    log(LogLevel::debug, "C_Initialize: " + Argument("arguments", args).given());
  }
  auto readers = open_readers(loaded.config.readers);
  if (!readers) {
    report(readers.error().within("opening the readers (KILT_READERS or kilt.toml)"));
    return CKR_GENERAL_ERROR;
  }
  std::unique_ptr<apdu::Recorder> recorder;
  if (!loaded.config.trace.empty()) {
    auto opened = apdu::Recorder::open(loaded.config.trace);
    // A trace is a help; its absence must not cost anybody the signature.
    if (opened) {
      recorder = *std::move(opened);
    } else {
      report(opened.error().within("opening the trace"));
    }
  }
  out = std::make_shared<Module>(std::move(loaded.config), locking, *std::move(readers),
                                 std::move(recorder), numbers);
  return CKR_OK;
}

}  // namespace

void set_readers_factory(ReadersFactory factory) {
  readers_factory = factory;
}

CK_RV initialize(const CK_C_INITIALIZE_ARGS* args) {
  Locking locking;
  if (const CK_RV rv = Locking::read(args, locking); rv != CKR_OK) return rv;
  if (!fork_is_watched.exchange(true)) ::pthread_atfork(nullptr, nullptr, after_fork_in_child);
  Process& process = own_process();
  const std::lock_guard<std::mutex> lock(process.mutex);
  if (process.module) return CKR_CRYPTOKI_ALREADY_INITIALIZED;
  return make_module(args, locking, process.numbers, process.module);
}

CK_RV finalize() {
  Process* process = current();
  if (process == nullptr) return CKR_CRYPTOKI_NOT_INITIALIZED;
  std::unique_lock<std::mutex> lock(process->mutex);
  const auto module = std::move(process->module);
  process->module = nullptr;
  if (!module) return CKR_CRYPTOKI_NOT_INITIALIZED;
  lock.unlock();
  module->shut_down();
  // The caller may unload us next: let the others leave, but do not wait for a hung reader.
  lock.lock();
  process->idle.wait_for(lock, std::chrono::seconds(3), [&] { return process->calls == 0; });
  return CKR_OK;
}

Call::Call() {
  Process* process = current();
  if (process == nullptr) return;
  const std::lock_guard<std::mutex> lock(process->mutex);
  if (!process->module) return;
  module_ = process->module;
  process_ = process;
  ++process->calls;
}

Call::~Call() {
  if (process_ == nullptr) return;
  module_.reset();  // may be the last, and log out
  const std::lock_guard<std::mutex> lock(process_->mutex);
  if (--process_->calls == 0) process_->idle.notify_all();
}

}  // namespace kilt::p11
