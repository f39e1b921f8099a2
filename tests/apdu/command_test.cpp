// SPDX-License-Identifier: Apache-2.0
// The seven encodings of a command [7816-3 §12.1.3], both ways and at their edges.
#include "apdu/command.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kilt::apdu {
namespace {

CommandApdu made(std::size_t body, std::size_t ne) {
  CommandApdu command(0x00, 0xCA, 0x12, 0x34);
  command.data(Bytes(body, 0x5A));
  if (ne != 0) command.expect(ne);
  return command;
}

struct Edge {
  std::size_t body, ne;
  Case kind;
  const char* length_field;  ///< hex between the header and the body
  const char* le;            ///< hex after the body
};

class Encodings : public testing::TestWithParam<Edge> {};

TEST_P(Encodings, AreWrittenAsTheStandardSays) {
  const Edge& edge = GetParam();
  const CommandApdu command = made(edge.body, edge.ne);
  EXPECT_EQ(command.encoding_case(), edge.kind);
  Bytes wire = from_hex(std::string("00CA1234") + edge.length_field).value();
  append(wire, Bytes(edge.body, 0x5A));
  append(wire, from_hex(edge.le).value());
  EXPECT_EQ(command.encoded_size(), wire.size());
  EXPECT_EQ(to_hex(command.encode()), to_hex(wire));
}

TEST_P(Encodings, AreReadBack) {
  const Edge& edge = GetParam();
  const auto read = CommandApdu::parse(made(edge.body, edge.ne).encode());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->body().size(), edge.body);
  EXPECT_EQ(read->ne().value_or(0), edge.ne);
  EXPECT_EQ(read->encoding_case(), edge.kind);
}

INSTANTIATE_TEST_SUITE_P(
    Iso, Encodings,
    testing::Values(Edge{0, 0, Case::c1, "", ""}, Edge{0, 1, Case::c2_short, "", "01"},
                    Edge{0, 255, Case::c2_short, "", "FF"}, Edge{0, 256, Case::c2_short, "", "00"},
                    Edge{0, 257, Case::c2_extended, "00", "0101"},
                    Edge{0, 65535, Case::c2_extended, "00", "FFFF"},
                    Edge{0, 65536, Case::c2_extended, "00", "0000"},
                    Edge{1, 0, Case::c3_short, "01", ""}, Edge{255, 0, Case::c3_short, "FF", ""},
                    Edge{256, 0, Case::c3_extended, "000100", ""},
                    Edge{65535, 0, Case::c3_extended, "00FFFF", ""},
                    Edge{1, 1, Case::c4_short, "01", "01"},
                    Edge{255, 256, Case::c4_short, "FF", "00"},
                    Edge{255, 257, Case::c4_extended, "0000FF", "0101"},
                    Edge{256, 1, Case::c4_extended, "000100", "0001"},
                    Edge{1, 65536, Case::c4_extended, "000001", "0000"},
                    Edge{65535, 65536, Case::c4_extended, "00FFFF", "0000"}));

TEST(Command, SurvivesTheWireWhateverItHolds) {
  std::mt19937 random(7816);
  const std::size_t edges[] = {0, 1, 2, 255, 256, 257, 65535, 65536};
  for (int i = 0; i < 2000; ++i) {
    const auto pick = [&](std::size_t max) {
      const std::size_t edge = edges[random() % std::size(edges)];
      return random() % 2 ? std::min(edge, max) : random() % 600;
    };
    CommandApdu command(static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()),
                        static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()));
    Bytes body(pick(65535));
    for (auto& byte : body)
      byte = static_cast<std::uint8_t>(random());
    command.data(std::move(body));
    if (const std::size_t ne = pick(65536); ne != 0) command.expect(ne);

    const Bytes wire = command.encode();
    const auto read = CommandApdu::parse(wire);
    ASSERT_TRUE(read.ok()) << read.error().message();
    ASSERT_EQ(read->cla(), command.cla());
    ASSERT_EQ(read->ins(), command.ins());
    ASSERT_EQ(read->p1(), command.p1());
    ASSERT_EQ(read->p2(), command.p2());
    ASSERT_TRUE(equal(read->body(), command.body()));
    ASSERT_EQ(read->ne(), command.ne());
    ASSERT_EQ(read->encode(), wire);
  }
}

