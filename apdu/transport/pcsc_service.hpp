// SPDX-License-Identifier: Apache-2.0
// pcscd as seen by this process: contexts, the states of its readers, and the count of insertions.
//
// Rules that libpcsclite 1.9 forces, read in its source:
// - A call on a context waits for the context's lock while it holds the library's, so a second
//   call on a context that is busy stops every thread of the process. Hence one context for each
//   card, one for looking at readers (short calls only, under our lock), one for each wait.
// - SCardCancel is lost unless the waiter already sleeps; it has to be repeated until it is out.
// - A connection reset by a dying pcscd is reported as SCARD_W_SECURITY_VIOLATION, like a refusal.
// - The states of all readers lie in one array of the library that every context fills without a
//   lock, so a look may be mixed with an older one of a wait that just began. A change is believed
//   when two looks in a row agree.
// - In a forked child the contexts are still the parent's; a word said there is said in the
//   parent's name. Whatever was made in another process is leaked, never released.
#pragma once

#include <sys/types.h>
#include <unistd.h>
#include <winscard.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apdu/result.hpp"
#include "apdu/transport/readers.hpp"

namespace kilt::apdu {

/// pcscd is not there, died, or was started anew since the context was made.
[[nodiscard]] inline bool service_lost(LONG code) {
  return code == SCARD_E_NO_SERVICE || code == SCARD_E_SERVICE_STOPPED ||
         code == SCARD_F_COMM_ERROR || code == SCARD_E_INVALID_HANDLE ||
         code == SCARD_W_SECURITY_VIOLATION;
}

[[nodiscard]] inline std::string pcsc_text(LONG code) {
  return pcsc_stringify_error(code);
}

class PcscContext {
 public:
  /// Errors: no_service, no_permission.
  static Result<PcscContext> establish();
  PcscContext(PcscContext&& other) noexcept
      : handle_(std::exchange(other.handle_, 0)), process_(other.process_) {}
  PcscContext& operator=(PcscContext&&) = delete;
  ~PcscContext() {
    if (handle_ != 0 && process_ == ::getpid()) SCardReleaseContext(handle_);
  }
  [[nodiscard]] SCARDCONTEXT get() const { return handle_; }
  void abandon() { handle_ = 0; }

 private:
  explicit PcscContext(SCARDCONTEXT handle) : handle_(handle), process_(::getpid()) {}
  SCARDCONTEXT handle_;
  pid_t process_;
};

/// A reader, and the state that SCardGetStatusChange wants back to tell a change of the card.
struct PcscReader {
  ReaderState state;
  DWORD raw = 0;

  bool operator==(const PcscReader&) const = default;
};

/// Turns pcscd's 16-bit event counters, which count both ways, wrap, and start anew with a
/// replugged reader or a new pcscd, into a number that never repeats for another card.
class InsertionBook {
 public:
  std::uint64_t observe(const std::string& reader, std::uint16_t counter) {
    auto& page = pages_[reader];
    page.total += page.current ? static_cast<std::uint16_t>(counter - page.counter) : 1;
    page.counter = counter;
    page.current = true;
    return page.total;
  }
  /// The reader is not in the list: should it return, its card counts as another.
  void keep_only(const std::vector<std::string>& present);
  /// pcscd is gone: all counters start anew.
  void all_lost() { keep_only({}); }
  /// A connection to the card that came with insertion `total` found it gone; pcscd may have
  /// missed that (a token pulled and plugged between two looks has the counter it had before).
  void removed(const std::string& reader, std::uint64_t total) {
    const auto page = pages_.find(reader);
    if (page != pages_.end() && page->second.total == total) ++page->second.total;
  }

 private:
  struct Page {
    std::uint64_t total = 0;
    std::uint16_t counter = 0;
    bool current = false;
  };
  std::map<std::string, Page> pages_;
};

/// Thread-safe. Every call is short.
class PcscService {
 public:
  PcscService() : process_(::getpid()) {}
  /// Asks pcscd, with a fresh context if the old one is dead. Errors: no_service, no_permission.
  Result<std::vector<PcscReader>> readers();
  /// One of them. Errors: the above, no_reader.
  Result<ReaderState> reader(const std::string& name);
  void note_removed(const std::string& reader, std::uint64_t insertions) {
    const std::lock_guard lock(mutex_);
    book_.removed(reader, insertions);
  }
  [[nodiscard]] bool inherited() const { return process_ != ::getpid(); }

 private:
  LONG look(SCARDCONTEXT context, std::vector<PcscReader>& readers);
  LONG look_until_sure(SCARDCONTEXT context);

