// SPDX-License-Identifier: Apache-2.0
// libifdkilt.so inside the real pcscd, as any PC/SC program sees it. Run by
//   kilt-sim run --card kaztoken --via pcscd -- ifdhandler_test
// which starts the card and a pcscd of its own.
#include <PCSC/reader.h>
#include <PCSC/winscard.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "apdu/bytes.hpp"

extern char** environ;

namespace kilt {
namespace {

using Clock = std::chrono::steady_clock;
constexpr DWORD any_protocol = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;

/// kilt-sim WORD, for the simulator that KILT_SIM names. True: it said it did so.
bool simulator(const char* word) {
  std::string program = std::string(KILT_BUILD_DIR) + "/bin/kilt-sim", argument = word;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) != 0) {
    return false;
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class InPcscd : public testing::Test {
 protected:
  InPcscd() {
    if (!std::getenv("PCSCLITE_CSOCK_NAME") || !std::getenv("KILT_SIM")) {
      ADD_FAILURE() << "run me by kilt-sim run --via pcscd";
      std::exit(2);
    }
    EXPECT_EQ(SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context_),
              SCARD_S_SUCCESS);
    char names[1024];
    DWORD length = sizeof names;
    EXPECT_EQ(SCardListReaders(context_, nullptr, names, &length), SCARD_S_SUCCESS);
    reader_ = names;
    wait_for(SCARD_STATE_PRESENT);
  }
  ~InPcscd() override {
    disconnect();
    if (out_) (void)simulator("insert");
    SCardReleaseContext(context_);
  }

  LONG connect() {
    return SCardConnect(context_, reader_.c_str(), SCARD_SHARE_SHARED, any_protocol, &card_,
                        &protocol_);
  }
  void disconnect(DWORD how = SCARD_LEAVE_CARD) {
    if (card_ != 0) SCardDisconnect(std::exchange(card_, 0), how);
  }
  LONG transmit(const Bytes& command, std::string* answer = nullptr) {
    Bytes room(300);
    DWORD length = room.size();
    const auto* pci = protocol_ == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    const LONG rv =
        SCardTransmit(card_, pci, command.data(), command.size(), nullptr, room.data(), &length);
    if (answer != nullptr) {
      *answer = rv == SCARD_S_SUCCESS ? to_hex(ByteView(room).first(length)) : "";
    }
    return rv;
  }
  std::string ask(const char* hex) {
    std::string answer;
    EXPECT_EQ(transmit(from_hex(hex).value(), &answer), SCARD_S_SUCCESS);
    return answer;
  }
  /// Until the reader's state has `bits`, at most 20 s. The state as it is then.
  DWORD wait_for(DWORD bits) {
    const auto end = Clock::now() + std::chrono::seconds(20);
    SCARD_READERSTATE state{};
    state.szReader = reader_.c_str();
    while (Clock::now() < end) {
      SCardGetStatusChange(context_, 1000, &state, 1);
      if ((state.dwEventState & bits) != 0) return state.dwEventState;
      state.dwCurrentState = state.dwEventState;
    }
    ADD_FAILURE() << "the reader's state never had the bits " << bits;
    return state.dwEventState;
  }
  [[nodiscard]] bool take_out() { return out_ = simulator("remove"); }
  [[nodiscard]] bool put_in() {
    out_ = !simulator("insert");
    return !out_;
  }
  std::string attribute(DWORD id) {
    Bytes room(64);
    DWORD length = room.size();
    if (SCardGetAttrib(card_, id, room.data(), &length) != SCARD_S_SUCCESS) return "none";
    return to_hex(ByteView(room).first(length));
  }

  SCARDCONTEXT context_ = 0;
  SCARDHANDLE card_ = 0;
  DWORD protocol_ = 0;
  std::string reader_;
  bool out_ = false;
};

TEST_F(InPcscd, TheReaderIsKnownForASimulator) {
  EXPECT_TRUE(reader_.starts_with("kilt simulator")) << reader_;
}

TEST_F(InPcscd, AnswersCommands) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  const std::string serial = ask("00CA018108");
  EXPECT_TRUE(serial.ends_with("9000")) << serial;
}

TEST_F(InPcscd, Case1GoesWithAndWithoutP3) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  const char* whole = protocol_ == SCARD_PROTOCOL_T0 ? "0020000200" : "00200002";
  EXPECT_TRUE(ask(whole).starts_with("63C"));
  EXPECT_TRUE(ask("00200002").starts_with("63C"));
}

TEST_F(InPcscd, TellsThatExtendedCommandsDoNotPass) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  Bytes room(256);
  DWORD length = 0;
  ASSERT_EQ(SCardControl(card_, CM_IOCTL_GET_FEATURE_REQUEST, nullptr, 0, room.data(), room.size(),
                         &length),
            SCARD_S_SUCCESS);
  ASSERT_EQ(length, 6U);
  ASSERT_EQ(room[0], FEATURE_GET_TLV_PROPERTIES);
  ASSERT_EQ(room[1], 4);
  const DWORD code = DWORD{room[2]} << 24 | DWORD{room[3]} << 16 | DWORD{room[4]} << 8 | room[5];
  ASSERT_EQ(SCardControl(card_, code, nullptr, 0, room.data(), room.size(), &length),
            SCARD_S_SUCCESS);
  EXPECT_EQ(to_hex(ByteView(room).first(length)), "0A0400000000");
  EXPECT_NE(SCardControl(card_, SCARD_CTL_CODE(1), nullptr, 0, room.data(), room.size(), &length),
            SCARD_S_SUCCESS);
}

