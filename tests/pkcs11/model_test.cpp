// SPDX-License-Identifier: Apache-2.0
// Tens of thousands of random calls, a thread for each of the four cards in one module, with cards
// taken out, put in and reset by others in between: each answer must be the model's.
//
//   KILT_SEED=N     the calls of an earlier run
//   KILT_CALLS=N    how many for each card
#include <atomic>
#include <functional>
#include <iostream>
#include <random>
#include <thread>

#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/session_model.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

CK_ULONG from_environment(const char* name, CK_ULONG otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

/// One thread's card, and the model of it.
class Walker {
 public:
  Walker(Bench& bench, std::string reader, const TestCard& card, CK_SLOT_ID slot,
         std::shared_ptr<BenchCard> chip, unsigned long seed)
      : bench_(bench),
        reader_(std::move(reader)),
        card_(card),
        slot_(slot),
        chip_(std::move(chip)),
        random_(seed) {}

  void walk(CK_ULONG calls) {
    for (CK_ULONG i = 0; i < calls && complaint_.empty(); ++i)
      step();
  }
  /// How often the way led all through a signature.
  [[nodiscard]] unsigned signatures() const { return signatures_; }
  /// Empty if every answer was the model's.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  using Step = void (Walker::*)();

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool chance(unsigned one_in) { return pick(one_in) == 0; }
  Buffer buffer() { return static_cast<Buffer>(pick(3)); }

  void judge(const std::string& call, CK_RV got, CK_RV wanted) {
    history_.push_back(call + " = " + p11::name_of_code(got));
    if (history_.size() > 25) history_.erase(history_.begin());
    if (got == wanted || !complaint_.empty()) return;
    complaint_ = std::string(card_.profile) + ": " + call + " answers " + p11::name_of_code(got) +
                 ", the model " + p11::name_of_code(wanted) + "; before that:\n";
    for (const auto& line : history_)
      complaint_ += "  " + line + "\n";
  }

  /// An open session, now and then one that was closed or never was.
  CK_SESSION_HANDLE any_session() {
    if (model_.sessions.empty() || chance(20)) return chance(2) ? closed_ : 0x7FFFFFFF;
    auto at = model_.sessions.begin();
    std::advance(at, pick(static_cast<unsigned>(model_.sessions.size())));
    return at->first;
  }
  /// Calls `call` on some session and compares with what `answer` makes of the model.
  template <class Call, class Answer>
  CK_RV on_session(const std::string& name, bool looks, Call&& call, Answer&& answer) {
    const auto handle = any_session();
    const CK_RV got = call(handle);
    if (model_.sessions.count(handle) != 0 && model_.may_have_been_noticed(got)) {
      judge(name + "(" + std::to_string(handle) + ")", got, CKR_DEVICE_REMOVED);
      return got;
    }
    const auto decided = model_.enter(handle, looks);
    judge(name + "(" + std::to_string(handle) + ")", got,
          decided ? *decided : answer(handle, model_.sessions.at(handle)));
    return got;
  }

  void step() {
    constexpr Step steps[] = {
        &Walker::open,         &Walker::open,        &Walker::close,       &Walker::info,
        &Walker::info,         &Walker::login,       &Walker::login,       &Walker::login,
        &Walker::logout,       &Walker::find_key,    &Walker::find_key,    &Walker::search,
        &Walker::search_end,   &Walker::sign_begin,  &Walker::sign_begin,  &Walker::sign_begin,
        &Walker::sign_part,    &Walker::sign_part,   &Walker::sign,        &Walker::sign,
        &Walker::sign_final,   &Walker::digest_init, &Walker::digest_part, &Walker::digest,
        &Walker::digest_final, &Walker::cancel,      &Walker::look_at_key, &Walker::create,
        &Walker::destroy,      &Walker::find_half,   &Walker::verify_init, &Walker::verify_init,
        &Walker::verify_part,  &Walker::verify,      &Walker::verify,      &Walker::verify_final,
        &Walker::sign_nothing,
    };
    constexpr Step rare[] = {&Walker::close_all, &Walker::pull,  &Walker::insert,
                             &Walker::exchange,  &Walker::reset, &Walker::set_pin};
    if (!model_.present && chance(3)) return insert();
    if (chance(60)) return (this->*rare[pick(std::size(rare))])();
    // Left to chance alone, hardly a walk leads all through a signature.
    if (model_.who == Who::nobody && !chance(3)) return login();
    if (model_.who == Who::user && !key_is_valid() && chance(2)) return find_key();
    if (key_is_valid() && chance(3)) return chance(2) ? sign_begin() : sign();
    (this->*steps[pick(std::size(steps))])();
  }

  void open() {
    constexpr CK_FLAGS all[] = {0, CKF_RW_SESSION, CKF_SERIAL_SESSION,
                                CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                CKF_SERIAL_SESSION | CKF_RW_SESSION};
    const CK_FLAGS flags = all[pick(std::size(all))];
    CK_SESSION_HANDLE handle = 0;
    const CK_RV got = C_OpenSession(slot_, flags, nullptr, nullptr, &handle);
    judge("C_OpenSession(" + std::to_string(flags) + ")", got, model_.open(flags));
    if (got == CKR_OK) model_.sessions[handle].read_write = (flags & CKF_RW_SESSION) != 0;
    while (model_.sessions.size() > 6)
      close();
  }
  void close() {
    const auto handle = any_session();
    const bool known = model_.sessions.count(handle) != 0;
    judge("C_CloseSession(" + std::to_string(handle) + ")", C_CloseSession(handle),
          known ? CKR_OK : CKR_SESSION_HANDLE_INVALID);
    if (!known) return;
    closed_ = handle;
    model_.close(handle);
  }
  void close_all() {
    const CK_RV got = C_CloseAllSessions(slot_);
    judge("C_CloseAllSessions", got, model_.present ? CKR_OK : CKR_TOKEN_NOT_PRESENT);
    model_.lose_token();
  }
  void info() {
    CK_SESSION_INFO info{};
    CK_STATE wanted = 0;
    const CK_RV got = on_session(
        "C_GetSessionInfo", true, [&](auto handle) { return C_GetSessionInfo(handle, &info); },
        [&](auto, auto& session) -> CK_RV {
          wanted = model_.state(session);
          return CKR_OK;
        });
    if (got == CKR_OK) judge("state " + std::to_string(info.state), info.state, wanted);
  }
  void login() {
    const bool officer = chance(4);
    const bool right = officer || model_.failed_once || !chance(6);
    const std::string pin = officer ? card_.officer_pin : right ? card_.user_pin : "99999999";
    on_session(
        officer ? "C_Login SO"
        : right ? "C_Login user"
                : "C_Login wrong",
        true,
        [&](auto handle) {
          return C_Login(handle, officer ? CKU_SO : CKU_USER, utf8(pin), pin.size());
        },
        [&](auto, auto&) { return model_.log_in(officer ? Who::officer : Who::user, right); });
  }
  void logout() {
    on_session("C_Logout", true, C_Logout, [&](auto, auto&) { return model_.log_out(); });
  }
  /// One object of a class, or none, as `wanted` says it is to be found; 0 unless it was.
  CK_OBJECT_HANDLE look_for(CK_OBJECT_CLASS object_class, const std::function<CK_ULONG()>& wanted) {
    CK_ATTRIBUTE what{CKA_CLASS, &object_class, sizeof object_class};
    CK_SESSION_HANDLE session = 0;
    const CK_RV got = on_session(
        "C_FindObjectsInit", true,
        [&](auto handle) { return C_FindObjectsInit(session = handle, &what, 1); },
        [&](auto, auto& its) { return model_.begin_search(its); });
    if (got != CKR_OK) return 0;
    CK_OBJECT_HANDLE found[4];
    CK_ULONG count = 0;
    judge("C_FindObjects", C_FindObjects(session, found, 4, &count), CKR_OK);
    judge("keys found", count, wanted());
    judge("C_FindObjectsFinal", C_FindObjectsFinal(session), CKR_OK);
    SessionModel::end_search(model_.sessions.at(session));
    return count == 1 ? found[0] : 0;
  }
  /// Looks for the private key, as every client does after a login.
  void find_key() {
    const auto found =
        look_for(CKO_PRIVATE_KEY, [&] { return model_.who == Who::user ? 1UL : 0UL; });
    if (found != 0) key_ = found, key_login_ = model_.login;
  }
  void search() {
    on_session(
        "C_FindObjectsInit", true,
        [](auto handle) { return C_FindObjectsInit(handle, nullptr, 0); },
        [&](auto, auto& session) { return model_.begin_search(session); });
  }
  void search_end() {
    on_session("C_FindObjectsFinal", false, C_FindObjectsFinal,
               [](auto, auto& session) { return SessionModel::end_search(session); });
  }
  [[nodiscard]] bool key_is_valid() const {
    return model_.who == Who::user && key_login_ == model_.login && key_ != 0;
  }
  void sign_begin() {
    CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS, nullptr, 0};
    const bool cancels = chance(8);
    on_session(
        cancels ? "C_SignInit none" : "C_SignInit", true,
        [&](auto handle) { return C_SignInit(handle, cancels ? nullptr : &mechanism, key_); },
        [&](auto, auto& session) {
          return cancels ? SessionModel::cancel_sign(session)
                         : SessionModel::begin_sign(session, key_is_valid());
        });
  }
  void sign_part() {
    CK_BYTE part[] = {'p'};
    on_session(
        "C_SignUpdate", false, [&](auto handle) { return C_SignUpdate(handle, part, 1); },
        [](auto, auto& session) { return SessionModel::sign_part(session); });
  }
  /// A buffer as the caller might have it.
  struct Answer {
    CK_BYTE octets[512];
    CK_ULONG size = 0;
    CK_BYTE* where = octets;
    explicit Answer(Buffer kind) : size(kind == Buffer::enough ? sizeof octets : 5) {
      if (kind == Buffer::none) where = nullptr;
    }
  };
  void sign() {
    CK_BYTE data[] = {'d'};
    const Buffer kind = buffer();
    Answer answer(kind);
    const CK_RV got = on_session(
        "C_Sign", false,
        [&](auto handle) { return C_Sign(handle, data, 1, answer.where, &answer.size); },
        [&](auto, auto& session) { return model_.sign(session, true, kind); });
    if (got == CKR_OK && kind == Buffer::enough) ++signatures_;
  }
  void sign_final() {
    const Buffer kind = buffer();
    Answer answer(kind);
    on_session(
        "C_SignFinal", false,
        [&](auto handle) { return C_SignFinal(handle, answer.where, &answer.size); },
        [&](auto, auto& session) { return model_.sign(session, false, kind); });
  }
  /// Octets that are said to be there and are not.
  void sign_nothing() {
    const Buffer kind = buffer();
    Answer answer(kind);
    on_session(
        "C_Sign of nothing", false,
        [&](auto handle) { return C_Sign(handle, nullptr, 1, answer.where, &answer.size); },
        [&](auto, auto& session) { return SessionModel::refuse_sign(session); });
  }
  /// Changes the user's PIN to what it is; an officer's would be changed in its place.
  void set_pin() {
    if (model_.who == Who::officer) return;
    const std::string pin = card_.user_pin;
    on_session(
        "C_SetPIN", true,
        [&](auto handle) { return C_SetPIN(handle, utf8(pin), pin.size(), utf8(pin), pin.size()); },
        [&](auto, auto& session) { return model_.set_pin(session); });
  }
  /// Public keys are there for everybody.
  void find_half() {
    const auto found = look_for(CKO_PUBLIC_KEY, [] { return 1UL; });
    if (found != 0) half_ = found, half_insertion_ = model_.insertion;
  }
  void verify_init() {
    CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS, nullptr, 0};
    on_session(
        "C_VerifyInit", true, [&](auto handle) { return C_VerifyInit(handle, &mechanism, half_); },
        [&](auto, auto& session) {
          return SessionModel::begin_verify(session,
                                            half_ != 0 && half_insertion_ == model_.insertion);
        });
  }
  void verify_part() {
    CK_BYTE part[] = {'p'};
    on_session(
        "C_VerifyUpdate", false, [&](auto handle) { return C_VerifyUpdate(handle, part, 1); },
        [](auto, auto& session) { return SessionModel::verify_part(session); });
  }
  void verify() {
    CK_BYTE data[] = {'d'};
    const bool of_its_length = chance(2);
    Bytes signature(of_its_length ? card_.bits / 8 : 20, 0x11);
    on_session(
        "C_Verify", false,
        [&](auto handle) { return C_Verify(handle, data, 1, signature.data(), signature.size()); },
        [&](auto, auto& session) { return SessionModel::verify(session, true, of_its_length); });
  }
  void verify_final() {
    Bytes signature(card_.bits / 8, 0x11);
    on_session(
        "C_VerifyFinal", false,
        [&](auto handle) { return C_VerifyFinal(handle, signature.data(), signature.size()); },
        [&](auto, auto& session) { return SessionModel::verify(session, false, true); });
  }
  void digest_init() {
    CK_MECHANISM mechanism{CKM_SHA256, nullptr, 0};
    on_session(
        "C_DigestInit", true, [&](auto handle) { return C_DigestInit(handle, &mechanism); },
        [](auto, auto& session) { return SessionModel::begin_digest(session); });
  }
  void digest_part() {
    CK_BYTE part[] = {'p'};
    on_session(
        "C_DigestUpdate", false, [&](auto handle) { return C_DigestUpdate(handle, part, 1); },
        [](auto, auto& session) { return SessionModel::digest_part(session); });
  }
  void digest() {
    CK_BYTE data[] = {'d'};
    const Buffer kind = buffer();
    Answer answer(kind);
    on_session(
        "C_Digest", false,
        [&](auto handle) { return C_Digest(handle, data, 1, answer.where, &answer.size); },
        [&](auto, auto& session) { return SessionModel::digest(session, true, kind); });
  }
  void digest_final() {
    const Buffer kind = buffer();
    Answer answer(kind);
    on_session(
        "C_DigestFinal", false,
        [&](auto handle) { return C_DigestFinal(handle, answer.where, &answer.size); },
        [&](auto, auto& session) { return SessionModel::digest(session, false, kind); });
  }
  void cancel() {
    constexpr CK_FLAGS all[] = {CKF_SIGN, CKF_DIGEST, CKF_FIND_OBJECTS, CKF_VERIFY,
                                CKF_SIGN | CKF_DIGEST};
    const CK_FLAGS flags = all[pick(std::size(all))];
    on_session(
        "C_SessionCancel", true, [&](auto handle) { return C_SessionCancel(handle, flags); },
        [&](auto, auto& session) -> CK_RV {
          SessionModel::cancel(session, flags);
          return CKR_OK;
        });
  }
  void look_at_key() {
    if (key_ == 0) return;
    CK_BYTE label[64];
    CK_ATTRIBUTE asked{CKA_LABEL, label, sizeof label};
    on_session(
        "C_GetAttributeValue", true,
        [&](auto handle) { return C_GetAttributeValue(handle, key_, &asked, 1); },
        [&](auto, auto&) -> CK_RV { return key_is_valid() ? CKR_OK : CKR_OBJECT_HANDLE_INVALID; });
  }
  void create() {
    auto data = Attributes().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, false).add(CKA_VALUE, "v");
    CK_OBJECT_HANDLE made = 0;
    CK_SESSION_HANDLE owner = 0;
    const CK_RV got = on_session(
        "C_CreateObject", true,
        [&](auto handle) {
          return C_CreateObject(owner = handle, data.data(), data.size(), &made);
        },
        [](auto, auto&) -> CK_RV { return CKR_OK; });
    if (got == CKR_OK) model_.session_objects[last_object_ = made] = owner;
  }
  void destroy() {
    const auto object = last_object_;
    on_session(
        "C_DestroyObject", true, [&](auto handle) { return C_DestroyObject(handle, object); },
        [&](auto, auto&) -> CK_RV {
          return model_.session_objects.erase(object) != 0 ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
        });
  }

  // ---- what others do --------------------------------------------------------------------------

  void pull() {
    if (!model_.present) return;
    history_.push_back("(taken out)");
    bench_.pull(reader_);
    model_.present = false;
    model_.unnoticed = true;
    ++model_.insertion;
  }
  void insert() {
    if (model_.present) return;
    history_.push_back("(put in)");
    bench_.insert(reader_, chip_);
    model_.present = true;
  }
  void exchange() {
    pull();
    insert();
  }
  /// Another program resets the card: the module logs in again when it has to, and says nothing.
  void reset() {
    if (!model_.present) return;
    history_.push_back("(reset by another program)");
    bench_.reset(*chip_);
  }

  Bench& bench_;
  const std::string reader_;
  const TestCard card_;
  const CK_SLOT_ID slot_;
  const std::shared_ptr<BenchCard> chip_;
  std::mt19937_64 random_;
  SessionModel model_;
  CK_OBJECT_HANDLE key_ = 0;
  unsigned key_login_ = 0;
  CK_OBJECT_HANDLE half_ = 0;
  unsigned half_insertion_ = 0;
  CK_OBJECT_HANDLE last_object_ = 0;
  CK_SESSION_HANDLE closed_ = 0;
  std::vector<std::string> history_;
  std::string complaint_;
  unsigned signatures_ = 0;
};

