// SPDX-License-Identifier: Apache-2.0
// Files on a card, and changes of directory files that a power cut cannot spoil.
#include "drivers/iso_card.hpp"

#include <gtest/gtest.h>

#include <random>

#include "drivers/kaztoken_application.hpp"
#include "tests/apdu/scripted_transport.hpp"

namespace kilt::card {
namespace {

constexpr const char* ef_of_600 = "6F0F 80020258 82020100 83025031 8A0105 9000";

struct Bench {
  explicit Bench(std::vector<std::string> answers) {
    auto transport = std::make_unique<test::ScriptedTransport>(std::move(answers));
    reader = transport.get();
    link = std::make_unique<Link>(std::move(transport), nullptr);
    files = std::make_unique<IsoFiles>(*link, Pedigree{Evidence::published, "[7816-4]"});
  }
  test::ScriptedTransport* reader;
  std::unique_ptr<Link> link;
  std::unique_ptr<IsoFiles> files;
};

std::string bytes(std::size_t count, const std::string& status = "9000") {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "30";
  return text + status;
}

TEST(IsoFiles, ReadsAWholeFileInTheFewestCommands) {
  Bench bench({ef_of_600, bytes(256), bytes(256), bytes(88)});
  EXPECT_EQ(bench.files->read_file({0x5000, 0x5031})->size(), 600u);
  EXPECT_EQ(bench.reader->sent, (std::vector<std::string>{"00A40800045000503100", "00B0000000",
                                                          "00B0010000", "00B0020058"}));
}

TEST(IsoFiles, TakesEachCustomAtTheEndOfAFile) {
  EXPECT_EQ((Bench({ef_of_600, bytes(256), bytes(20, "6282"), "6B00"})
                 .files->read_file({0x5031})
                 ->size()),
            276u);
  EXPECT_EQ((Bench({ef_of_600, bytes(256), "6B00"}).files->read_file({0x5031})->size()), 256u);
  EXPECT_EQ((Bench({ef_of_600, bytes(256), bytes(10), "9000"}).files->read_file({0x5031})->size()),
            266u);
  EXPECT_EQ((Bench({ef_of_600, bytes(256), "6C0A", bytes(10), "6282"})
                 .files->read_file({0x5031})
                 ->size()),
            266u);
}

TEST(IsoFiles, RefusesNonsense) {
  for (const char* control :
       {"9000", "6F00 9000", "62 9000", "6F02 8002 9000", "6F08 80028001 82020100 9000"}) {
    const auto read = Bench({control, "9000", "9000"}).files->read_file({0x5031});
    if (read) {
      EXPECT_TRUE(read->empty()) << control;
    } else {
      EXPECT_EQ(read.error().kind, ErrorKind::protocol) << control;
    }
  }
  const auto entries = [](std::string content) {
    content.resize(512, '0');
    Bench bench({"6F08 80020100 82020100 9000", content + "9000"});
    const auto read = bench.files->read_entries({0x5031});
    return read ? ErrorKind::internal : read.error().kind;
  };
  EXPECT_EQ(entries("3002AABB"), ErrorKind::internal) << "a good one";
  EXPECT_EQ(entries("30820200"), ErrorKind::protocol) << "longer than the file";
  EXPECT_EQ(entries("3080"), ErrorKind::protocol) << "without a length";
  EXPECT_EQ(entries("3F8101"), ErrorKind::protocol) << "a tag of two bytes";
}

TEST(IsoFiles, StopsReadingADirectoryAtItsEnd) {
  Bench bench({"6F08 80020800 82020100 9000", "3003010203" + std::string(502, '0') + "9000"});
  const auto read = bench.files->read_entries({0x6002});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->content.size(), 5u);
  EXPECT_EQ(read->size, 2048u);
  EXPECT_EQ(bench.reader->sent.size(), 2u);
}

TEST(IsoFiles, SelectsNothingTwiceWithinAnOperation) {
  Bench bench({ef_of_600, ef_of_600, "6A82", ef_of_600});
  ASSERT_TRUE(bench.files->select({0x5000, 0x5031}).ok());
  ASSERT_TRUE(bench.files->select({0x5000, 0x5031}).ok());
  ASSERT_TRUE(bench.files->enter({0x5000}).ok());
  EXPECT_EQ(bench.reader->sent.size(), 1u);
  bench.files->begin();
  EXPECT_TRUE(bench.files->was_selected({0x5000, 0x5031}));
  ASSERT_TRUE(bench.files->select({0x5000, 0x5031}).ok());
  EXPECT_EQ(bench.reader->sent.size(), 2u);
  EXPECT_EQ(bench.files->select({0x5000, 0x5032}).error().kind, ErrorKind::not_found);
  EXPECT_FALSE(bench.files->was_selected({0x5000, 0x5031})) << "after a failure nothing is known";
}

TEST(StatusWords, AreErrorsOfTheirOwnKind) {
  const auto kind = [](std::uint16_t sw) { return status_error({sw}, "x").kind; };
  EXPECT_EQ(kind(0x6982), ErrorKind::not_logged_in);
  EXPECT_EQ(kind(0x6983), ErrorKind::access_denied) << "nobody sent a PIN";
  EXPECT_EQ(kind(0x6300), ErrorKind::protocol) << "nor here";
  EXPECT_EQ(kind(0x63C2), ErrorKind::protocol);
  EXPECT_EQ(status_error({0x63C2}, "x").tries_left, std::nullopt);
  const auto wrong = check_pin(apdu::ResponseApdu{{}, {0x63C2}}, "x");
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, 2);
  const auto of_pin = [](std::uint16_t sw) {
    return check_pin(apdu::ResponseApdu{{}, {sw}}, "x").error().kind;
  };
  EXPECT_EQ(of_pin(0x6983), ErrorKind::pin_blocked);
  EXPECT_EQ(of_pin(0x6984), ErrorKind::pin_not_set);
  EXPECT_EQ(of_pin(0x6982), ErrorKind::not_logged_in);
  EXPECT_EQ(kind(0x6A82), ErrorKind::not_found);
  EXPECT_EQ(kind(0x6A84), ErrorKind::no_space);
  EXPECT_EQ(kind(0x6A89), ErrorKind::exists);
  EXPECT_EQ(kind(0x6D00), ErrorKind::unsupported);
  EXPECT_EQ(kind(0x6F00), ErrorKind::protocol);
  EXPECT_EQ(status_error({0x6A84}, "x").sw, 0x6A84);
}

