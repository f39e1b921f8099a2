// SPDX-License-Identifier: Apache-2.0
// What the module writes down: nothing unless asked, and never a PIN.
#include "pkcs11/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <thread>
#include <tuple>

#include "tests/openssl.hpp"
#include "tests/pkcs11/every_function.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

/// Arguments for whatever function: the first number is the session, every other one the length of
/// a secret, and octets, mechanism parameters and attributes' values are that secret.
class AnyArguments {
 public:
  AnyArguments(const std::string& secret, CK_ULONG session)
      : session_(session), size_(secret.size()) {
    for (std::size_t i = 0; i < octets_.size(); ++i)
      octets_[i] = static_cast<CK_BYTE>(secret[i % secret.size()]);
    numbers_[0] = 64;  // fit, wherever a call wants to write
    mechanism_ = {CKM_RSA_PKCS_PSS, octets_.data(), size_};
    constexpr CK_ATTRIBUTE_TYPE types[] = {
        CKA_VALUE,      CKA_PRIVATE_EXPONENT, CKA_PRIME_1,     CKA_PRIME_2, CKA_EXPONENT_1,
        CKA_EXPONENT_2, CKA_COEFFICIENT,      CKA_CHECK_VALUE, CKA_URL,     CKA_VENDOR_DEFINED | 7};
    for (std::size_t i = 0; i < attributes_.size(); ++i)
      attributes_[i] = {types[i % std::size(types)], octets_.data(), size_};
  }

  template <class... Types>
  CK_RV call(CK_RV (*function)(Types...)) {
    return std::apply(function, std::tuple<Types...>{make<Types>()...});
  }

 private:
  template <class Type>
  Type make() {
    if constexpr (std::is_same_v<Type, CK_ULONG>) {
      return std::exchange(session_, size_);
    } else if constexpr (std::is_same_v<Type, CK_BYTE*>) {
      return octets_.data();
    } else if constexpr (std::is_same_v<Type, CK_ULONG*>) {
      return numbers_.data();
    } else if constexpr (std::is_same_v<Type, CK_MECHANISM*>) {
      return &mechanism_;
    } else if constexpr (std::is_same_v<Type, CK_ATTRIBUTE*>) {
      return attributes_.data();
    } else if constexpr (std::is_same_v<Type, CK_BBOOL>) {
      return CK_TRUE;
    } else if constexpr (std::is_same_v<Type, CK_NOTIFY>) {
      return nullptr;
    } else {
      return reinterpret_cast<Type>(room_.data());
    }
  }

  CK_ULONG session_;
  const CK_ULONG size_;
  std::array<CK_BYTE, 4096> octets_{};
  std::array<CK_ULONG, 256> numbers_{};
  CK_MECHANISM mechanism_{};
  std::array<CK_ATTRIBUTE, 64> attributes_{};
  alignas(16) std::array<CK_BYTE, 4096> room_{};
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

class Secrets : public Cryptoki {
 protected:
  std::string log_text() { return as_text(directory.read("log")); }
  /// That a call has a first line and a last one, and neither tells the secret.
  template <class Pointer>
  void expect_traced(const std::string& name, Pointer function) {
    SCOPED_TRACE(name);
    CK_SESSION_INFO info{};
    if (C_GetSessionInfo(session, &info) != CKR_OK) session = open();
    const auto before = log_text().size();
    AnyArguments(secret, session).call(function);
    const auto text = log_text().substr(before);
    const auto lines = lines_of(text);
    ASSERT_GE(lines.size(), 2U);
    const std::string who = "/" + std::to_string(::gettid()) + "] debug: " + name;
    EXPECT_NE(lines.front().find(who), std::string::npos) << lines.front();
    EXPECT_EQ(lines.front().find(name + " = "), std::string::npos) << lines.front();
    EXPECT_NE(lines.back().find(who + " = CKR_"), std::string::npos) << lines.back();
    EXPECT_EQ(text.find(secret), std::string::npos) << text;
    EXPECT_EQ(text.find(to_hex(as_bytes(secret))), std::string::npos) << text;
  }
  CK_SESSION_HANDLE session = 0;
  const std::string secret = "nobody-else-may-read-this";