TEST(Command, BrokenLengthsAreRefused) {
  for (const char* hex : {
           "", "00", "00CA12",        // shorter than a header
           "00CA1234025A",            // Lc 2, one byte
           "00CA1234015A0000",        // Lc 1, three bytes
           "00CA12340000",            // extended field cut off
           "00CA123400000000",        // extended Lc 0
           "00CA12340000025A",        // extended Lc 2, one byte
           "00CA12340000015A00",      // half an extended Le
           "00CA12340000015A000000",  // more than an extended Le
       }) {
    const auto read = CommandApdu::parse(from_hex(hex).value());
    ASSERT_FALSE(read.ok()) << hex;
    EXPECT_EQ(read.error().kind, ErrorKind::protocol) << hex;
  }
}

TEST(Command, ASecretBodyIsEncodedAsAnyOther) {
  CommandApdu command = verify(0x02, SecretBytes::copy_of(as_bytes("12345678")));
  EXPECT_TRUE(command.is_secret());
  Bytes wire(command.encoded_size());
  command.encode_into(wire);
  EXPECT_EQ(to_hex(wire), "00200002083132333435363738");
  EXPECT_TRUE(command.clone().is_secret());
  EXPECT_TRUE(equal(command.clone().body(), as_bytes("12345678")));
}

TEST(Command, BuildersSayWhatTheirClauseSays) {
  EXPECT_EQ(to_hex(select(SelectMode::by_id, Bytes{0x3F, 0x00}, SelectAnswer::fci).encode()),
            "00A40000023F0000");
  EXPECT_EQ(to_hex(select(SelectMode::by_df_name, Bytes{0xA0}, SelectAnswer::none).encode()),
            "00A4040C01A0");
  EXPECT_EQ(to_hex(read_binary(0x0102, 256).encode()), "00B0010200");
  EXPECT_EQ(to_hex(update_binary(0x00FF, Bytes{1, 2}).encode()), "00D600FF020102");
  EXPECT_EQ(to_hex(verify_status(0x02).encode()), "00200002");
  EXPECT_EQ(to_hex(mse_set(ControlTemplate::digital_signature, Bytes{0x84, 1, 1}).encode()),
            "002241B603840101");
  EXPECT_EQ(to_hex(pso_compute_digital_signature(Bytes{1}, 256).encode()), "002A9E9A010100");
  EXPECT_EQ(to_hex(pso_decipher(Bytes{1}, 256).encode()), "002A8086010100");
  EXPECT_EQ(to_hex(get_challenge(8).encode()), "0084000008");
  EXPECT_EQ(to_hex(get_data(0x0181, 256).encode()), "00CA018100");
  EXPECT_EQ(to_hex(create_file(Bytes{0x62, 0}).encode()), "00E00000026200");
  EXPECT_EQ(to_hex(delete_file(0x0201).encode()), "00E40000020201");
}

TEST(Response, NeedsAStatusWordAndHasALimit) {
  EXPECT_FALSE(ResponseApdu::parse({}).ok());
  EXPECT_FALSE(ResponseApdu::parse(Bytes{0x90}).ok());
  const auto bare = ResponseApdu::parse(Bytes{0x90, 0x00});
  ASSERT_TRUE(bare.ok());
  EXPECT_TRUE(bare->ok());
  EXPECT_TRUE(bare->data.empty());
  EXPECT_TRUE(ResponseApdu::parse(Bytes(65538)).ok());
  EXPECT_FALSE(ResponseApdu::parse(Bytes(65539)).ok());
  const auto full = ResponseApdu::parse(Bytes{1, 2, 0x63, 0xC5});
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->data, (Bytes{1, 2}));
  EXPECT_EQ(full->status.tries_left(), 5);
  EXPECT_EQ(full->encode(), (Bytes{1, 2, 0x63, 0xC5}));
}

TEST(StatusWords, MeanWhatTheStandardSays) {
  EXPECT_EQ(meaning(StatusWord{0x63C2}), "verification failed, 2 tries left");
  EXPECT_EQ(meaning(sw::file_not_found), "file not found");
  EXPECT_EQ(StatusWord{0x6300}.tries_left(), std::nullopt);
  EXPECT_EQ(StatusWord{0x63C0}.tries_left(), 0);
  EXPECT_TRUE(StatusWord{0x6110}.more_data());
  EXPECT_TRUE(StatusWord{0x6C00}.wrong_le());
}

TEST(ErrorText, NamesTheChainOfCauses) {
  const Error inner{ErrorKind::not_found, "selecting 5031", 0x6A82};
  const Error outer = inner.within("reading the object directory");
  EXPECT_EQ(outer.kind, ErrorKind::not_found);
  EXPECT_EQ(outer.sw, 0x6A82);
  EXPECT_EQ(outer.message(), "reading the object directory: selecting 5031 [6A82]");
}

}  // namespace
}  // namespace kilt::apdu
