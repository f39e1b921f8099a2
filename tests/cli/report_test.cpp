// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kilt::cli {
namespace {

using testing::HasSubstr;

Error wrong_pin() {
  return Error{.kind = ErrorKind::pin_incorrect,
               .what = "verifying the user PIN",
               .sw = 0x63C2,
               .tries_left = 2};
}

TEST(Report, envelope_of_a_success) {
  Json data;
  data["serial"] = "0A";
  const Json document = envelope("info", Report(data, "text\n"), {"A warning."});
  EXPECT_EQ(document.dump(),
            R"({"schema":"kilt/1","command":"info","ok":true,"data":{"serial":"0A"},)"
            R"("warnings":["A warning."],"error":null})");
}

TEST(Report, envelope_of_a_failure) {
  const Json document = envelope("sign", Report(wrong_pin().within("signing")), {});
  EXPECT_FALSE(document["ok"]);
  const Json& error = document["error"];
  EXPECT_EQ(error["kind"], "pin_incorrect");
  EXPECT_EQ(error["sw"], "63C2");
  EXPECT_EQ(error["ckr"], "CKR_PIN_INCORRECT");
  EXPECT_EQ(error["tries_left"], 2);
  EXPECT_EQ(error["exit_code"], 6);
  EXPECT_EQ(error["message"], "signing: verifying the user PIN [63C2]");
  EXPECT_THAT(error["hint"].get<std::string>(), HasSubstr("kilt pin status"));
}

TEST(Report, a_command_that_the_card_calls_wrong) {
  const Report report(Error{ErrorKind::bad_argument, "signing", 0x6700});
  const Json error = envelope("sign", report, {})["error"];
  EXPECT_EQ(error["kind"], "protocol");
  EXPECT_EQ(error["ckr"], "CKR_DEVICE_ERROR");
  EXPECT_EQ(error["exit_code"], 1);
  EXPECT_EQ(error["sw"], "6700");
  const std::string text = explain_failure("The file was not signed.", report, false);
  EXPECT_THAT(text, HasSubstr("kilt trace record"));
  EXPECT_THAT(text, testing::Not(HasSubstr("--help")));
}

TEST(Report, no_status_word_and_no_tries_are_null) {
  const Json document = envelope("list", Report(Error{ErrorKind::no_card, "none"}), {});
  EXPECT_TRUE(document["error"]["sw"].is_null());
  EXPECT_TRUE(document["error"]["tries_left"].is_null());
}

TEST(Report, text_that_is_no_utf8_does_not_break_the_document) {
  Json data;
  data["label"] = "\xFF\x1B[2J";
  const std::string text =
      envelope("list", Report(data, ""), {}).dump(2, ' ', false, Json::error_handler_t::replace);
  EXPECT_EQ(text.find('\x1B'), std::string::npos);
  EXPECT_TRUE(Json::accept(text));
}

TEST(Report, three_lines_and_the_causes_on_request) {
  const Report report(wrong_pin().within("signing"));
  EXPECT_EQ(explain_failure("The file was not signed.", report, false),
            "kilt: The file was not signed.\n"
            " why: The PIN is wrong; 2 tries are left [63C2, CKR_PIN_INCORRECT]: verifying the "
            "user PIN.\n"
            "  do: Check the PIN before the next try: `kilt pin status` shows how many are left, "
            "where the "
            "token tells.\n");
  EXPECT_THAT(explain_failure("Failed.", report, true),
              HasSubstr("from: signing [63C2] (pin_incorrect)\n"
                        "from: verifying the user PIN [63C2] (pin_incorrect)\n"));
}

TEST(Report, a_blocked_pin_has_no_tries_left) {
  const Json document = envelope("sign", Report(Error{ErrorKind::pin_blocked, "blocked"}), {});
  EXPECT_EQ(document["error"]["tries_left"], 0);
}

TEST(Report, the_reason_is_the_deepest_of_its_kind) {
  Error error{ErrorKind::bad_data, "no certificate: not a sequence"};
  error.cause = std::make_shared<const Error>(Error{ErrorKind::protocol, "tag 30 expected"});
  const std::string text = explain_failure("Failed.", Report(error.within("reading x")), false);
  EXPECT_THAT(text, HasSubstr("]: no certificate: not a sequence.\n"));
  EXPECT_THAT(explain_failure("Failed.", Report(error), true), HasSubstr("tag 30 expected"));
}

TEST(Report, work_whose_answer_was_lost_may_be_done) {
  const Error removed{ErrorKind::removed, "the card was taken out"};
  EXPECT_THAT(
      perhaps_done(removed, true, "The key pair may be there").hint,
      HasSubstr("The key pair may be there; with the token in again, look with `kilt list`"));
  EXPECT_EQ(perhaps_done(removed, false, "The key pair may be there").hint, "");
  EXPECT_EQ(perhaps_done({ErrorKind::no_space, "full"}, true, "It may be there").hint, "");
}

TEST(Report, advice_and_exit_code_of_its_own) {
  Report report = Report(wrong_pin()).advise("Ask the owner.");
  report.exit = ExitCode::partial;
  EXPECT_EQ(report.exit_code(), ExitCode::partial);
  EXPECT_THAT(explain_failure("Failed.", report, false), HasSubstr("  do: Ask the owner.\n"));
}

}  // namespace
}  // namespace kilt::cli