// ---- changes in place ------------------------------------------------------------------------

/// Up to the first entry that begins with 00, as every reader takes it.
std::optional<Bytes> seen(const Bytes& file) {
  std::size_t at = 0;
  while (at < file.size() && file[at] != 0) {
    std::size_t length = 0, header = 0;
    if (file[at + 1] < 0x80) {
      header = 2, length = file[at + 1];
    } else if (file[at + 1] == 0x81) {
      header = 3, length = file[at + 2];
    } else if (file[at + 1] == 0x82) {
      header = 4, length = be16(file[at + 2], file[at + 3]);
    } else {
      return std::nullopt;
    }
    if (at + header + length > file.size()) return std::nullopt;
    at += header + length;
  }
  return Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at));
}

Bytes entry(std::size_t length, std::uint8_t filler) {
  Bytes made{0x30};
  if (length < 0x80) {
    made.push_back(static_cast<std::uint8_t>(length));
  } else {
    append(made, {0x82, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  }
  made.resize(made.size() + length, filler);
  return made;
}

TEST(PlanInPlace, EveryCutShowsTheOldOrTheNew) {
  std::mt19937 random(7816);
  const auto number = [&](std::size_t most) { return random() % (most + 1); };
  int planned = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    constexpr std::size_t size = 1024;
    std::vector<Bytes> entries;
    std::size_t total = 0;
    while (total < 700 && number(5) != 0) {
      entries.push_back(entry(number(200), static_cast<std::uint8_t>(1 + number(200))));
      total += entries.back().size();
    }
    auto changed = entries;
    switch (number(2)) {
      case 0:
        changed.push_back(entry(number(400), 0x11));
        break;
      case 1:
        if (!changed.empty())
          changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(number(changed.size() - 1)));
        break;
      default:
        if (!changed.empty()) changed[number(changed.size() - 1)] = entry(number(200), 0x22);
    }
    Bytes now, wanted;
    for (const auto& e : entries)
      append(now, e);
    for (const auto& e : changed)
      append(wanted, e);
    // Behind the end stands what earlier changes left there.
    Bytes file = now;
    if (file.size() < size) file.push_back(0);
    while (file.size() < size)
      file.push_back(static_cast<std::uint8_t>(number(255)));
    const auto plan = kaztoken::plan_in_place(now, wanted, size);
    if (!plan) {
      ++refused;
      continue;
    }
    ++planned;
    for (const auto& write : *plan) {
      ASSERT_LE(write.data.size(), IsoFiles::update_step);
      ASSERT_LE(write.offset + write.data.size(), size);
      const auto view = seen(file);
      ASSERT_TRUE(view && *view == now) << "before the last write the old stands";
      std::copy(write.data.begin(), write.data.end(),
                file.begin() + static_cast<std::ptrdiff_t>(write.offset));
    }
    ASSERT_EQ(seen(file), wanted);
  }
  EXPECT_GT(planned, 1000);
  EXPECT_GT(refused, 50);
}

TEST(PlanInPlace, WritesNoMoreThanItMust) {
  const Bytes now = from_hex("30021111 30022222").value();
  EXPECT_TRUE(kaztoken::plan_in_place(now, now, 128)->empty());
  const auto one = kaztoken::plan_in_place(now, from_hex("30021112 30022222").value(), 128);
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ(one->front().offset, 3u);
  EXPECT_EQ(one->front().data, Bytes{0x12});
  EXPECT_FALSE(kaztoken::plan_in_place(now, Bytes(129, 0x30), 128).has_value()) << "does not fit";
}

}  // namespace
}  // namespace kilt::card