  void TearDown() override {
    Cryptoki::TearDown();
    p11::open_log("");
  }
  TemporaryDirectory directory;
};

TEST_F(Secrets, NeitherLogNorTraceHoldsAPin) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  ::setenv("KILT_TRACE", directory.file("trace").c_str(), 1);
  const std::string wrong = "wrong-one", fresh = "fresh-one";
  session = user_session();
  generate(session);
  EXPECT_TRUE(
      is(C_SetPIN(session, utf8(user_pin), user_pin.size(), utf8(fresh), fresh.size()), CKR_OK));
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session, wrong), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(is(C_InitPIN(session, utf8(user_pin), user_pin.size()), CKR_OK));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  for (const char* file : {"log", "trace"}) {
    SCOPED_TRACE(file);
    const auto text = as_text(directory.read(file));
    EXPECT_GT(text.size(), 100U);
    std::string hex;  // a trace writes octets with blanks between them
    for (const char c : text) {
      if (c != ' ') hex += c;
    }
    for (const auto& pin : {user_pin, officer_pin, wrong, fresh}) {
      EXPECT_EQ(text.find(pin), std::string::npos) << pin;
      EXPECT_EQ(hex.find(to_hex(as_bytes(pin))), std::string::npos) << pin;
    }
  }
}

/// A data object that only its owner may read: its value may be a password.
class PrivateData : public Secrets, public testing::WithParamInterface<TestCard> {
 protected:
  PrivateData() { card = std::make_shared<BenchCard>(7, false, GetParam().profile); }
  void SetUp() override {
    if (GetParam().profile == std::string("kzid")) GTEST_SKIP() << "it holds no data objects";
    bench.pull(reader_a);
    bench.insert(reader_a, card);
    // What the simulator's own trace is told of each command.
    card->before = [this](ByteView command) {
      const bool is_private = card->chip->is_private(command);
      private_commands += is_private ? 1 : 0;
      if (as_text(command).find(piece) == std::string::npos) return;
      EXPECT_EQ(is_private, keeps_private) << to_hex(command.first(4));
    };
    ::setenv("KILT_TRACE", directory.file("trace").c_str(), 1);
  }
  void TearDown() override {
    Secrets::TearDown();
    card->before = nullptr;
  }
  /// As a program that was just started: nothing of the card is known.
  void start_anew() {
    C_Finalize(nullptr);
    start();
    session = open();
    ASSERT_TRUE(is(login(session, GetParam().user_pin), CKR_OK));
  }
  void store(bool is_private) {
    keeps_private = is_private;
    start_anew();
    Attributes data;
    data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, is_private);
    data.add(CKA_LABEL, "to be seen").add(CKA_VALUE, value);
    CK_OBJECT_HANDLE handle = 0;
    ASSERT_TRUE(is(C_CreateObject(session, data.data(), data.size(), &handle), CKR_OK));
  }
  void expect_it_reads() {
    const auto found = find(session, Attributes().number(CKA_CLASS, CKO_DATA));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(as_text(read(session, found[0], CKA_VALUE)), value);
  }
  /// The octets of the trace, without blanks and ends of lines.
  std::string trace() {
    auto text = as_text(directory.read("trace"));
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    return text;
  }

  const std::string piece = "pass-word";
  /// In several pieces on every card, each of which shows the word.
  const std::string value = [this] {
    std::string text;
    while (text.size() < 600)
      text += piece;
    return text;
  }();
  bool keeps_private = true;
  int private_commands = 0;
};

TEST_P(PrivateData, IsInNoTrace) {
  store(true);
  EXPECT_GT(private_commands, 1) << "writing";
  private_commands = 0;
  start_anew();
  expect_it_reads();
  EXPECT_GT(private_commands, 1) << "reading";
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_EQ(trace().find(to_hex(as_bytes(piece))), std::string::npos);
  EXPECT_NE(trace().find("{any:"), std::string::npos);
}

TEST_P(PrivateData, IsInNoTraceWhenItsLabelChanges) {
  store(true);
  start_anew();
  const auto found = find(session, Attributes().number(CKA_CLASS, CKO_DATA));
  ASSERT_EQ(found.size(), 1U);
  auto label = Attributes().add(CKA_LABEL, "another label, of another length");
  ASSERT_TRUE(is(C_SetAttributeValue(session, found[0], label.data(), 1), CKR_OK));
  start_anew();
  expect_it_reads();
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_EQ(trace().find(to_hex(as_bytes(piece))), std::string::npos);
}

TEST_P(PrivateData, IsInNoTraceWhenTheCardFails) {
  store(true);
  start_anew();
  card->before = [this](ByteView command) {
    if (as_text(command).find(piece) != std::string::npos) bench.pull(reader_a);
  };
  Attributes data;
  data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
  data.add(CKA_VALUE, value);
  CK_OBJECT_HANDLE handle = 0;
  EXPECT_FALSE(is(C_CreateObject(session, data.data(), data.size(), &handle), CKR_OK));
  C_Finalize(nullptr);
  EXPECT_NE(trace().find(";failed:"), std::string::npos);
  EXPECT_EQ(trace().find(to_hex(as_bytes(piece))), std::string::npos);
}