TEST_F(InPcscd, RefusesALongCommandAsARealTokenDoes) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  Bytes extended = from_hex("002A9E9A000100").value();
  extended.resize(extended.size() + 256);
  EXPECT_EQ(transmit(extended), SCARD_E_NOT_TRANSACTED);
  EXPECT_TRUE(ask("00CA018108").ends_with("9000")) << "the next command works";
}

TEST_F(InPcscd, GivesAttributes) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  EXPECT_EQ(attribute(SCARD_ATTR_VENDOR_NAME), to_hex(as_bytes({"kilt", 5})));
  EXPECT_EQ(attribute(SCARD_ATTR_ATR_STRING).substr(0, 2), "3B");
  EXPECT_EQ(attribute(SCARD_ATTR_ICC_PRESENCE), "02");
  EXPECT_EQ(attribute(SCARD_ATTR_ICC_INTERFACE_STATUS), "01");
  EXPECT_EQ(attribute(SCARD_ATTR_MAXINPUT), "05010000") << "261";
  EXPECT_EQ(attribute(SCARD_ATTR_DEFAULT_CLK), "none");
}

TEST_F(InPcscd, AResetEndsTheLogin) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  const char* query = protocol_ == SCARD_PROTOCOL_T0 ? "0020000200" : "00200002";
  ASSERT_EQ(ask("00200002083132333435363738"), "9000");
  ASSERT_EQ(ask(query), "9000");
  ASSERT_EQ(SCardReconnect(card_, SCARD_SHARE_SHARED, any_protocol, SCARD_RESET_CARD, &protocol_),
            SCARD_S_SUCCESS);
  EXPECT_TRUE(ask(query).starts_with("63C"));

  ASSERT_EQ(ask("00200002083132333435363738"), "9000");
  disconnect(SCARD_UNPOWER_CARD);
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  EXPECT_TRUE(ask(query).starts_with("63C")) << "power off";
}

TEST_F(InPcscd, RemovalIsSeenAndKillsTheConnection) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  ASSERT_TRUE(take_out());
  EXPECT_NE(transmit(from_hex("00CA018108").value()), SCARD_S_SUCCESS);
  wait_for(SCARD_STATE_EMPTY);
  EXPECT_NE(transmit(from_hex("00CA018108").value()), SCARD_S_SUCCESS);
  disconnect();
  EXPECT_EQ(connect(), SCARD_E_NO_SMARTCARD);
  ASSERT_TRUE(put_in());
  wait_for(SCARD_STATE_PRESENT);
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  EXPECT_TRUE(ask("00CA018108").ends_with("9000"));
}

TEST_F(InPcscd, AQuickChangeOfCardsIsNotTakenForTheSameCard) {
  ASSERT_EQ(connect(), SCARD_S_SUCCESS);
  ASSERT_EQ(ask("00200002083132333435363738"), "9000");
  ASSERT_TRUE(take_out());
  ASSERT_TRUE(put_in());
  EXPECT_NE(transmit(from_hex("00CA018108").value()), SCARD_S_SUCCESS);
  disconnect();
  const auto end = Clock::now() + std::chrono::seconds(20);
  LONG rv = SCARD_E_NO_SMARTCARD;
  while (rv != SCARD_S_SUCCESS && Clock::now() < end) {
    wait_for(SCARD_STATE_PRESENT);
    rv = connect();
  }
  ASSERT_EQ(rv, SCARD_S_SUCCESS);
  EXPECT_TRUE(ask("00CA018108").ends_with("9000"));
}

/// Processor time of a process so far, in clock ticks.
long ticks_of(const char* pid) {
  std::ifstream file(std::string("/proc/") + pid + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text.erase(0, text.rfind(')') + 1);
  long user = -1, system = -1;
  std::sscanf(text.c_str(), " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system);
  return user + system;
}

TEST_F(InPcscd, WaitingForACardCostsNothing) {
  const char* pid = std::getenv("KILT_SIM_PCSCD");
  ASSERT_NE(pid, nullptr);
  for (const DWORD state_bit : {SCARD_STATE_PRESENT, SCARD_STATE_EMPTY}) {
    if (state_bit == SCARD_STATE_EMPTY) {
      ASSERT_TRUE(take_out());
    }
    SCARD_READERSTATE state{};
    state.szReader = reader_.c_str();
    state.dwCurrentState = wait_for(state_bit);
    const long before = ticks_of(pid);
    ASSERT_GE(before, 0);
    const auto begin = Clock::now();
    while (Clock::now() - begin < std::chrono::seconds(1)) {
      SCardGetStatusChange(context_, 1000, &state, 1);
      state.dwCurrentState = state.dwEventState;
    }
    EXPECT_LT(ticks_of(pid) - before, ::sysconf(_SC_CLK_TCK) / 5)
        << "pcscd spins in state " << state_bit;
  }
}

}  // namespace
}  // namespace kilt
