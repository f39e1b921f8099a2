// SPDX-License-Identifier: Apache-2.0
// Power goes away before every NVRAM write of an eToken command. The card that is started on what
// is left has everything that was finished before; an operation is done, undone, or can be
// repeated.
#include <filesystem>
#include <functional>

#include "tests/sim/etoken72k_host.hpp"

namespace kilt::sim::test {
namespace {

constexpr const char* new_pin = "another PIN";
const Bytes new_salt(20, 0x5A);

ChipOptions seeded() {
  ChipOptions options;
  options.seed = 11;
  return options;
}

/// A token with one key pair, kept in a file, and what it takes to see that it is intact.
class EtokenPowerCut : public testing::Test {
 public:
  void SetUp() override {
    const auto nvram = open(original());
    EtokenCard card(*nvram, "etoken72k", seeded());
    EXPECT_EQ(card.log_in(), "9000");
    card.generate("3001");
    key_ = card.public_key("3001");
  }

  using Step = std::function<void(EtokenCard&)>;
  using Examine = std::function<void(EtokenCard&, bool finished)>;

  /// For each write of `operation`: a copy of the card, `before` undisturbed, the power cut at this
  /// write, then `examine` on a card started anew. `writes`: how many there must be.
  void sweep(std::uint64_t writes, const Step& before, const Step& operation,
             const Examine& examine) {
    for (std::uint64_t n = 1; n <= writes + 1; ++n) {
      SCOPED_TRACE("write " + std::to_string(n));
      std::filesystem::copy_file(original(), copy(),
                                 std::filesystem::copy_options::overwrite_existing);
      const bool cut = run_cut(n, before, operation);
      EXPECT_EQ(cut, n <= writes);
      const auto nvram = open(copy());
      EtokenCard card(*nvram, "etoken72k", seeded());
      examine(card, !cut);
      if (HasFailure()) return;
    }
  }

  /// The key of SetUp is there and signs; the user is logged in afterwards.
  void expect_key(EtokenCard& card, const char* pin = user_pin) {
    ASSERT_EQ(card.log_in(pin), "9000");
    EXPECT_EQ(card.public_key("3001").modulus, key_.modulus);
    expect_signs(card, "3001");
  }

  static void expect_signs(EtokenCard& card, const std::string& id) {
    const auto key = card.public_key(id);
    Bytes block(key.modulus.size(), 0x44);
    block[0] = 0;
    EXPECT_EQ(rsa_public_operation(key.modulus, key.exponent, card.private_operation(id, block)),
              block);
  }

  static void log_in(EtokenCard& card) { EXPECT_EQ(card.log_in(), "9000"); }
  static void log_in_so(EtokenCard& card) { EXPECT_EQ(card.log_in(so_pin, so_role), "9000"); }

  static std::string list(EtokenCard& card, const std::string& path) {
    EXPECT_EQ(card.send(select_path(path)), "9000");
    return card.send("80 01 00 00 04 09020000 00");
  }

 private:
  static std::unique_ptr<Nvram> open(const std::string& path) {
    auto nvram = Nvram::open(path);
    EXPECT_TRUE(nvram.ok()) << (nvram.ok() ? "" : nvram.error().message());
    return std::move(*nvram);
  }

  [[nodiscard]] std::string original() const { return directory_.file("state"); }
  [[nodiscard]] std::string copy() const { return directory_.file("copy"); }

  [[nodiscard]] bool run_cut(std::uint64_t n, const Step& before, const Step& operation) const {
    const auto nvram = open(copy());
    EtokenCard card(*nvram, "etoken72k", seeded());
    before(card);
    const auto start = nvram->writes();
    nvram->before_write = [start, n](std::uint64_t number) {
      if (number == start + n) throw PowerCut{};
    };
    try {
      operation(card);
      return false;
    } catch (const PowerCut&) {
      return true;
    }
  }