TEST_P(PrivateData, WhatEverybodyReadsIsInTheTrace) {
  store(false);
  start_anew();
  expect_it_reads();
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_NE(trace().find(to_hex(as_bytes(piece))), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, PrivateData, testing::ValuesIn(test_cards), name_of_card);

TEST_F(Secrets, CallsAreLoggedWithTheirArgumentsAndWithoutContents) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  session = user_session();
  const auto pair = generate(session, "\x5A", "label-to-be-seen");
  const std::string contents = "contents-of-a-private-paper";
  EXPECT_TRUE(is(sign_once(session, pair.private_key, CKM_SHA256_RSA_PKCS,
                           Bytes(contents.begin(), contents.end())),
                 CKR_OK));
  Attributes data;
  data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
  data.add(CKA_VALUE, contents);
  CK_OBJECT_HANDLE handle = 0;
  EXPECT_TRUE(is(C_CreateObject(session, data.data(), data.size(), &handle), CKR_OK));
  // Room that holds something of the caller's, which is nobody's business.
  std::string room = contents;
  CK_ATTRIBUTE asked{CKA_LABEL, room.data(), room.size()};
  EXPECT_TRUE(is(C_GetAttributeValue(session, pair.private_key, &asked, 1), CKR_OK));
  EXPECT_TRUE(is(C_SignInit(session, nullptr, pair.private_key), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));

  const auto text = as_text(directory.read("log"));
  for (const char* seen :
       {"C_Login: session ", ", user 1, pin given", "C_Login = CKR_OK",
        "C_GenerateKeyPair: session ", "mechanism CKM_RSA_PKCS_KEY_PAIR_GEN",
        "CKA_LABEL \"label-to-be-seen\"", "CKA_ID 5A", "CKA_MODULUS_BITS 1024", "CKA_TOKEN true",
        "mechanism CKM_SHA256_RSA_PKCS, key ", "data (27 octets), answer has room for 256",
        "CKA_VALUE (27 octets)", "mechanism none", "C_SignInit = CKR_ARGUMENTS_BAD"}) {
    EXPECT_NE(text.find(seen), std::string::npos) << seen;
  }
  EXPECT_EQ(text.find(contents), std::string::npos);
  EXPECT_EQ(text.find(to_hex(as_bytes(contents))), std::string::npos);
}

TEST_F(Secrets, EveryFunctionIsTracedWithoutContents) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  session = user_session();
  unsigned functions = 0;
  const auto each = [&](const std::string& name, auto function) {
    ++functions;
    // Two take a name that anybody may read: a token's label, an interface.
    if (name != "C_InitToken" && name != "C_GetInterface") expect_traced(name, function);
  };
  every_function(each);
  EXPECT_EQ(functions, sizeof(CK_FUNCTION_LIST_3_0) / sizeof(void*) - 1);

  auto before = log_text().size();
  C_InitToken(slot_of(reader_a), utf8(secret), secret.size(), utf8("NEW" + std::string(29, ' ')));
  CK_INTERFACE* one = nullptr;
  C_GetInterface(utf8("PKCS 11"), nullptr, &one, 0);
  const auto text = log_text().substr(before);
  for (const char* seen :
       {"C_InitToken: slot ", "pin given, label \"NEW\"", "C_InitToken = CKR_",
        "C_GetInterface: name PKCS 11, version any", "C_GetInterface = CKR_OK"}) {
    EXPECT_NE(text.find(seen), std::string::npos) << seen;
  }
  EXPECT_EQ(text.find(secret), std::string::npos);
}

TEST_F(Secrets, WhatCameOutIsLogged) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  session = user_session();
  const auto pair = generate(session);
  EXPECT_TRUE(is(sign_once(session, pair.private_key), CKR_OK));
  EXPECT_EQ(find(session).size(), 2U);
  EXPECT_EQ(read(session, pair.private_key, CKA_LABEL).size(), 4U);
  CK_MECHANISM_INFO info{};
  EXPECT_TRUE(is(C_GetMechanismInfo(slot_of(reader_a), CKM_RSA_PKCS, &info), CKR_OK));
  EXPECT_TRUE(is(C_SetPIN(session, utf8(user_pin), 8, utf8("fresh-one"), 9), CKR_OK));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  const auto handle = [](CK_ULONG number) { return std::to_string(number); };
  const auto text = log_text();
  for (const std::string& seen :
       {std::string("C_Initialize: arguments none"), std::string("C_Initialize = CKR_OK"),
        std::string("slots asks how many"), std::string("C_GetSlotList = CKR_OK: slots 1 {"),
        "C_OpenSession = CKR_OK: session " + handle(session),
        "C_GenerateKeyPair = CKR_OK: public key " + handle(pair.public_key) + ", private key " +
            handle(pair.private_key),
        std::string("C_Sign = CKR_OK: answer (128 octets)"), std::string(", most 64"),
        std::string("C_FindObjects = CKR_OK: objects 2 {"),
        std::string("C_GetAttributeValue = CKR_OK: attributes {CKA_LABEL (4 octets)}"),
        std::string(", mechanism CKM_RSA_PKCS"), std::string("C_GetMechanismInfo = CKR_OK: least "),
        std::string("old pin given, new pin given"), std::string("C_Finalize: reserved none"),
        std::string("C_Finalize = CKR_OK")}) {
    EXPECT_NE(text.find(seen), std::string::npos) << seen;
  }
}