class Model : public Cryptoki {
 protected:
  /// One key, made by its user.
  void prepare(const std::string& reader, const TestCard& one) {
    const auto session = open(true, reader.c_str());
    ASSERT_TRUE(is(login(session, one.user_pin), CKR_OK));
    generate(session, "\x01", "AUTH", one.bits);
    ASSERT_TRUE(is(C_CloseSession(session), CKR_OK));
  }
};

TEST_F(Model, EveryAnswerIsTheSpecifications) {
  const auto seed = from_environment("KILT_SEED", std::random_device{}());
  const auto calls = from_environment("KILT_CALLS", 20000);
  std::cout << "KILT_SEED=" << seed << "\n";
  SCOPED_TRACE("KILT_SEED=" + std::to_string(seed));
  bench.remove_reader(reader_a);
  std::vector<std::shared_ptr<BenchCard>> chips;
  for (const auto& one : test_cards) {
    chips.push_back(std::make_shared<BenchCard>(7, false, one.profile));
    bench.add_reader(one.profile);
    bench.insert(one.profile, chips.back());
  }
  start();
  std::vector<std::unique_ptr<Walker>> walkers;
  for (std::size_t i = 0; i < std::size(test_cards); ++i) {
    const auto& one = test_cards[i];
    prepare(one.profile, one);
    walkers.push_back(std::make_unique<Walker>(bench, one.profile, one, slot_of(one.profile),
                                               chips[i], seed + i));
  }
  std::vector<std::thread> threads;
  for (const auto& walker : walkers)
    threads.emplace_back([&walker, calls] { walker->walk(calls); });
  for (auto& thread : threads)
    thread.join();
  for (const auto& walker : walkers) {
    EXPECT_EQ(walker->complaint(), "");
    EXPECT_TRUE(calls < 20000 || walker->signatures() > 50) << walker->signatures();
  }
}

}  // namespace
}  // namespace kilt::test
