// SPDX-License-Identifier: Apache-2.0
// Operations on a card that are torn, pulled or lied about at each of their steps, for any fixture
// (kaztoken_fixture.hpp shows what one has).
#pragma once

#include <algorithm>
#include <functional>

#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"

namespace kilt::test {

using card::ObjectClass;
using card::Role;
using card::Scheme;

inline const Bytes text(20, 0x31);

/// What of a listing must not change: labels and ids of everything.
inline std::vector<std::string> names(const card::Directory& found) {
  std::vector<std::string> all;
  for (const auto& o : found.keys)
    all.push_back("key " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.public_keys)
    all.push_back("public " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.certificates)
    all.push_back("certificate " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.data)
    all.push_back("data " + o.label);
  std::sort(all.begin(), all.end());
  return all;
}

/// `fewest`: the writes that an operation torn here has at least; with fewer nothing was tested.
template <class Fixture, std::uint64_t fewest>
class Trouble : public Fixture {
 protected:
  using Fixture::bench, Fixture::card, Fixture::list, Fixture::login, Fixture::reinsert;
  using Fixture::Fixture;

  /// Copies the card's memory, so that one state can be ruined many times.
  std::vector<std::pair<std::string, Bytes>> snapshot() {
    std::vector<std::pair<std::string, Bytes>> cells;
    for (const auto& name : bench.nvram.cells_with_prefix(""))
      cells.emplace_back(name, *bench.nvram.read(name));
    return cells;
  }
  void restore(const std::vector<std::pair<std::string, Bytes>>& cells) {
    bench.nvram.before_write = nullptr;
    bench.nvram.erase_all();
    for (const auto& [name, value] : cells)
      bench.nvram.write(name, value);
    reinsert();
  }
  void log_in_and_prove(const card::KeyPair& pair) {
    login();
    const auto signature = card->sign(pair.private_key, Scheme::rsa_pkcs1, text);
    ASSERT_TRUE(signature.ok()) << why(signature);
    const auto block = card::pkcs1_type1_pad(text, pair.public_key.modulus.size());
    EXPECT_TRUE(card::is_private_power(pair.public_key, *block, *signature));
  }
  /// Runs `operation` with the power cut before its n-th write; false when it has fewer.
  bool cut(std::uint64_t n, const std::function<void()>& operation) {
    const auto base = bench.nvram.writes();
    bool was_cut = false;
    bench.nvram.before_write = [&, base](std::uint64_t write) {
      if (write - base != n) return;
      was_cut = true;
      throw sim::PowerCut{};
    };
    operation();
    bench.nvram.before_write = nullptr;
    return was_cut;
  }

  using Operation = std::function<Status(card::Card&)>;

