// SPDX-License-Identifier: Apache-2.0
// The LASER applet's commands, each with how we know it.
#include "apdu/tlv.hpp"
#include "drivers/jacarta.hpp"

namespace kilt::card::jacarta {

namespace command {
namespace {

constexpr std::uint8_t list_ins = 0x30, serial_ins = 0xCB, logout_ins = 0x28,
                       dh_parameters_ins = 0x48, channel_ins = 0x86, generate_ins = 0x47;

Command published(apdu::CommandApdu apdu, const char* operation, const char* source) {
  return {std::move(apdu), Evidence::published, operation, source};
}

apdu::CommandApdu proprietary(std::uint8_t ins, std::uint8_t p1, std::uint8_t p2) {
  return {apdu::cla::proprietary, ins, p1, p2};
}

apdu::CommandApdu interindustry(std::uint8_t ins, std::uint8_t p1, std::uint8_t p2) {
  return {apdu::cla::interindustry, ins, p1, p2};
}

Bytes applet_id(Applet applet) {
  switch (applet) {
    case Applet::laser:
      return from_hex("A0000001644C415345520001").value();
    case Applet::pro:
      return from_hex("A0000003120202").value();
    case Applet::gost:
      return from_hex("A0000004480101010602").value();
    case Applet::data_store:
      return from_hex("A000000448000301").value();
  }
  return {};
}

/// PERFORM SECURITY OPERATION with its input in one object.
apdu::CommandApdu operation(std::uint8_t p1, std::uint8_t p2, std::uint8_t tag, ByteView input) {
  apdu::BerWriter body;
  body.put(tag, input);
  auto apdu = interindustry(apdu::ins::perform_security_operation, p1, p2);
  apdu.data(std::move(body).bytes()).expect(apdu::CommandApdu::le_max_short);
  return apdu;
}

Command removal(bool is_df, const char* operation) {
  return published(interindustry(apdu::ins::delete_file, is_df ? 0x01 : 0x00, 0x00), operation,
                   "[facts jacarta A4, A16 #3]");
}

}  // namespace

Command select_applet(Applet applet) {
  auto apdu = interindustry(apdu::ins::select, 0x04, 0x0C);
  apdu.data(applet_id(applet)).expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "look for an applet", "[facts jacarta A1, A4]");
}

Command select(const FilePath& path) {
  // Quirk: not ISO, the class is proprietary and the MF is part of the path.
  Bytes whole{0x3F, 0x00};
  for (const auto file : path)
    append_be16(whole, file);
  auto apdu = proprietary(apdu::ins::select, 0x08, 0x0C);
  apdu.data(std::move(whole)).expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "select a file", "[facts jacarta A4, A16 #1]");
}

Command list_files(FileType type) {
  auto apdu = proprietary(list_ins, static_cast<std::uint8_t>(type), 0x00);
  apdu.expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "list files", "[facts jacarta A4, A16 #4]");
}

Command read_binary(std::size_t offset, std::size_t count) {
  return published(apdu::read_binary(offset, count), "read a file", "[facts jacarta A4, A16 #12]");
}

Command update_binary(std::size_t offset, ByteView data) {
  return published(apdu::update_binary(offset, data), "write a file",
                   "[facts jacarta A4, A16 #12]");
}

Command create(const NewFile& file) {
  auto apdu = interindustry(apdu::ins::create_file, static_cast<std::uint8_t>(file.type), 0x00);
  const SecretBytes body = file_template(file);
  if (file.pin.empty()) {
    apdu.data(copy_of(body.view()));
  } else {
    apdu.secret(body.clone());
  }
  return published(std::move(apdu), "create a file", "[facts jacarta A4, A16]");
}

Command remove(bool is_df) {
  return removal(is_df, "delete a file");
}

Command erase(bool is_df) {
  auto made = removal(is_df, "erase the card");
  made.destroys = true;
  return made;
}