TEST_F(Secrets, LinesOfThreadsCanBeToldApart) {
  ASSERT_TRUE(p11::open_log("info:" + directory.file("log")));
  std::string first, second;
  const auto write = [](std::string& who) {
    who = "kilt-pkcs11[" + std::to_string(::getpid()) + "/" + std::to_string(::gettid()) + "] ";
    p11::log(p11::LogLevel::info, "here");
  };
  std::thread(write, std::ref(first)).join();
  write(second);
  EXPECT_NE(first, second);
  const auto text = log_text();
  EXPECT_NE(text.find(first), std::string::npos);
  EXPECT_NE(text.find(second), std::string::npos);
}

TEST_F(Secrets, ALogLineIsOneLine) {
  const auto path = directory.file("log");
  ASSERT_TRUE(p11::open_log("info:" + path));
  p11::log(p11::LogLevel::info, "one\nforged\r line");
  p11::log(p11::LogLevel::debug, "too fine");
  const auto text = as_text(directory.read("log"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find("one forged  line"), std::string::npos);
  EXPECT_EQ(text.find("too fine"), std::string::npos);
}

TEST_F(Secrets, ALogLineTellsATerminalNothing) {
  ASSERT_TRUE(p11::open_log("info:" + directory.file("log")));
  std::string label = "ключ";
  for (char c = 0; c < 0x20; ++c)
    label += c;
  p11::log(p11::LogLevel::info, label + "\x7F[2J.");
  const auto text = log_text();
  EXPECT_NE(text.find("ключ" + std::string(33, ' ') + "[2J.\n"), std::string::npos) << text;
}

/// The descriptor with which a file is open.
int descriptor_of(const std::string& path) {
  const auto real = std::filesystem::canonical(path);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == real)
      return std::stoi(entry.path().filename().string());
  }
  return -1;
}

TEST_F(Secrets, AFileThatTookTheLogsNumberGetsNoLines) {
  const auto path = directory.file("log"), theirs = directory.write("theirs", Bytes{});
  ASSERT_TRUE(p11::open_log("info:" + path));
  p11::log(p11::LogLevel::info, "while it is ours");
  const int number = descriptor_of(path);
  ASSERT_GT(number, STDERR_FILENO);
  // As a daemon does: every descriptor closed, and then its own file opened.
  const int host = ::open(theirs.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(host, number), number);
  p11::log(p11::LogLevel::error, "not for them");
  EXPECT_FALSE(p11::logs(p11::LogLevel::error));
  p11::log(p11::LogLevel::error, "nor this");
  EXPECT_TRUE(directory.read("theirs").empty());
  EXPECT_EQ(log_text().find("not for them"), std::string::npos);

  // A log that begins anew works, and leaves their file open.
  ASSERT_TRUE(p11::open_log("info:" + path));
  p11::log(p11::LogLevel::info, "again ours");
  EXPECT_NE(log_text().find("again ours"), std::string::npos);
  EXPECT_EQ(::write(number, "theirs", 6), 6);
  EXPECT_EQ(as_text(directory.read("theirs")), "theirs");
  EXPECT_EQ(::close(number), 0);
  EXPECT_EQ(::close(host), 0);
}

TEST_F(Secrets, AFileThatTookTheLogsNumberIsNotClosed) {
  const auto path = directory.file("log"), theirs = directory.write("theirs", Bytes{});
  ASSERT_TRUE(p11::open_log("info:" + path));
  const int number = descriptor_of(path);
  ASSERT_GT(number, STDERR_FILENO);
  const int host = ::open(theirs.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(host, number), number);
  ASSERT_TRUE(p11::open_log("info:" + path)) << "before any line was written";
  EXPECT_EQ(::write(number, "theirs", 6), 6);
  EXPECT_EQ(::close(number), 0);
  EXPECT_EQ(::close(host), 0);
}

TEST_F(Secrets, AWrongLogNameIsRefused) {
  EXPECT_FALSE(p11::open_log("loud"));
  EXPECT_FALSE(p11::open_log("debug:" + directory.file("no/such/place")));
  EXPECT_FALSE(p11::logs(p11::LogLevel::error));
  EXPECT_TRUE(p11::open_log("off"));
  EXPECT_TRUE(p11::open_log(""));
}

}  // namespace
}  // namespace kilt::test
