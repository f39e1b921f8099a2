// SPDX-License-Identifier: Apache-2.0
// Changing and deleting the objects of a token with Aladdin's applet.
#include <algorithm>

#include "drivers/etoken72k_card.hpp"

namespace kilt::card::etoken {
namespace {

/// Room for a longer label, id or subject, so that most changes are one write in place.
std::size_t attributes_size(std::uint16_t id, std::size_t content) {
  const std::size_t least = kind_of(id) == file::key_pair ? 256 : 128;
  constexpr std::size_t step = 64;
  return std::max(least, (content + step) / step * step);
}

}  // namespace

Status EtokenCard::create_attributes(std::uint16_t id, const Attributes& attributes,
                                     bool is_private) {
  const Bytes content = encode(attributes);
  const std::size_t size = attributes_size(id, content.size());
  if (auto status =
          files_.create_file(object_file(id, file::attributes), size, rights_of_file(is_private));
      !status) {
    return status;
  }
  if (auto status = files_.write(content); !status) return status;
  objects_.insert_or_assign(id, Object{id, attributes, file::attributes, size, false, is_private});
  return {};
}

/// Old or new after a power cut: by one WRITE where content and its end fit one, and the file;
/// otherwise by the second file of attributes.
Status EtokenCard::write_attributes(std::uint16_t id, const Attributes& attributes) {
  auto known = object(id);
  if (!known) return known.take_error();
  if (!*known) return Error{ErrorKind::not_found, "the object is not on the card (any more)"};
  const Object now = **known;
  if (now.is_foreign) {
    return Error{ErrorKind::unsupported,
                 "the vendor's software made this object; how it writes labels is not public"};
  }
  Bytes content = encode(attributes);
  objects_.erase(id);
  if (content.size() < now.file_size) content.push_back(0x00);  // ends what was longer
  if (content.size() <= std::min(now.file_size, files_.write_step())) {
    auto selected = files_.select(object_file(id, now.file));
    if (!selected) return selected.take_error();
    if (auto status = files_.write(content); !status) return status;
    objects_.insert_or_assign(
        id, Object{id, attributes, now.file, now.file_size, false, now.is_private});
    return {};
  }
  return move_attributes(now, content);
}

/// 0001 wins while it is there. Moving from it, the new file is written whole and the switch is the
/// deletion of 0001; moving to it, the switch is the first byte, which is written last.
Status EtokenCard::move_attributes(const Object& object, ByteView content) {
  const auto from = object.file;
  const auto to = from == file::attributes ? file::other_attributes : file::attributes;
  auto status = files_.remove(object_file(object.id, to));  // an earlier move that was cut off
  if (!status && status.error().kind != ErrorKind::not_found) return status;
  status =
      files_.create_file(object_file(object.id, to), attributes_size(object.id, content.size()),
                         rights_of_file(object.is_private));
  if (status) status = files_.write(content);
  if (!status) {
    (void)files_.remove(object_file(object.id, to));
    return status;
  }
  return files_.remove(object_file(object.id, from));
}

Status EtokenCard::change_attributes(const ObjectRef& object, const AttributeChange& change) {
  if (auto status = check_change(object, change); !status) return status;
  if (auto status = prepare_write("changing an object"); !status) return status;
  auto found = find(object);
  if (!found) return found.take_error();
  const auto id = (*found)->id;
  Attributes changed = (*found)->attributes;
  const bool is_half = kind_of(id) == file::key_pair;
  if (change.label && is_half && object.object_class == ObjectClass::public_key) {
    changed.public_label = *change.label;
  } else if (change.label) {
    if (is_half && !changed.public_label) changed.public_label = changed.label;
    changed.label = *change.label;
  }
  if (changed.public_label == changed.label) changed.public_label.reset();
  // Both halves of a pair share their id.
  if (change.id) changed.id = *change.id;
  if (change.subject) changed.subject = *change.subject;
  if (auto status = write_attributes(id, changed); !status)
    return status.take_error().within("changing an object");
  return {};
}

/// A private key goes with its public half. The public half alone is only marked as deleted,
/// because the card keeps it beside the private one.
Status EtokenCard::delete_object(const ObjectRef& object) {
  if (auto status = prepare_write("deleting an object"); !status) return status;
  auto found = find(object);
  if (!found) return found.take_error();
  const auto id = (*found)->id;
  if (object.object_class == ObjectClass::public_key && kind_of(id) == file::key_pair) {
    Attributes changed = (*found)->attributes;
    changed.public_deleted = true;
    if (auto status = write_attributes(id, changed); !status)
      return status.take_error().within("deleting a public key");
    return {};
  }
  objects_.erase(id);
  bodies_.erase(id);
  public_values_.erase(id);
  ids_.reset();
  if (auto status = files_.remove(object_directory(id)); !status)
    return status.take_error().within("deleting an object");
  return {};
}

}  // namespace kilt::card::etoken
