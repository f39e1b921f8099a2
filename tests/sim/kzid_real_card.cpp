// SPDX-License-Identifier: Apache-2.0
// The exchange with a real card with two key objects, as it was published [vec kzid-real-card]. A
// key is the card's own, so the simulated card must agree in everything but the modulus and the
// signatures; given the real modulus, it must agree in every byte.
#include "apdu/trace.hpp"
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

constexpr std::size_t modulus_at = 15;  // in what GET DATA answers

enum class Kind { public_key, signature, other };

/// One command and what it brought, GET RESPONSE included.
struct Exchange {
  Bytes command, answer;
  Kind kind = Kind::other;
  std::size_t answered_before = 0;  ///< data bytes of the same answer in exchanges before this one

  [[nodiscard]] bool fetches() const { return command[1] == 0xC0; }
  [[nodiscard]] ByteView data() const { return ByteView(answer).first(answer.size() - 2); }
  [[nodiscard]] std::string status() const { return to_hex(ByteView(answer).last(2)); }
};

Kind kind_of(std::uint8_t ins) {
  if (ins == 0xCB) return Kind::public_key;
  return ins == 0x88 ? Kind::signature : Kind::other;
}

/// {pin} is the whole field, or its digits where the filling stands behind it.
ByteView pin_for(const apdu::Pattern& command) {
  return as_bytes(command.text().ends_with("{pin}") ? "12340000" : "1234");
}

class RealCard : public testing::Test {
 public:
  void SetUp() override {
    const auto file = apdu::VectorFile::load(KILT_SOURCE_DIR "/tests/vectors/kzid-real-card.vec");
    ASSERT_TRUE(file.ok()) << file.error().message();
    for (const auto& step : file->steps) {
      ASSERT_EQ(step.kind, apdu::VectorStep::Kind::exchange);
      auto command = step.command.fill(pin_for(step.command));
      auto answer = step.answer.fill({});
      ASSERT_TRUE(command.ok() && answer.ok()) << "line " << step.line;
      ASSERT_GE(command->size(), 4u);
      ASSERT_GE(answer->size(), 2u);
      add({std::move(*command), std::move(*answer)});
    }
    ASSERT_GE(exchanges_.size(), 20u);
  }

  [[nodiscard]] const std::vector<Exchange>& exchanges() const { return exchanges_; }

 private:
  void add(Exchange exchange) {
    if (exchange.fetches() && !exchanges_.empty()) {
      const Exchange& last = exchanges_.back();
      exchange.kind = last.kind;
      exchange.answered_before = last.answered_before + last.data().size();
    } else {
      exchange.kind = kind_of(exchange.command[1]);
    }
    exchanges_.push_back(std::move(exchange));
  }

  std::vector<Exchange> exchanges_;
};

/// How many bytes at the front of this answer do not depend on the key.
std::size_t fixed_front(const Exchange& seen) {
  const std::size_t size = seen.data().size();
  if (seen.kind == Kind::signature) return 0;
  if (seen.kind == Kind::other) return size;
  return seen.answered_before >= modulus_at ? 0 : std::min(size, modulus_at - seen.answered_before);
}

TEST_F(RealCard, TheSimulatedOneAnswersLikeIt) {
  KzidCard card("kzid-2sdo");
  Bytes object;
  Bytes digest_info;
  int signatures = 0;
  for (const auto& seen : exchanges()) {
    SCOPED_TRACE(to_hex(seen.command));
    const Bytes answer = card.send_bytes(seen.command);
    ASSERT_EQ(answer.size(), seen.answer.size()) << to_hex(answer);
    const Exchange own{seen.command, answer, seen.kind, seen.answered_before};
    EXPECT_EQ(own.status(), seen.status());
    const std::size_t front = fixed_front(seen);
    EXPECT_EQ(to_hex(own.data().first(front)), to_hex(seen.data().first(front)));

    if (seen.kind == Kind::public_key && !seen.fetches()) object.clear();
    if (seen.kind == Kind::public_key) append(object, own.data());
    if (seen.kind != Kind::signature) continue;
    if (!seen.fetches()) {
      digest_info = copy_of(ByteView(seen.command).subspan(5));
      continue;
    }
    ASSERT_EQ(object.size(), modulus_at + 256);
    EXPECT_EQ(recovered_by_openssl(ByteView(object).subspan(modulus_at), own.data()), digest_info);
    ++signatures;
  }
  EXPECT_EQ(signatures, 2);
}

TEST_F(RealCard, ItsSignaturesVerifyUnderItsOwnKeys) {
  Bytes object;
  Bytes digest_info;
  int signatures = 0;
  for (const auto& seen : exchanges()) {
    if (seen.kind == Kind::public_key && !seen.fetches()) object.clear();
    if (seen.kind == Kind::public_key) append(object, seen.data());
    if (seen.kind != Kind::signature) continue;
    if (!seen.fetches()) {
      digest_info = copy_of(ByteView(seen.command).subspan(5));
      continue;
    }
    ASSERT_EQ(object.size(), modulus_at + 256);
    const auto modulus = ByteView(object).subspan(modulus_at);
    EXPECT_EQ(recovered_by_openssl(modulus, seen.data()), digest_info);
    EXPECT_TRUE(openssl_verifies_sha1(modulus, as_bytes("test"), seen.data()));
    ++signatures;
  }
  EXPECT_EQ(signatures, 2);
}

TEST_F(RealCard, WithItsModulusEveryByteOfThePublicKeyIsTheSame) {
  KzidCard card("kzid-2sdo");
  Bytes object;
  const ForeignRsaKey& any = foreign_key_2048();  // the private half is not known, nor used here
  for (const auto& seen : exchanges()) {
    if (seen.kind != Kind::public_key) continue;
    if (!seen.fetches()) object.clear();
    append(object, seen.data());
    if (object.size() != modulus_at + 256) continue;
    ForeignRsaKey real = any;
    real.n = copy_of(ByteView(object).subspan(modulus_at));
    card.load(object[2], real);
  }
  int fetched = 0;
  for (const auto& seen : exchanges()) {
    if (seen.command[1] == 0x46 || seen.kind == Kind::signature) continue;
    SCOPED_TRACE(to_hex(seen.command));
    EXPECT_EQ(to_hex(card.send_bytes(seen.command)), to_hex(seen.answer));
    if (seen.kind == Kind::public_key && seen.fetches()) ++fetched;
  }
  EXPECT_EQ(fetched, 4);
}

}  // namespace
}  // namespace kilt::sim::test
