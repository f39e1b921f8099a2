// SPDX-License-Identifier: Apache-2.0
// TLV readers: what they accept lies within the input, in order, and survives rewriting.
#include "apdu/tlv.hpp"

#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (const char* hex : {
           "6F21 80020288 82021000 83020001 8506230000AA0000 860F46000202000000020000000000000000",
           "30 10 A00E 300C 0603550403 0C0573657276 65 5F2401AA 7F49020500",
           "3082000A 0281010A 04830000020102",
           "4203010203 43FF000404030201",
       }) {
    made.push_back(from_hex(hex).value());
  }
  return made;
}

namespace {

using apdu::BerReader;
using apdu::BerWriter;
using apdu::Tlv;

void check_object(const Tlv& object) {
  check(object.value.size() < object.whole.size(), "content is shorter than the object");
  check(object.value.empty() ||
            object.value.data() + object.value.size() == object.whole.data() + object.whole.size(),
        "content ends where the object ends");
  BerWriter writer;
  writer.put(object.tag, object.value);
  BerReader again(writer.bytes());
  auto read = again.next();
  check(read.ok() && equal(read->value, object.value), "a rewritten object is read back");
}

void walk(BerReader& reader) {
  while (!reader.done()) {
    const std::uint32_t tag = reader.peek();
    const ByteView before = reader.rest();
    BerReader probe(before);
    auto object = probe.next();
    if (!object.ok()) {
      check(!reader.next().ok(), "both readers refuse it");
      return;
    }
    check(object->tag == tag, "peek tells the tag that comes");
    check_object(*object);
    if (object->constructed()) {
      auto inner = reader.enter(tag);
      if (!inner.ok()) return;  // nested too deep
      walk(*inner);
    } else {
      check(reader.expect(tag).ok(), "the object can be taken");
    }
    check(reader.rest().size() == before.size() - object->whole.size(), "one object is consumed");
  }
  check(reader.finish().ok(), "the end is the end");
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  const ByteView bytes(data, size);
  apdu::BerReader reader(bytes);
  fuzz::walk(reader);
  (void)apdu::find_tag(bytes, 0x86);

  ByteView rest = bytes;
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    auto object = apdu::read_simple_tlv(rest);
    if (!object.ok()) break;
    fuzz::check(rest.size() + object->whole.size() == before, "SIMPLE-TLV consumes what it reads");
  }
  return 0;
}