Command serial() {
  auto apdu = proprietary(serial_ins, 0x01, 0x14);
  apdu.expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "read the serial number", "[facts jacarta A5]");
}

Command challenge(std::size_t count) {
  return published(apdu::get_challenge(count), "get random bytes", "[facts jacarta A4]");
}

Command verify(const SecretBytes& pin) {
  return published(apdu::verify(0x00, pin.clone()), "log in without hiding the PIN",
                   "[facts jacarta A4, A8]");
}

Command verify_secure(ByteView cryptogram) {
  auto apdu = proprietary(apdu::ins::verify, 0x00, 0x00);
  apdu.secret(SecretBytes::copy_of(cryptogram));
  return published(std::move(apdu), "log in", "[facts jacarta A8]");
}

Command logout() {
  // The references of both PINs, four bytes each.
  auto apdu = proprietary(logout_ins, 0x00, 0x00);
  apdu.data({0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x10});
  // The vendor's driver has it and never sends it.
  return {std::move(apdu), Evidence::related, "log out", "[facts jacarta A4, A16 #5]"};
}

Command update_pin(const SecretBytes& new_pin) {
  SecretBytes body(new_pin.size() + 4);
  body.append({0x62, static_cast<std::uint8_t>(new_pin.size() + 2), 0x81,
               static_cast<std::uint8_t>(new_pin.size())});
  body.append(new_pin.view());
  auto apdu = proprietary(apdu::ins::change_reference_data, 0x00, 0x00);
  apdu.secret(std::move(body));
  return published(std::move(apdu), "set the PIN", "[facts jacarta A8, A16]");
}

Command reset_counter() {
  return published(proprietary(apdu::ins::reset_retry_counter, 0x00, 0x00), "unblock the PIN",
                   "[facts jacarta A4, A8]");
}

Command dh_parameters() {
  auto apdu = proprietary(dh_parameters_ins, 0x00, 0x80);
  apdu.expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "agree on a key for secure messaging", "[facts jacarta A10]");
}

Command open_channel(ByteView public_value) {
  constexpr std::size_t challenge_length = 0x20;
  auto apdu = proprietary(channel_ins, 0x00, 0x00);
  apdu.data(copy_of(public_value)).expect(challenge_length);
  return published(std::move(apdu), "open secure messaging", "[facts jacarta A10]");
}

Command close_channel() {
  return published(proprietary(channel_ins, 0xFF, 0xFF), "close secure messaging",
                   "[facts jacarta A10]");
}

Command generate_rsa(std::size_t bits) {
  const std::uint8_t algorithm = bits == 1024 ? 0x06 : bits == 2048 ? 0x07 : 0x08;
  auto apdu = interindustry(generate_ins, 0x00, 0x00);
  // Quirk: the length of 81 is always in the long form.
  apdu.data({0xAC, 0x09, 0x80, 0x01, algorithm, 0x81, 0x81, 0x03, 0x01, 0x00, 0x01});
  apdu.expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "generate a key pair", "[facts jacarta A4, A16 #8]");
}

Command import_rsa(SecretBytes value) {
  auto apdu = proprietary(apdu::ins::change_reference_data, 0x00, 0x00);
  apdu.secret(std::move(value));
  return published(std::move(apdu), "load a key", "[facts jacarta A16 #7]");
}

Command sign(ByteView text) {
  return published(operation(0x9E, 0x8A, 0x80, text), "sign", "[facts jacarta A4, A16 #9]");
}

Command raw(ByteView block) {
  return published(operation(0x80, 0x0C, 0x82, block), "compute the bare RSA power",
                   "[facts jacarta A4, A16 #11]");
}

Command decipher(ByteView cryptogram) {
  return published(operation(0x80, 0x0A, 0x82, cryptogram), "decrypt",
                   "[facts jacarta A4, A16 #10]");
}

}  // namespace command

}  // namespace kilt::card::jacarta
