// SPDX-License-Identifier: Apache-2.0
#include "apdu/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apdu/scripted_transport.hpp"

namespace kilt::apdu {
namespace {

using test::ScriptedTransport;
using testing::ElementsAre;

CommandApdu sign(std::size_t body, std::size_t ne = 256) {
  return pso_compute_digital_signature(Bytes(body, 0xAA), ne);
}
std::string body_hex(std::size_t count) {
  return to_hex(Bytes(count, 0xAA));
}

TEST(Channel, SendsAShortCommandAsItIs) {
  ScriptedTransport card({"0102 9000"});
  Channel channel(card);
  const auto answer = channel.send(get_challenge(2));
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(answer->data, (Bytes{1, 2}));
  EXPECT_THAT(card.sent, ElementsAre("0084000002"));
}

TEST(Channel, AStatusWordIsForTheCallerToJudge) {
  ScriptedTransport card({"6A82"});
  Channel channel(card);
  const auto answer = channel.send(select(SelectMode::by_id, Bytes{0, 1}, SelectAnswer::fci));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, sw::file_not_found);
}

// ---- long commands ---------------------------------------------------------------------------

TEST(Channel, ALongBodyGoesInAChain) {
  ScriptedTransport card({"9000", "BB 9000"});
  Channel channel(card);
  const auto answer = channel.send(sign(256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data, Bytes{0xBB});
  EXPECT_THAT(card.sent, ElementsAre("102A9E9AFF" + body_hex(255), "002A9E9A01AA00"));
}

TEST(Channel, ABodyOfAWholeBlockNeedsNoChain) {
  ScriptedTransport card({"9000"});
  Channel channel(card);
  ASSERT_TRUE(channel.send(sign(255)).ok());
  EXPECT_THAT(card.sent, ElementsAre("002A9E9AFF" + body_hex(255) + "00"));
}

TEST(Channel, ChainBlocksFitThroughTheReader) {
  ScriptedTransport card({"9000", "9000", "9000"});
  card.reader_limits.max_command = 106;
  Channel channel(card);
  ASSERT_TRUE(channel.send(sign(250)).ok());
  EXPECT_THAT(card.sent, ElementsAre("102A9E9A64" + body_hex(100), "102A9E9A64" + body_hex(100),
                                     "002A9E9A32" + body_hex(50) + "00"));
}

TEST(Channel, AReaderThatLetsNothingThroughIsSaidSo) {
  ScriptedTransport card({"9000"});
  card.reader_limits.max_command = 5;
  Channel channel(card);
  EXPECT_EQ(channel.send(sign(1)).error().kind, ErrorKind::transport);
  EXPECT_TRUE(card.sent.empty());
}

TEST(Channel, ARefusedBlockEndsTheChain) {
  ScriptedTransport card({"6884", "9000"});
  Channel channel(card);
  const auto answer = channel.send(sign(600));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, sw::chaining_not_supported);
  EXPECT_EQ(card.sent.size(), 1U);
}

TEST(Channel, AnAnswerInTheMiddleOfAChainIsNonsense) {
  ScriptedTransport card({"6110", "9000"});
  Channel channel(card);
  EXPECT_EQ(channel.send(sign(600)).error().kind, ErrorKind::protocol);
}

TEST(Channel, RemovalInTheMiddleOfAChainIsRemoval) {
  ScriptedTransport card({"9000"});
  Channel channel(card);
  EXPECT_EQ(channel.send(sign(600)).error().kind, ErrorKind::removed);
  EXPECT_EQ(card.sent.size(), 2U);
}

TEST(Channel, ABlockThatTheCallerChainsIsLeftAlone) {
  ScriptedTransport card({"9000"});
  Channel channel(card);
  CommandApdu block(0x10, ins::change_reference_data, 0x01, 0x00);
  block.data(Bytes(255, 0xAA));
  ASSERT_TRUE(channel.send(block).ok());
  EXPECT_THAT(card.sent, ElementsAre("10240100FF" + body_hex(255)));

  block.data(Bytes(256, 0xAA));
  EXPECT_EQ(channel.send(block).error().kind, ErrorKind::bad_argument);
  EXPECT_EQ(card.sent.size(), 1U);
}

TEST(Channel, ASecretIsChainedAsASecret) {
  ScriptedTransport card({"9000", "9000"});
  Channel channel(card);
  const auto answer =
      channel.send(change_reference_data(0x01, 0x00, SecretBytes::copy_of(Bytes(300, 0xAA))));
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(card.sent, ElementsAre("10240100FF" + body_hex(255), "002401002D" + body_hex(45)));
}

// ---- extended length -------------------------------------------------------------------------

class ExtendedLength : public testing::Test {
 protected:
  void allow(bool reader, bool card_prefers, std::size_t max = 65544) {
    card_.reader_limits = {max, 65538, reader};
    channel_.set_prefer_extended(card_prefers);
  }
  ScriptedTransport card_{{"9000", "9000", "9000", "9000"}};
  Channel channel_{card_};
};

TEST_F(ExtendedLength, IsUsedWhenReaderAndCardBothKnowIt) {
  allow(true, true);
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_THAT(card_.sent, ElementsAre("002A9E9A000100" + body_hex(256) + "0100"));
}

TEST_F(ExtendedLength, IsNeverUsedOnAReaderThatDoesNotSaySo) {
  allow(false, true);
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_EQ(card_.sent.size(), 2U);
  ASSERT_TRUE(channel_.send(read_binary(0, 1000)).ok());
  EXPECT_EQ(card_.sent.back(), "00B0000000") << "a long answer is asked for in short form";
}

TEST_F(ExtendedLength, IsTriedOnAReaderThatSaysNothing) {
  card_.reader_limits.silent = true;
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_EQ(card_.sent.size(), 2U) << "not without the card's consent";
  channel_.set_prefer_extended(true);
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_EQ(card_.sent.back(), "002A9E9A000100" + body_hex(256) + "0100");
}

TEST_F(ExtendedLength, IsNotUsedWithoutTheCardsConsent) {
  allow(true, false);
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_EQ(card_.sent.size(), 2U);
}

TEST_F(ExtendedLength, IsNotUsedBeyondTheReadersLimit) {
  allow(true, true, 300);
  ASSERT_TRUE(channel_.send(sign(400)).ok());
  EXPECT_EQ(card_.sent.size(), 2U);
  for (const auto& sent : card_.sent)
    EXPECT_LE(sent.size(), 2 * 261U);
}

TEST_F(ExtendedLength, IsNotUsedOverT0) {
  allow(true, true);
  card_.spoken = Protocol::t0;
  ASSERT_TRUE(channel_.send(sign(256)).ok());
  EXPECT_EQ(card_.sent.size(), 2U);
}

TEST_F(ExtendedLength, IsNotUsedWhereShortSuffices) {
  allow(true, true);
  ASSERT_TRUE(channel_.send(sign(255)).ok());
  EXPECT_EQ(card_.sent[0].size(), 2 * 261U);
}

// ---- 61xx and 6Cxx ---------------------------------------------------------------------------

TEST(Channel, FetchesTheRestOfAnAnswer) {
  ScriptedTransport card({"0102 6102", "0304 6101", "05 9000"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data, (Bytes{1, 2, 3, 4, 5}));
  EXPECT_TRUE(answer->ok());
  EXPECT_THAT(card.sent, ElementsAre("00CA018100", "00C0000002", "00C0000001"));
}

TEST(Channel, SixtyOneHundredMeans256) {
  ScriptedTransport card({"6100", to_hex(Bytes(256, 1)) + "9000"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data.size(), 256U);
  EXPECT_EQ(card.sent[1], "00C0000000");
}

TEST(Channel, GetResponseHasTheInterindustryClass) {
  ScriptedTransport card({"6101", "AA 9000"});
  Channel channel(card);
  CommandApdu proprietary(0x80, 0x30, 0, 0);
  ASSERT_TRUE(channel.send(proprietary.expect(256)).ok());
  EXPECT_EQ(card.sent[1], "00C0000001");
}

TEST(Channel, AnErrorAtTheEndKeepsWhatCameBefore) {
  ScriptedTransport card({"0102 6102", "6F00"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, sw::no_diagnosis);
  EXPECT_EQ(answer->data, (Bytes{1, 2}));
}

TEST(Channel, RepeatsOnceWithTheRightLe) {
  ScriptedTransport card({"6C04", "01020304 9000"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data.size(), 4U);
  EXPECT_THAT(card.sent, ElementsAre("00CA018100", "00CA018104"));
}

TEST(Channel, DoesNotRepeatTwice) {
  ScriptedTransport card({"6C04", "6C05", "9000"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status.value, 0x6C05);
  EXPECT_EQ(card.sent.size(), 2U);
}

TEST(Channel, DoesNotRepeatWhatHadNoLe) {
  ScriptedTransport card({"6C04", "9000"});
  Channel channel(card);
  const auto answer = channel.send(verify(0x02, SecretBytes::copy_of(as_bytes("1234"))));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status.value, 0x6C04);
  EXPECT_EQ(card.sent.size(), 1U) << "a PIN try must not be doubled";
}

TEST(Channel, AWrongLeOfGetResponseIsCorrectedToo) {
  ScriptedTransport card({"6105", "6C02", "0102 9000"});
  Channel channel(card);
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data, (Bytes{1, 2}));
  EXPECT_EQ(card.sent[2], "00C0000002");
}

// ---- T=0 -------------------------------------------------------------------------------------

class OverT0 : public testing::Test {
 protected:
  ScriptedTransport& card(std::vector<std::string> answers) {
    card_ = std::make_unique<ScriptedTransport>(std::move(answers));
    card_->spoken = Protocol::t0;
    return *card_;
  }
  std::unique_ptr<ScriptedTransport> card_;
};

TEST_F(OverT0, Case1HasAZeroP3) {
  Channel channel(card({"63C5"}));
  const auto answer = channel.send(verify_status(0x02));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status.tries_left(), 5);
  EXPECT_THAT(card_->sent, ElementsAre("0020000200"));
}

TEST_F(OverT0, Case1IsNotRepeatedAsCase2) {
  Channel channel(card({"6C08", "9000"}));
  const auto answer = channel.send(verify_status(0x02));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status.value, 0x6C08);
  EXPECT_EQ(card_->sent.size(), 1U);
}

TEST_F(OverT0, Case2HasItsLeInP3) {
  Channel channel(card({"6C08", "0102030405060708 9000"}));
  const auto answer = channel.send(get_data(0x0181, 256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data.size(), 8U);
  EXPECT_THAT(card_->sent, ElementsAre("00CA018100", "00CA018108"));
}

TEST_F(OverT0, Case4GoesWithoutLeAndIsFetched) {
  Channel channel(card({"6103", "6F0100 9000"}));
  const auto answer = channel.send(select(SelectMode::by_id, Bytes{0x3F, 0x00}, SelectAnswer::fci));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data, (Bytes{0x6F, 0x01, 0x00}));
  EXPECT_THAT(card_->sent, ElementsAre("00A40000023F00", "00C0000003"));
}

TEST_F(OverT0, AChainEndsWithoutLeAndIsFetched) {
  Channel channel(card({"9000", "6100", to_hex(Bytes(256, 7)) + "9000"}));
  const auto answer = channel.send(sign(256));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data.size(), 256U);
  EXPECT_THAT(card_->sent, ElementsAre("102A9E9AFF" + body_hex(255), "002A9E9A01AA", "00C0000000"));
}

TEST_F(OverT0, ASecretIsSentWhole) {
  Channel channel(card({"9000"}));
  ASSERT_TRUE(channel.send(verify(0x02, SecretBytes::copy_of(as_bytes("12345678")))).ok());
  EXPECT_THAT(card_->sent, ElementsAre("00200002083132333435363738"));
}

// ---- hostile cards ---------------------------------------------------------------------------

TEST(HostileCard, TruncatedAnswersAreProtocolErrors) {
  for (const char* answer : {"", "90"}) {
    ScriptedTransport card({answer});
    Channel channel(card);
    EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  }
}

TEST(HostileCard, OversizedAnswersAreProtocolErrors) {
  ScriptedTransport card({to_hex(Bytes(257)) + "9000"});
  Channel channel(card);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
}

TEST(HostileCard, AnAnswerThatNeverEndsIsCutOff) {
  ScriptedTransport card([](ByteView) -> Result<Bytes> {
    Bytes answer(256, 0xEE);
    append(answer, {0x61, 0x00});
    return answer;
  });
  Channel channel(card);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  EXPECT_LE(card.sent.size(), 257U);
}

TEST(HostileCard, DrippingIsCutOffByTheNumberOfExchanges) {
  ScriptedTransport card([](ByteView) -> Result<Bytes> { return Bytes{0x01, 0x61, 0x01}; });
  Channel channel(card);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  EXPECT_EQ(card.sent.size(), 512U);
}

TEST(HostileCard, PromisesWithoutDataAreCutOffAtOnce) {
  ScriptedTransport card([](ByteView) -> Result<Bytes> { return Bytes{0x61, 0x10}; });
  Channel channel(card);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  EXPECT_EQ(card.sent.size(), 2U);
}

TEST(HostileCard, TheNextCommandWorksAgain) {
  int call = 0;
  ScriptedTransport card([&call](ByteView) -> Result<Bytes> {
    return ++call <= 512 ? Bytes{0x01, 0x61, 0x01} : Bytes{0x90, 0x00};
  });
  Channel channel(card);
  EXPECT_FALSE(channel.send(get_challenge(8)).ok());
  EXPECT_TRUE(channel.send(get_challenge(8)).ok());
}

// ---- secure messaging ------------------------------------------------------------------------

class Envelope : public SecureMessaging {
 public:
  Result<CommandApdu> wrap(const CommandApdu& plain) override {
    CommandApdu wrapped(0x0C, plain.ins(), plain.p1(), plain.p2());
    wrapped.data(Bytes{0x8E, 0x00}).expect(256);
    return wrapped;
  }
  Result<ResponseApdu> unwrap(const ResponseApdu& wrapped) override {
    if (wrapped.data.empty()) return Error{ErrorKind::protocol, "no MAC"};
    return ResponseApdu{{0x42}, sw::ok};
  }
};

TEST(SecureChannel, WrapsAndUnwraps) {
  ScriptedTransport card({"8E00 9000"});
  Channel channel(card);
  Envelope envelope;
  channel.set_secure_messaging(&envelope);
  const auto answer = channel.send(get_challenge(8));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->data, Bytes{0x42});
  EXPECT_THAT(card.sent, ElementsAre("0C840000028E0000"));
}

TEST(SecureChannel, OnceBrokenItSendsNothingMore) {
  ScriptedTransport card({"9000", "8E00 9000", "9000"});
  Channel channel(card);
  Envelope envelope;
  channel.set_secure_messaging(&envelope);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol);
  channel.set_secure_messaging(nullptr);
  EXPECT_EQ(channel.send(get_challenge(8)).error().kind, ErrorKind::protocol)
      << "never in plain text after it";
  EXPECT_EQ(card.sent.size(), 1U);
}

}  // namespace
}  // namespace kilt::apdu
