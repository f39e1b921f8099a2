// SPDX-License-Identifier: Apache-2.0
// Recording and replay, through the channel as in real life.
#include "apdu/trace.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "apdu/channel.hpp"
#include "tests/apdu/scripted_transport.hpp"

namespace kilt::apdu {
namespace {

using test::ScriptedTransport;

class Tracing : public testing::Test {
 protected:
  Tracing() {
    char name[] = "/tmp/kilt-trace-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/trace.vec";
    recorder_ = Recorder::open(path_).value();
  }
  ~Tracing() override {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path_);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  /// The trace without line ends and spaces, so that hex is found wherever it was wrapped.
  [[nodiscard]] std::string squeezed() const {
    std::string all = text();
    std::erase_if(all, [](char c) { return c == ' ' || c == '\n'; });
    return all;
  }
  std::string folder_, path_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(Tracing, ExchangesAreWrittenAsTheyWentOverTheWire) {
  ScriptedTransport card({"01020304 9000"});
  Channel channel(card, recorder_.get());
  ASSERT_TRUE(channel.send(get_challenge(4)).ok());
  EXPECT_NE(text().find("> 00 84 00 00 04\n< 01 02 03 04 90 00\n"), std::string::npos) << text();
  EXPECT_TRUE(VectorFile::load(path_).ok());
}

TEST_F(Tracing, OnlyTheOwnerReadsTheFile) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(Tracing, AppendsToWhatIsThere) {
  recorder_->comment("first");
  recorder_ = Recorder::open(path_).value();
  recorder_->comment("second\nline");
  EXPECT_NE(text().find("; first\n; second\n; line\n"), std::string::npos) << text();
  EXPECT_EQ(text().find("date:"), text().rfind("date:")) << "one header only";
}

TEST_F(Tracing, ALinkIsNotFollowed) {
  const std::string link = folder_ + "/link.vec";
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  const auto opened = Recorder::open(link);
  ::unlink(link.c_str());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::bad_argument);
}

/// As in a daemon that closes every descriptor and then opens files of its own.
TEST_F(Tracing, AFileThatTookTheNumberGetsNothingAndStaysOpen) {
  const std::string theirs = folder_ + "/theirs";
  const int host = ::open(theirs.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  int number = -1;
  for (int fd = STDERR_FILENO + 1; fd < host; ++fd) {
    struct stat file {
    }, trace{};
    if (::fstat(fd, &file) == 0 && ::stat(path_.c_str(), &trace) == 0 &&
        file.st_ino == trace.st_ino && file.st_dev == trace.st_dev)
      number = fd;
  }
  ASSERT_GT(number, STDERR_FILENO);
  ASSERT_EQ(::dup2(host, number), number);
  recorder_->comment("not for them");
  recorder_.reset();
  struct stat file {};
  ASSERT_EQ(::fstat(number, &file), 0) << "it is theirs to close";
  EXPECT_EQ(file.st_size, 0);
  ::close(number);
  ::close(host);
  ::unlink(theirs.c_str());
}

TEST_F(Tracing, AMarkedPinNeverReachesTheFile) {
  ScriptedTransport card({"9000", "9000", "9000", "9000"});
  Channel channel(card, recorder_.get());
  const auto pin = SecretBytes::copy_of(as_bytes("87654321"));
  ASSERT_TRUE(channel.send(verify(0x02, pin.clone())).ok());
  CommandApdu hidden(0x80, 0x52, 0x00, 0x00);  // an instruction that says nothing of itself
  hidden.secret(pin.clone());
  ASSERT_TRUE(channel.send(hidden.expect(8)).ok());
  ASSERT_TRUE(
      channel.send(change_reference_data(0, 2, SecretBytes::copy_of(Bytes(300, 0x87)))).ok());
  EXPECT_EQ(squeezed().find(to_hex(pin.view())), std::string::npos);
  EXPECT_EQ(squeezed().find("878787"), std::string::npos) << "a block of a chained secret";
  EXPECT_NE(text().find("> 00 20 00 02 {pin}\n"), std::string::npos);
  EXPECT_NE(text().find("> 80 52 00 00 {pin} 08\n"), std::string::npos);
  EXPECT_NE(text().find("> 10 24 00 02 {pin}\n"), std::string::npos);
  EXPECT_TRUE(VectorFile::load(path_).ok());
}

TEST_F(Tracing, APinThatNobodyMarkedIsMaskedByItsInstruction) {
  for (const int instruction : {0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D}) {
    for (const int cla : {0x00, 0x10, 0x0C, 0x80}) {
      CommandApdu command(static_cast<std::uint8_t>(cla), static_cast<std::uint8_t>(instruction),
                          0x01, 0x02);
      command.data(copy_of(as_bytes("87654321")));
      recorder_->exchange(command, Bytes{0x90, 0x00});
      recorder_->failed(command, {ErrorKind::removed, "the card was taken out"});
    }
  }
  EXPECT_EQ(squeezed().find(to_hex(as_bytes("87654321"))), std::string::npos);
  EXPECT_NE(text().find("> 10 24 01 02 {pin}\n"), std::string::npos);
}

TEST_F(Tracing, WhatIsPrivateLeavesHeadersAndLengths) {
  ScriptedTransport card({"6F00 9000", "9000", "AABBCC 6103", "DDEEFF 9000", "0102 9000"});
  Channel channel(card, recorder_.get());
  {
    const Channel::Privacy privacy(channel);
    const Channel::Privacy inside(channel, false);  // takes nothing away
    ASSERT_TRUE(channel.send(select(SelectMode::by_id, Bytes{0x05, 0x01}, SelectAnswer::fci)));
    ASSERT_TRUE(channel.send(update_binary(2, Bytes{0xA1, 0xA2, 0xA3})).ok());
    ASSERT_TRUE(channel.send(read_binary(2, 3)).ok());
  }
  const Channel::Privacy none(channel, false);
  ASSERT_TRUE(channel.send(read_binary(0, 2)).ok());
  EXPECT_NE(text().find("> 00 A4 00 00 02 05 01 00\n< 6F 00 90 00\n"), std::string::npos);
  EXPECT_NE(text().find("> 00 D6 00 02 03 {any:3}\n< 90 00\n"), std::string::npos);
  EXPECT_NE(text().find("> 00 B0 00 02 03\n< {any:3} 61 03\n"), std::string::npos);
  EXPECT_NE(text().find("> 00 C0 00 00 03\n< {any:3} 90 00\n"), std::string::npos);
  EXPECT_NE(text().find("> 00 B0 00 00 02\n< 01 02 90 00\n"), std::string::npos);
  EXPECT_TRUE(VectorFile::load(path_).ok());
}

TEST_F(Tracing, WhatIsPrivateStaysSoInEveryForm) {
  const Bytes content(600, 0xA7);
  CommandApdu asks(0x80, 0x18, 0x00, 0x00);
  asks.data(Bytes(4, 0xA7)).expect(16);
  for (const auto spoken : {Protocol::t0, Protocol::t1}) {
    for (const bool extended : {false, true}) {
      ScriptedTransport card({"9000", "9000", "9000", "9000"});
      card.spoken = spoken;
      card.reader_limits = {65544, 65538, extended};
      Channel channel(card, recorder_.get());
      channel.set_prefer_extended(extended);
      const Channel::Privacy privacy(channel);
      EXPECT_TRUE(channel.send(update_binary(0, content)).ok());
      EXPECT_TRUE(channel.send(asks).ok());
      while (channel.send(asks).ok()) {
      }  // until the card is taken out
    }
  }
  EXPECT_EQ(squeezed().find("A7A7"), std::string::npos);
  EXPECT_NE(text().find("> 10 D6 00 00 FF {any:255}\n"), std::string::npos);
  EXPECT_NE(text().find("> 00 D6 00 00 00 02 58 {any:600}\n"), std::string::npos);
  EXPECT_NE(text().find("> 80 18 00 00 04 {any:4} 10\n"), std::string::npos);
  EXPECT_NE(text().find("; > 80 18 00 00 04 {any:4} 10\n; failed: "), std::string::npos);
  EXPECT_TRUE(VectorFile::load(path_).ok());
}

TEST_F(Tracing, OverT0ThePinIsMaskedAsWell) {
  ScriptedTransport card({"9000"});
  card.spoken = Protocol::t0;
  Channel channel(card, recorder_.get());
  CommandApdu command = verify(0x02, SecretBytes::copy_of(as_bytes("87654321")));
  ASSERT_TRUE(channel.send(command.expect(256)).ok());
  EXPECT_EQ(squeezed().find(to_hex(as_bytes("87654321"))), std::string::npos);
}

TEST_F(Tracing, AQueryWithoutAPinIsShown) {
  ScriptedTransport card({"63C5"});
  Channel channel(card, recorder_.get());
  ASSERT_TRUE(channel.send(verify_status(0x02)).ok());
  EXPECT_NE(text().find("> 00 20 00 02\n< 63 C5\n"), std::string::npos) << text();
}

TEST_F(Tracing, WhatWasDecipheredIsMasked) {
  ScriptedTransport card({"A1B2C3D4 6102", "E5F6 9000", "A1B2C3D4 9000"});
  Channel channel(card, recorder_.get());
  ASSERT_TRUE(channel.send(pso_decipher(Bytes(16, 1), 256)).ok());
  EXPECT_EQ(squeezed().find("A1B2C3D4"), std::string::npos) << text();
  EXPECT_EQ(squeezed().find("E5F6"), std::string::npos) << "fetched by GET RESPONSE";
  EXPECT_NE(text().find("< {any:4} 61 02\n"), std::string::npos);
  ASSERT_TRUE(channel.send(get_challenge(4)).ok());
  EXPECT_NE(squeezed().find("A1B2C3D4"), std::string::npos) << "later answers are shown again";
}

TEST_F(Tracing, AnAnswerMarkedAsSecretIsMasked) {
  ScriptedTransport card({"A1B2C3 6102", "E5F6 9000"});
  Channel channel(card, recorder_.get());
  CommandApdu command(0x80, 0x0C, 0x03, 0x31);
  command.data({1}).expect(256).hide_answer();
  ASSERT_TRUE(channel.send(command.clone()).ok());
  EXPECT_NE(text().find("< {any:3} 61 02\n"), std::string::npos);
  EXPECT_EQ(squeezed().find("E5F6"), std::string::npos) << "fetched by GET RESPONSE";
}

TEST_F(Tracing, WhatWasDecipheredIsMaskedBesideAnotherCard) {
  ScriptedTransport other_card({"9000"});
  Channel other(other_card, recorder_.get());
  int call = 0;
  ScriptedTransport card([&](ByteView) -> Result<Bytes> {
    if (++call == 1) return Bytes{0x61, 0x04};
    EXPECT_TRUE(other.send(verify_status(0x02)).ok());  // between the two halves
    return from_hex("A1B2C3D4 9000").value();
  });
  Channel channel(card, recorder_.get());
  ASSERT_TRUE(channel.send(pso_decipher(Bytes(16, 1), 256)).ok());
  EXPECT_EQ(squeezed().find("A1B2C3D4"), std::string::npos) << text();
}

TEST_F(Tracing, AFailedExchangeIsAComment) {
  ScriptedTransport card(std::vector<std::string>{});
  Channel channel(card, recorder_.get());
  EXPECT_FALSE(channel.send(get_challenge(4)).ok());
  EXPECT_NE(text().find("; > 00 84 00 00 04\n; failed: the script is over\n"), std::string::npos)
      << text();
  EXPECT_TRUE(VectorFile::load(path_).ok());
}

TEST_F(Tracing, ThreadsDoNotMixTheirLines) {
  const auto run = [this] {
    for (int i = 0; i < 200; ++i) {
      recorder_->exchange(update_binary(0, Bytes(100, 0x11)), Bytes{0x90, 0x00});
    }
  };
  std::thread one(run), two(run);
  one.join(), two.join();
  const auto file = VectorFile::load(path_);
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->steps.size(), 400U);
}

TEST_F(Tracing, ATraceCanBePlayedBack) {
  {
    ScriptedTransport card({"9000", to_hex(Bytes(256, 0x77)) + "9000", "9000", "6300"});
    Channel channel(card, recorder_.get());
    ASSERT_TRUE(channel.send(pso_compute_digital_signature(Bytes(256, 1), 256)).ok());
    ASSERT_TRUE(channel.send(update_binary(0, Bytes(40, 2))).ok());
    ASSERT_TRUE(channel.send(verify(0x02, SecretBytes::copy_of(as_bytes("12345678")))).ok());
  }
  ReplayTransport replay(VectorFile::load(path_).value(), {});
  Channel channel(replay);
  const auto signature = channel.send(pso_compute_digital_signature(Bytes(256, 1), 256));
  ASSERT_TRUE(signature.ok()) << signature.error().message();
  EXPECT_EQ(signature->data, Bytes(256, 0x77));
  ASSERT_TRUE(channel.send(update_binary(0, Bytes(40, 2))).ok());
  EXPECT_FALSE(replay.finished());
  const auto verified = channel.send(verify(0x02, SecretBytes::copy_of(as_bytes("another"))));
  ASSERT_TRUE(verified.ok());
  EXPECT_EQ(verified->status, sw::verification_failed);
  EXPECT_TRUE(replay.finished());
}

TEST(Replay, AMismatchNamesTheLineAndNoSecret) {
  ReplayTransport replay(VectorFile::parse("card: x\n\n> 00 A4 00 00\n< 90 00\n").value(), {});
  Channel channel(replay);
  const auto answer = channel.send(verify(0x02, SecretBytes::copy_of(as_bytes("87654321"))));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::protocol);
  EXPECT_NE(answer.error().message().find("line 3"), std::string::npos);
  EXPECT_NE(answer.error().message().find("00 20 00 02"), std::string::npos);
  EXPECT_EQ(answer.error().message().find("38"), std::string::npos) << answer.error().message();
  EXPECT_EQ(replay.position(), 0U);
}

TEST(Replay, EndsWithItsFile) {
  ReplayTransport replay(VectorFile::parse("> 00 84 00 00 01\n< AA 90 00\n").value(), {});
  Channel channel(replay);
  ASSERT_TRUE(channel.send(get_challenge(1)).ok());
  EXPECT_TRUE(replay.finished());
  EXPECT_EQ(channel.send(get_challenge(1)).error().kind, ErrorKind::protocol);
}

TEST(Replay, AResetIsAStep) {
  ReplayTransport replay(VectorFile::parse("! reset\n> 00 84 00 00 01\n< AA 90 00\n").value(), {});
  Channel channel(replay);
  EXPECT_FALSE(channel.send(get_challenge(1)).ok());
  const auto before = replay.begin().value();
  EXPECT_TRUE(replay.reset().ok());
  EXPECT_GT(replay.begin().value(), before);
  EXPECT_TRUE(channel.send(get_challenge(1)).ok());
  EXPECT_FALSE(replay.reset().ok());
}

TEST(Replay, AnAnswerOfAnyLengthCannotBePlayed) {
  ReplayTransport replay(VectorFile::parse("> 00 84 00 00 01\n< {any} 90 00\n").value(), {});
  Channel channel(replay);
  const auto answer = channel.send(get_challenge(1));
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.error().message().find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace kilt::apdu