  TemporaryDirectory directory_;
  EtokenCard::PublicKey key_;
};

TEST_F(EtokenPowerCut, InALoginCostsATryAtMost) {
  sweep(
      2, [](EtokenCard& card) { card.salt(user_role); }, log_in,
      [&](EtokenCard& card, bool) {
        expect_key(card);
        EXPECT_EQ(card.log_in_wrongly(), "6300");
      });
}

TEST_F(EtokenPowerCut, ATryIsSpentBeforeTheComparison) {
  EtokenCard card;
  card.salt(user_role);
  for (int i = 0; i < 10; ++i) {
    const auto start = card.nvram().writes();
    card.nvram().before_write = [start](std::uint64_t n) {
      if (n == start + 2) throw PowerCut{};
    };
    EXPECT_THROW((void)card.log_in(), PowerCut) << i;
    card.nvram().before_write = nullptr;
    card.power_cycle();
    card.send(select_applet);
  }
  EXPECT_EQ(card.log_in(), "6983");
}

TEST_F(EtokenPowerCut, InAPinChangeTheOldOrTheNewPinWorks) {
  std::string body;
  sweep(
      1,
      [&](EtokenCard& card) {
        log_in(card);
        body = card.new_credential(new_salt, new_pin, card.login_key(user_pin, user_role));
      },
      [&](EtokenCard& card) { EXPECT_EQ(card.send(command("80 24 00 11", body)), "9000"); },
      [&](EtokenCard& card, bool finished) { expect_key(card, finished ? new_pin : user_pin); });
}

TEST_F(EtokenPowerCut, WhenTheSoUnblocksHeCanDoItAgain) {
  std::string body;
  const auto prepare = [&](EtokenCard& card) {
    log_in_so(card);
    body = card.new_credential(new_salt, new_pin, card.login_key(so_pin, so_role));
  };
  sweep(
      2,
      [&](EtokenCard& card) {
        for (int i = 0; i < 10; ++i)
          EXPECT_EQ(card.log_in_wrongly(), "6300");
        prepare(card);
      },
      [&](EtokenCard& card) { EXPECT_EQ(card.send(command("80 2C 00 11", body)), "9000"); },
      [&](EtokenCard& card, bool finished) {
        if (!finished) {
          EXPECT_EQ(card.log_in_wrongly(), "6983") << "no tries for nothing";
          prepare(card);
          EXPECT_EQ(card.send(command("80 2C 00 11", body)), "9000");
          card.forget_salts();
        }
        expect_key(card, new_pin);
      });
}

/// An object 3002 in whatever state can be deleted, made again and used.
void expect_repeatable(EtokenCard& card) {
  if (card.send(select_path("6666500002203002")) == "9000") {
    EXPECT_EQ(card.send("80 E4 00 00"), "9000");
  }
  card.generate("3002");
  EtokenPowerCut::expect_signs(card, "3002");
}

TEST_F(EtokenPowerCut, InAGenerationTheObjectIsUnfinishedAndCanBeMadeAgain) {
  const Bytes attributes(12, 0x21);
  sweep(
      5, log_in,
      [&](EtokenCard& card) {
        card.generate("3002");
        EXPECT_EQ(card.send(create_ef("0001", attributes.size())), "9000");
        EXPECT_EQ(card.send(write_at(0, attributes)), "9000");
      },
      [&](EtokenCard& card, bool finished) {
        expect_key(card);
        const bool is_whole = card.send(select_path("66665000022030020001")) == "9000" &&
                              card.send(read_at(0)) == to_hex(attributes) + "9000";
        EXPECT_EQ(is_whole, finished);
        if (is_whole) expect_signs(card, "3002");
        expect_repeatable(card);
      });
}

TEST_F(EtokenPowerCut, AtTheEndOfAnImport) {
  const auto key = foreign_rsa_key(1024);
  sweep(
      2,
      [&](EtokenCard& card) {
        log_in(card);
        EXPECT_EQ(card.send(select_path("666650000220")), "9000");
        EXPECT_EQ(card.send(create_df("3002")), "9000");
        for (const auto& [tag, part] :
             {std::pair("12", key.e), {"13", key.p}, {"14", key.q}, {"15", key.dp}, {"16", key.dq}})
          EXPECT_EQ(card.send(command("80 DB 00 31", simple_tlv(tag, part))), "9000");
      },
      [&](EtokenCard& card) {
        EXPECT_EQ(card.send(command("80 DB 01 31", simple_tlv("17", key.qinv))), "9000");
      },
      [&](EtokenCard& card, bool finished) {
        expect_key(card);
        if (finished) expect_signs(card, "3002");
        expect_repeatable(card);
      });
}

TEST_F(EtokenPowerCut, ADeletionIsFinishedWhenPowerIsBack) {
  // The decision, three files, the end of it.
  sweep(
      5,
      [](EtokenCard& card) {
        log_in(card);
        EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
      },
      [](EtokenCard& card) { EXPECT_EQ(card.send("80 E4 00 00"), "9000"); },
      [&](EtokenCard& card, bool) {
        if (list(card, "666650000220") == "0A0230019000") {
          expect_key(card);  // cut before its first write: nothing happened
          return;
        }
        EXPECT_EQ(list(card, "666650000220"), "0A009000");
        log_in(card);
        card.generate("3001");
        expect_signs(card, "3001");
      });
}

TEST_F(EtokenPowerCut, AnInitialisationIsFinishedWhenPowerIsBack) {
  std::string body;
  int undone = 0;
  // The decision, 12 files of old, two counters, five files, the end of it.
  sweep(
      21,
      [&](EtokenCard& card) {
        log_in_so(card);
        body =
            card.new_credential(new_salt, new_pin, card.login_key(so_pin, so_role)) + "2103616263";
      },
      [&](EtokenCard& card) { EXPECT_EQ(card.send(command("80 8E 00 00", body)), "9000"); },
      [&](EtokenCard& card, bool) {
        if (card.salt(so_role) != new_salt) {
          ++undone;
          log_in_so(card);
          expect_key(card);
          return;
        }
        EXPECT_EQ(list(card, "66665000"), "0A080001000A000E02209000");
        EXPECT_EQ(list(card, "666650000220"), "0A009000");
        EXPECT_EQ(card.send(select_path("666650000001")), "9000");
        EXPECT_EQ(card.send(read_at(0)), "21036162639000");
        EXPECT_EQ(card.log_in(new_pin, so_role), "9000");
        EXPECT_EQ(card.log_in_wrongly(user_role), "6984");
      });
  EXPECT_EQ(undone, 1) << "cut before its first write";
}

TEST_F(EtokenPowerCut, APersonalisationThatWasCutIsBegunAnew) {
  for (std::uint64_t n = 1;; ++n) {
    ASSERT_LT(n, 100u);
    Nvram nvram;
    nvram.before_write = [n](std::uint64_t number) {
      if (number == n) throw PowerCut{};
    };
    bool cut = false;
    try {
      find_profile("etoken72k")->make(nvram, seeded());
    } catch (const PowerCut&) {
      cut = true;
    }
    nvram.before_write = nullptr;
    EtokenCard card(nvram, "etoken72k", seeded());
    EXPECT_EQ(list(card, "66665000"), "0A100001000200030006000A000E000F02209000");
    log_in(card);
    if (!cut) break;
  }
}

TEST_F(EtokenPowerCut, MemoryThatFailsIsAStatusWordAndChangesNothing) {
  EtokenCard card;
  log_in(card);
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  card.nvram().before_write = [](std::uint64_t) { throw NvramFailure{}; };
  EXPECT_EQ(card.send(create_df("3001")), "6581");
  card.nvram().before_write = nullptr;
  EXPECT_EQ(list(card, "666650000220"), "0A009000");
}

}  // namespace
}  // namespace kilt::sim::test
