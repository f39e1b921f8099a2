// SPDX-License-Identifier: Apache-2.0
#include "cli/uri.hpp"

#include <gtest/gtest.h>

namespace kilt::cli {
namespace {

TEST(Uri, prints_what_needs_it_encoded) {
  Pkcs11Uri uri{.token = "Алма 1;?/", .serial = "0A1B"};
  uri.id = Bytes{0x45, 0x00};
  uri.object = "SIGN";
  uri.type = "private";
  EXPECT_EQ(uri.print(),
            "pkcs11:serial=0A1B;token=%D0%90%D0%BB%D0%BC%D0%B0%201%3B%3F%2F;id=%45%00;object=SIGN;"
            "type=private");
}

TEST(Uri, reads_what_it_prints) {
  Pkcs11Uri uri{.token = "a=b&c %", .manufacturer = "kilt", .serial = "1", .model = "KAZTOKEN"};
  uri.id = Bytes{0, 255};
  const auto again = parse_uri(uri.print());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->token, uri.token);
  EXPECT_EQ(again->manufacturer, uri.manufacturer);
  EXPECT_EQ(again->model, uri.model);
  EXPECT_EQ(again->id, uri.id);
  EXPECT_FALSE(again->object);
}

TEST(Uri, reads_others) {  // in the manner of [RFC 7512 §3]
  EXPECT_TRUE(parse_uri("pkcs11:"));
  const auto uri = parse_uri(
      "pkcs11:token=My%20token;library-manufacturer=X;slot-id=3;object=k?pin-source=file:/p&"
      "module-name=m");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->token, "My token");
  EXPECT_EQ(uri->object, "k");
  EXPECT_EQ(uri->pin_source, "file:/p");
  EXPECT_EQ(uri->print(), "pkcs11:token=My%20token;object=k");
}

TEST(Uri, refuses_what_is_none) {
  for (const char* text : {"", "token=x", "pkcs11:token=%4", "pkcs11:token=%zz", "pkcs11:token=% 4",
                           "pkcs11:token=a;token=b", "pkcs11:colour=red", "pkcs11:;;"}) {
    const auto uri = parse_uri(text);
    EXPECT_FALSE(uri) << text;
    if (!uri) {
      EXPECT_EQ(uri.error().kind, ErrorKind::bad_argument) << text;
    }
  }
}

TEST(Uri, a_pin_in_it_is_refused_and_not_repeated) {
  const auto uri = parse_uri("pkcs11:token=x?pin-value=12345678");
  ASSERT_FALSE(uri);
  EXPECT_EQ(uri.error().message().find("12345678"), std::string::npos);
}

TEST(Uri, an_absent_attribute_matches_everything) {
  card::CardModel model;
  model.name = "KAZTOKEN";
  card::TokenInfo token;
  token.label = "mine";
  token.serial = "0A";
  EXPECT_TRUE(matches_token({}, model, token));
  EXPECT_TRUE(matches_token(token_uri(model, token), model, token));
  EXPECT_FALSE(matches_token({.token = "other"}, model, token));
  EXPECT_FALSE(matches_token({.serial = "0B"}, model, token));
  EXPECT_FALSE(matches_token({.model = "JACARTA"}, model, token));
}

TEST(Uri, long_fields_are_as_long_as_in_the_module) {
  card::CardModel model;
  model.name = "KAZTOKEN";
  card::TokenInfo token;
  token.label = "Менің ұзақ атауы бар кілтім  ";  // 32 bytes end within a character
  token.serial = "000102030405060708090A0B";
  const auto uri = token_uri(model, token);
  EXPECT_EQ(uri.token, "Менің ұзақ атауы");
  EXPECT_EQ(uri.serial, "0405060708090A0B");
  token.label = "short  ";
  EXPECT_EQ(token_uri(model, token).token, "short");
}

}  // namespace
}  // namespace kilt::cli
