// SPDX-License-Identifier: Apache-2.0
#include "drivers/etoken72k.hpp"

#include "apdu/tlv.hpp"
#include "drivers/etoken72k_card.hpp"
#include "drivers/registry.hpp"

namespace kilt::card {

bool is_no_answer(apdu::StatusWord status) {
  const auto sw1 = status.sw1();
  const bool is_status = (sw1 >= 0x61 && sw1 <= 0x6F) || sw1 >> 4 == 9;
  return !is_status || (sw1 >= 0x64 && sw1 <= 0x66) || sw1 == 0x6F;
}

Status select_etoken_applet(Link& link) {
  const auto command = etoken::command::select_applet();
  const auto answer = link.send(command);
  if (!answer) return answer.error().within("selecting the eToken applet");
  const Error other{ErrorKind::unknown_card,
                    "the card has no eToken applet, though its ATR is one of an eToken's",
                    answer->status.value};
  if (is_no_answer(answer->status)) {
    return Error{ErrorKind::protocol, "the card failed when it was asked for its eToken applet",
                 answer->status.value};
  }
  if (!answer->ok()) return other;
  // 6F 10 84 07 <AID> A5 05 9F65 02 0212 [facts etoken §5.1]
  const auto information = apdu::find_tag(answer->data, apdu::tag::fci_template);
  if (!information) return other;
  const auto name = apdu::find_tag(*information, apdu::tag::df_name);
  if (!name || !equal(*name, command.apdu.body())) return other;
  return {};
}

std::unique_ptr<Card> make_etoken_card(std::unique_ptr<Link> link, const CardModel& model) {
  return std::make_unique<etoken::EtokenCard>(std::move(link), model, SideFiles::of_this_user());
}

std::vector<Command> etoken_commands() {
  namespace command = etoken::command;
  const Bytes block(128), salt(etoken::pin::salt_size), key(etoken::pin::key_size);
  const Bytes response(etoken::pin::challenge_size);
  std::vector<Command> all;
  all.push_back(command::select_applet());
  all.push_back(command::select(etoken::file::objects, apdu::SelectAnswer::fcp));
  all.push_back(command::directory());
  all.push_back(command::read(0, 1));
  all.push_back(command::read(0, etoken::read_extended));
  all.push_back(command::write(0, block));
  all.push_back(command::serial());
  all.push_back(command::challenge());
  all.push_back(command::login(Role::user, response));
  all.push_back(command::login(Role::security_officer, response));
  all.push_back(command::compute(Bytes(256), false));
  all.push_back(command::compute(block, false));
  all.push_back(command::compute(block, true));
  all.push_back(command::create(false, 0x0001, 1, etoken::rights_of_file(false)));
  all.push_back(command::remove());
  all.push_back(command::generate(2048));
  all.push_back(command::import_part(etoken::KeyPart::prime1, block, false));
  all.push_back(command::change_pin(Role::user, salt, key));
  all.push_back(command::set_user_pin(salt, key));
  all.push_back(command::initialise(salt, key, as_bytes("label")));
  return all;
}

namespace {

const CardModel& model() {
  static const auto& sheet = *[] {
    auto* made = new CardModel;
    made->name = "ETOKEN PRO 72K";
    made->store_name = "AKEToken72KStore";
    // The officer's PIN is not set at the factory [facts etoken §1.3].
    made->factory = {"1234567890", ""};
    Capability rsa;
    rsa.type = KeyType::rsa;
    rsa.min_bits = 1024;
    rsa.max_bits = 2048;
    rsa.bits_step = 1024;
    rsa.generate = rsa.import = true;
    rsa.sign = rsa.decrypt = {Scheme::rsa_raw, Scheme::rsa_pkcs1};
    made->capabilities = {rsa};
    return made;
  }();
  return sheet;
}

/// The two known ones differ in TA3 (the card's block size) and so in TCK, which may be anything
/// here [facts etoken §1.3].
std::vector<AtrPattern> atrs() {
  return {{{0x3B, 0xD5, 0x18, 0x00, 0x81, 0x31, 0xFE, 0x7D, 0x80, 0x73, 0xC8, 0x21, 0x10, 0xF4},
           {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00},
           "eToken PRO 72K (Java)"}};
}

std::unique_ptr<Card> make(std::unique_ptr<Link> link) {
  return make_etoken_card(std::move(link), model());
}

}  // namespace

extern const Driver etoken72k_driver;
const Driver etoken72k_driver{"etoken72k",          model, atrs,
                              select_etoken_applet, make,  etoken_commands};

}  // namespace kilt::card
