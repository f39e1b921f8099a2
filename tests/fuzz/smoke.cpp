// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer in ordinary builds: the seeds, then mutations of them, the same ones
// each time, until their number or the time is used up. The input that kills the target is
// printed in hex.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "apdu/trace.hpp"
#include "tests/fuzz/fuzz.hpp"

// Defined by the sanitizers' runtime, where there is one.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

using kilt::Bytes;
using kilt::ByteView;

constexpr int mutations = 30'000;
constexpr std::chrono::seconds time_limit{4};
constexpr std::size_t longest = 4096;

const Bytes* current = nullptr;

/// Only write(): this may run inside a signal handler.
void print_current() {
  static constexpr char digits[] = "0123456789ABCDEF";
  if (current == nullptr) return;
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, "killed by: ", 11);
  for (const std::uint8_t byte : *current) {
    const char text[] = {digits[byte >> 4], digits[byte & 0xF]};
    written = ::write(STDERR_FILENO, text, sizeof text);
  }
  written = ::write(STDERR_FILENO, "\n", 1);
  current = nullptr;
}

void on_signal(int number) {
  print_current();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(const Bytes& input) {
  current = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  current = nullptr;
}

class Mutator {
 public:
  explicit Mutator(std::vector<Bytes> seeds) : pool_(std::move(seeds)) {}

  Bytes next() {
    Bytes input = pick();
    for (std::size_t i = below(6) + 1; i > 0; --i)
      change(input);
    if (input.size() > longest) input.resize(longest);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const Bytes& pick() { return pool_[below(pool_.size())]; }
  std::uint8_t byte() {
    static constexpr std::uint8_t edges[] = {0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0x83,
                                             0x84, 0xFE, 0xFF, 0x61, 0x6C, 0x90, 0x30};
    return below(2) != 0 ? edges[below(std::size(edges))] : static_cast<std::uint8_t>(random_());
  }

  void change(Bytes& input) {
    const auto at = [&] {
      return input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1));
    };
    switch (below(7)) {
      case 0:
        if (!input.empty()) input[below(input.size())] = byte();
        break;
      case 1:
        if (!input.empty()) {
          input[below(input.size())] ^= static_cast<std::uint8_t>(1U << below(8));
        }
        break;
      case 2:
        input.insert(at(), byte());
        break;
      case 3:
        input.erase(at(), input.end());
        break;
      case 4: {  // a piece less
        const auto from = at();
        const auto left = static_cast<std::size_t>(input.end() - from);
        input.erase(from,
                    from + static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(left, 8))));
        break;
      }
      case 5: {  // a piece of another input
        const Bytes other = pick();
        const std::size_t from = below(other.size());
        const std::size_t count = below(other.size() - from + 1);
        const auto begin = other.begin() + static_cast<std::ptrdiff_t>(from);
        input.insert(at(), begin, begin + static_cast<std::ptrdiff_t>(count));
        break;
      }
      case 6:
        input.insert(at(), below(300), byte());
        break;
    }
  }

  std::vector<Bytes> pool_;
  std::mt19937 random_{7816};  // NOLINT(cert-msc51-cpp): the same mutations each time
};

void add_file(std::vector<Bytes>& seeds, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    std::fprintf(stderr, "cannot read the seed %s\n", path.c_str());
    std::exit(2);
  }
  seeds.push_back(kilt::copy_of(kilt::as_bytes(text)));
  if (!path.ends_with(".vec")) return;
  const auto vectors = kilt::apdu::VectorFile::parse(text);
  if (!vectors) return;
  for (const auto& step : vectors->steps) {
    for (const auto* line : {&step.command, &step.answer}) {
      auto bytes = line->fill(kilt::as_bytes("12345678"));
      if (bytes) seeds.push_back(std::move(*bytes));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, on_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(print_current);
  } else {
    std::signal(SIGSEGV, on_signal);
  }

  std::vector<Bytes> seeds{{}};
  if (kilt::fuzz::seeds != nullptr) {
    for (auto& seed : kilt::fuzz::seeds())
      seeds.push_back(std::move(seed));
  }
  for (int i = 1; i < argc; ++i)
    add_file(seeds, argv[i]);
  for (const Bytes& seed : seeds)
    run(seed);

  const auto end = std::chrono::steady_clock::now() + time_limit;
  Mutator mutator(seeds);
  int count = 0;
  for (; count < mutations && std::chrono::steady_clock::now() < end; ++count)
    run(mutator.next());
  std::printf("%zu seeds, %d mutations\n", seeds.size(), count);
  return 0;
}