  std::mutex mutex_;
  std::optional<PcscContext> context_;
  std::vector<PcscReader> seen_;  ///< by the last look; insertions not filled in
  InsertionBook book_;
  const pid_t process_;
};

// ---- the bodies ------------------------------------------------------------------------------

inline Result<PcscContext> PcscContext::establish() {
  LONG code = SCARD_S_SUCCESS;
  // A pcscd that is just going away answers as one that refuses us; only the latter does it again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    SCARDCONTEXT handle = 0;
    code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &handle);
    if (code == SCARD_S_SUCCESS) return PcscContext(handle);
    if (code != SCARD_W_SECURITY_VIOLATION) break;
  }
  const char* named = std::getenv("PCSCLITE_CSOCK_NAME");  // as libpcsclite itself does
  const char* path = named != nullptr ? named : "/run/pcscd/pcscd.comm";
  const bool forbidden = ::access(path, R_OK | W_OK) != 0 && errno == EACCES;
  if (forbidden || code == SCARD_W_SECURITY_VIOLATION || code == SCARD_E_NO_ACCESS)
    return Error{ErrorKind::no_permission,
                 "pcscd refuses this user (a polkit rule for org.debian.pcsc-lite.access_pcsc "
                 "lets it in): " +
                     pcsc_text(code)};
  return Error{ErrorKind::no_service,
               "pcscd cannot be reached (install and start pcscd): " + pcsc_text(code)};
}

inline void InsertionBook::keep_only(const std::vector<std::string>& present) {
  for (auto& [name, page] : pages_) {
    page.current = page.current && std::find(present.begin(), present.end(), name) != present.end();
  }
}

inline LONG PcscService::look(SCARDCONTEXT context, std::vector<PcscReader>& readers) {
  // Who uses the card, and how, is no change to us.
  constexpr DWORD of_no_matter = SCARD_STATE_INUSE | SCARD_STATE_EXCLUSIVE | SCARD_STATE_CHANGED;
  // Enough for 16 readers of 128 characters, which is all that pcsc-lite has.
  std::vector<char> names(4096);
  std::vector<SCARD_READERSTATE> states;
  for (int attempt = 0; attempt < 10; ++attempt) {
    readers.clear();
    states.clear();
    DWORD size = static_cast<DWORD>(names.size());
    LONG code = SCardListReaders(context, nullptr, names.data(), &size);
    if (code == SCARD_E_NO_READERS_AVAILABLE) return SCARD_S_SUCCESS;
    if (code == SCARD_E_INSUFFICIENT_BUFFER) {
      names.assign(std::max<std::size_t>(size, 2 * names.size()), '\0');
      continue;
    }
    if (code != SCARD_S_SUCCESS) return code;
    for (const char* name = names.data(); *name != '\0'; name += std::strlen(name) + 1) {
      states.push_back({});
      states.back().szReader = name;
      states.back().dwCurrentState = SCARD_STATE_UNAWARE;
    }
    code = SCardGetStatusChange(context, 0, states.data(), static_cast<DWORD>(states.size()));
    if (code == SCARD_E_UNKNOWN_READER) continue;  // a reader went in between
    if (code != SCARD_S_SUCCESS && code != SCARD_E_TIMEOUT) return code;
    for (const auto& found : states) {
      PcscReader reader;
      reader.raw = found.dwEventState & ~of_no_matter;
      reader.state.name = found.szReader;
      if ((found.dwEventState & SCARD_STATE_UNKNOWN) != 0) continue;
      reader.state.present = (found.dwEventState & SCARD_STATE_PRESENT) != 0;
      const auto atr_size = std::min<std::size_t>(found.cbAtr, sizeof found.rgbAtr);
      if (reader.state.present) reader.state.atr.assign(found.rgbAtr, found.rgbAtr + atr_size);
      reader.state.simulated = found.szReader == std::strstr(found.szReader, "kilt simulator");
      readers.push_back(std::move(reader));
    }
    return SCARD_S_SUCCESS;
  }
  return SCARD_S_SUCCESS;  // readers come and go faster than one can look: none for this time
}

inline LONG PcscService::look_until_sure(SCARDCONTEXT context) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<PcscReader> now;
    const LONG code = look(context, now);
    if (code != SCARD_S_SUCCESS) return code;
    if (now == seen_) break;
    seen_ = std::move(now);
  }
  return SCARD_S_SUCCESS;
}

inline Result<std::vector<PcscReader>> PcscService::readers() {
  const std::lock_guard lock(mutex_);
  for (int attempt = 0;; ++attempt) {
    if (!context_) {
      auto made = PcscContext::establish();
      if (!made) {
        book_.all_lost();
        return made.take_error();
      }
      context_.emplace(std::move(*made));
    }
    const LONG code = look_until_sure(context_->get());
    if (code == SCARD_S_SUCCESS) {
      std::vector<PcscReader> readers = seen_;
      std::vector<std::string> names;
      for (auto& reader : readers) {
        names.push_back(reader.state.name);
        reader.state.insertions =
            book_.observe(reader.state.name, static_cast<std::uint16_t>(reader.raw >> 16));
      }
      book_.keep_only(names);
      return readers;
    }
    context_.reset();
    book_.all_lost();
    if (attempt > 0)
      return Error{ErrorKind::no_service, "pcscd does not tell its readers: " + pcsc_text(code)};
  }
}

inline Result<ReaderState> PcscService::reader(const std::string& name) {
  auto all = readers();
  if (!all) return all.take_error();
  for (auto& reader : *all) {
    if (reader.state.name == name) return std::move(reader.state);
  }
  return Error{ErrorKind::no_reader, "there is no reader " + name};
}

}  // namespace kilt::apdu