  /// Cuts the power before each write of `operation` in turn. Afterwards the card shows the old
  /// state or the new, and the operation, done again where it was not finished, gives the new.
  void tear(const Operation& operation, const card::KeyPair* witness = nullptr) {
    const auto start = snapshot();
    login();
    const auto before = names(list());
    const auto done = operation(*card);
    ASSERT_TRUE(done.ok()) << why(done);
    reinsert();
    login();
    const auto after = names(list());
    ASSERT_NE(before, after);
    for (std::uint64_t n = 1;; ++n) {
      SCOPED_TRACE("cut at write " + std::to_string(n));
      restore(start);
      login();
      if (!cut(n, [&] { (void)operation(*card).ok(); })) {
        EXPECT_GT(n, fewest);
        return;
      }
      reinsert();
      if (witness) log_in_and_prove(*witness);
      login();
      const auto seen = names(list());
      ASSERT_TRUE(seen == before || seen == after) << ::testing::PrintToString(seen);
      if (seen == after) continue;
      const auto again = operation(*card);
      ASSERT_TRUE(again.ok()) << why(again);
      reinsert();
      login();
      ASSERT_EQ(names(list()), after);
    }
  }
  /// Pulls the card before each exchange of `operation` in turn.
  void pull(const Operation& operation) {
    const auto start = snapshot();
    for (std::uint64_t at = 1;; ++at) {
      restore(start);
      login();
      bench.exchanges = 0;
      bench.pull_at = at;
      const auto pulled = operation(*card);
      const bool happened = bench.exchanges >= at;
      if (!happened) return;
      // Clean-up after a finished operation may be lost without harm.
      if (!pulled) {
        EXPECT_EQ(pulled.error().kind, ErrorKind::removed) << at << ": " << why(pulled);
        EXPECT_EQ(card->login(Role::user, secret(Fixture::its_user_pin)).error().kind,
                  ErrorKind::removed);
      }
      reinsert();
      login();
      ASSERT_TRUE(card->list().ok());
      const auto again = operation(*card);
      const auto kind = again ? ErrorKind::exists : again.error().kind;
      const bool was_done = kind == ErrorKind::exists || kind == ErrorKind::not_found;
      ASSERT_TRUE(pulled.ok() || was_done) << at << ": " << why(again);
    }
  }
  /// Spoils the answer to each exchange of `operation` in turn: what the card did, nobody knows.
  /// Afterwards all that is listed is there, and the operation can be done.
  /// `spared`: a key that is being deleted, and may be listed until that is repeated.
  void spoil(const Operation& operation, const card::KeyPair* witness = nullptr,
             const Bytes& spared = {}) {
    const std::function<void(Bytes&)> ways[] = {
        [](Bytes& answer) { answer.resize(1); },
        [](Bytes& answer) {
          answer = {0x12, 0x34};
        },
        [](Bytes& answer) { answer.insert(answer.begin(), 300, 0x5A); },
    };
    const auto start = snapshot();
    for (const auto& way : ways) {
      for (std::uint64_t at = 1;; ++at) {
        SCOPED_TRACE("exchange " + std::to_string(at));
        restore(start);
        login();
        bench.exchanges = 0;
        bench.distort = [&](Bytes& answer) {
          if (bench.exchanges == at) way(answer);
        };
        (void)operation(*card).ok();
        bench.distort = nullptr;
        if (bench.exchanges < at) break;
        reinsert();
        if (witness != nullptr) log_in_and_prove(*witness);
        login();
        prove_everything(spared);
        const auto again = operation(*card);
        ASSERT_TRUE(again.ok() || again.error().kind == ErrorKind::exists ||
                    again.error().kind == ErrorKind::not_found)
            << why(again);
        prove_everything();
      }
    }
  }
  /// Each key that is listed signs, each certificate that is listed can be read.
  void prove_everything(const Bytes& spared = {}) {
    const auto found = list();
    for (const auto& key : found.keys) {
      if (!spared.empty() && key.id == spared) continue;
      const auto signature = card->sign(key, Scheme::rsa_pkcs1, text);
      ASSERT_TRUE(signature.ok()) << key.label << ": " << why(signature);
    }
    for (const auto& certificate : found.certificates) {
      const auto der = card->read_certificate(certificate.ref);
      ASSERT_TRUE(der.ok()) << certificate.label << ": " << why(der);
    }
  }
  static Operation generating(std::string id) {
    return [id](card::Card& c) -> Status {
      auto made = c.generate(key_request(id, Fixture::its_key_bits, "NEW"));
      if (!made) return made.take_error();
      return {};
    };
  }
  /// not_found once there is no key with this id any more.
  static Operation deleting_key(std::string id) {
    return [id](card::Card& c) -> Status {
      auto listed = c.list();
      if (!listed) return listed.take_error();
      for (const auto& key : listed->keys) {
        if (key.id == copy_of(as_bytes(id))) return c.delete_object(key.ref);
      }
      return Error{ErrorKind::not_found, "deleted"};
    };
  }
  static Operation installing(Bytes der, std::string label = "NEW") {
    return [der = std::move(der), label](card::Card& c) -> Status {
      card::CertificateRequest request;
      request.label = label;
      auto made = c.install_certificate(request, der);
      if (!made) return made.take_error();
      return {};
    };
  }
};

}  // namespace kilt::test
