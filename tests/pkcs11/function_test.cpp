// SPDX-License-Identifier: Apache-2.0
// Return values: only listed ones leave, and each kind of error has one that says something.
#include "pkcs11/function.hpp"

#include <gtest/gtest.h>

#include "pkcs11/error_map.hpp"
#include "pkcs11/output.hpp"
#include "pkcs11/padded.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {
namespace {

template <class Each>
void for_each_function(Each each) {
  for (int i = 0; i <= static_cast<int>(Function::unsupported); ++i)
    each(static_cast<Function>(i));
}

TEST(ReturnValues, NothingUnlistedLeaves) {
  for_each_function([](Function function) {
    for (CK_RV rv = 0; rv < 0x210; ++rv)
      EXPECT_TRUE(lists(function, nearest_listed(function, rv))) << name_of(function) << rv;
    for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
      const CK_RV rv = nearest_listed(function, to_rv(static_cast<ErrorKind>(kind)));
      EXPECT_NE(rv, CKR_OK) << name_of(function) << ": " << to_string(static_cast<ErrorKind>(kind));
    }
  });
}

TEST(ReturnValues, ListedOnesPass) {
  EXPECT_EQ(nearest_listed(Function::login, CKR_PIN_LOCKED), CKR_PIN_LOCKED);
  EXPECT_EQ(nearest_listed(Function::set_pin, CKR_PIN_LEN_RANGE), CKR_PIN_LEN_RANGE);
  EXPECT_EQ(nearest_listed(Function::sign, CKR_DEVICE_REMOVED), CKR_DEVICE_REMOVED);
  EXPECT_EQ(nearest_listed(Function::wait_for_slot_event, CKR_NO_EVENT), CKR_NO_EVENT);
}

TEST(ReturnValues, UnlistedOnesTurnIntoTheNearest) {
  EXPECT_EQ(nearest_listed(Function::login, CKR_PIN_LEN_RANGE), CKR_PIN_INCORRECT);
  EXPECT_EQ(nearest_listed(Function::init_token, CKR_PIN_LEN_RANGE), CKR_PIN_INCORRECT);
  EXPECT_EQ(nearest_listed(Function::create_object, CKR_KEY_SIZE_RANGE),
            CKR_ATTRIBUTE_VALUE_INVALID);
  EXPECT_EQ(nearest_listed(Function::destroy_object, CKR_USER_NOT_LOGGED_IN),
            CKR_ACTION_PROHIBITED);
  EXPECT_EQ(nearest_listed(Function::get_info, CKR_PIN_LOCKED), CKR_FUNCTION_FAILED);
}

TEST(Padding, CutsBetweenCharacters) {
  CK_BYTE field[4];
  pad(field, "ab");
  EXPECT_EQ(std::string(field, field + 4), "ab  ");
  pad(field, "abқa");  // қ has two octets
  EXPECT_EQ(std::string(field, field + 4), "abқ");
  pad(field, "abcқ");
  EXPECT_EQ(std::string(field, field + 4), "abc ");
  pad_end(field, "0123456789");
  EXPECT_EQ(std::string(field, field + 4), "6789");
}

TEST(Outputs, FollowTheConvention) {
  CK_BYTE room[4];
  CK_ULONG size = 0;
  const Bytes answer{1, 2, 3};
  EXPECT_EQ(Output(nullptr, &size).put(answer), CKR_OK);
  EXPECT_EQ(size, 3U);
  size = 2;
  EXPECT_EQ(Output(room, &size).put(answer), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 3U);
  size = 4;
  EXPECT_EQ(Output(room, &size).put(answer), CKR_OK);
  EXPECT_EQ(size, 3U);
}

TEST(Templates, AreReadOnceAndWhole) {
  CK_BBOOL yes = CK_TRUE, odd = 7;
  CK_ULONG number = CKO_DATA;
  CK_ATTRIBUTE list[] = {{CKA_TOKEN, &yes, sizeof yes}, {CKA_CLASS, &number, sizeof number}};
  Template from;
  ASSERT_EQ(Template::read(list, 2, from), CKR_OK);
  TemplateReader reader(from);
  EXPECT_TRUE(reader.flag(CKA_TOKEN, false));
  EXPECT_EQ(reader.finish(), CKR_ATTRIBUTE_TYPE_INVALID) << "CKA_CLASS was not read";
  list[0].pValue = &odd;
  ASSERT_EQ(Template::read(list, 2, from), CKR_OK);
  TemplateReader again(from);
  again.must_be(CKA_CLASS, number);
  again.flag(CKA_TOKEN, false);
  EXPECT_EQ(again.finish(), CKR_ATTRIBUTE_VALUE_INVALID);
  EXPECT_EQ(Template::read(nullptr, 1, from), CKR_ARGUMENTS_BAD);
}

}  // namespace
}  // namespace kilt::p11
