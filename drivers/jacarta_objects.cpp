// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_objects.hpp"

#include <algorithm>
#include <cstdio>

#include "drivers/refusals.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t files_max = 255, first_read = 7, update_step = 255;
constexpr std::size_t freshness_size = 8, freshness_head_size = 4;

std::uint16_t object_of(std::uint16_t id) {
  return static_cast<std::uint16_t>(id & ~id::copy_bit);
}
std::uint16_t copy_of_object(std::uint16_t fid) {
  return static_cast<std::uint16_t>(fid | id::copy_bit);
}

/// Whether no trace may show the content of an object's file.
bool is_private(Area area, std::uint16_t fid) {
  return area == Area::hidden && id::is_data(fid);
}

std::string numbered(const char* format, unsigned number) {
  char text[8];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

/// Name and rules of an object's file follow from its identifier [facts jacarta A9, A16 #25, #26].
NewFile shape_of(Area area, std::uint16_t fid, std::size_t size) {
  constexpr std::uint16_t class_mask = 0xFF00, index_mask = 0x3F;
  NewFile file;
  file.id = fid;
  file.size = size;
  file.rules = rules::attributes();
  switch (fid & class_mask) {
    case id::private_key:
      file.name = numbered("kxs%02u", fid & index_mask);
      break;
    case id::key_certificate:
      file.name = numbered("kxc%02u", fid & index_mask);
      break;
    case id::data:
      file.rules = area == Area::hidden ? rules::hidden_data() : rules::open_data();
      break;
    default:
      break;
  }
  return file;
}

std::uint16_t le16(ByteView bytes) {
  return be16(bytes[1], bytes[0]);
}

/// What tells an object from another one in its place, though somebody may have renamed it.
Type telling_type(std::uint16_t fid) {
  if (id::is_private_key(fid)) return Type::id;
  return id::is_public_key(fid) ? Type::modulus : Type::value;
}

/// Whether both have that attribute with the same value, as far as it is known of both. What was
/// not read before tells nothing.
bool has_same(Type type, const ObjectFile& before, const ObjectFile& now) {
  const auto old = before.index.find(type), current = now.index.find(type);
  if (old == before.index.end()) return true;
  if (current == now.index.end() || current->second.length != old->second.length) return false;
  return now.file.agrees(current->second.at, before.file, old->second.at, old->second.length);
}

}  // namespace

const FilePath& directory(Area area) {
  return area == Area::open ? file::open_objects : file::hidden_objects;
}

FilePath path_in(Area area, std::uint16_t id) {
  FilePath path = directory(area);
  path.push_back(id);
  return path;
}

void ObjectFiles::forget() {
  ++generation_;
  lists_.clear();
  objects_.clear();
  container_file_.reset();
  freshness_.reset();
  checked_ = false;
}

Result<std::optional<Freshness>> ObjectFiles::read_counters() {
  auto content = files_.read_file(file::freshness);
  if (!content && content.error().kind != ErrorKind::not_found)
    return content.take_error().within("reading whether objects changed");
  if (!content || content->size() < freshness_size) return std::optional<Freshness>{};
  const ByteView counters = ByteView(*content).subspan(freshness_head_size);
  freshness_head_ = copy_of(ByteView(*content).first(freshness_head_size));
  return std::optional<Freshness>{{le16(counters), le16(counters.subspan(2))}};
}

Status ObjectFiles::check() {
  if (checked_) return {};
  auto now = read_counters();
  if (!now) return now.take_error();
  // Without counters nothing tells whether what was read is still right.
  if (!*now || *now != freshness_) forget();
  freshness_ = *now;
  checked_ = true;
  return {};
}

Status ObjectFiles::prepare_write() {
  distrust();
  return check();
}

bool ObjectFiles::exists(Area area, std::uint16_t id) const {
  const auto list = lists_.find(area);
  return list != lists_.end() &&
         std::find(list->second.begin(), list->second.end(), id) != list->second.end();
}

void ObjectFiles::listed(Area area, std::uint16_t id, bool is_there) {
  objects_.erase({area, object_of(id)});
  const auto list = lists_.find(area);
  if (list == lists_.end()) return;
  std::erase(list->second, id);
  if (is_there) list->second.push_back(id);
}

Result<std::vector<std::uint16_t>> ObjectFiles::ids(Area area) {
  if (!is_listed(area)) {
    auto found = files_.list(directory(area), FileType::ef);
    if (!found && found.error().kind == ErrorKind::not_found) found = std::vector<std::uint16_t>{};
    if (!found) return found;
    if (found->size() > files_max) {
      return Error{ErrorKind::protocol, "the card lists more files than it can have"};
    }
    lists_[area] = std::move(*found);
  }
  std::vector<std::uint16_t> objects;
  for (const auto id : lists_[area]) {
    if (id != file::container_map) objects.push_back(object_of(id));
  }
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  return objects;
}

PartialFile::Fetch ObjectFiles::fetch_of(const ObjectFile& object) {
  const bool hides = is_private(object.area, object.fid);
  return [this, hides, path = object.path, size = object.file.size()](
             std::size_t offset, std::size_t count) -> Result<Bytes> {
    const apdu::Channel::Privacy privacy(files_.channel(), hides);
    const auto facts = files_.select(path);
    if (!facts) return facts.error();
    if (facts->size != size) {
      return Error{ErrorKind::protocol, to_string(path) + " was changed by another program"};
    }
    return files_.read(offset, count);
  };
}

/// Whether `id` holds the object; then it is ready to be read.
Result<bool> ObjectFiles::open(ObjectFile& object, std::uint16_t id) {
  if (!exists(object.area, id)) return false;
  object.path = path_in(object.area, id);
  const auto facts = files_.select(object.path);
  if (!facts && facts.error().kind == ErrorKind::not_found) return false;
  if (!facts) return facts.error();
  if (facts->type != FileType::ef || facts->size < first_read || facts->size > Files::longest_file)
    return false;
  object.file = PartialFile(facts->size);
  const auto head = object.file.bytes(0, first_read, fetch_of(object));
  if (!head) return head.error();
  return has_valid_header(*head, object.fid, facts->size);
}

Result<bool> ObjectFiles::open_either(ObjectFile& object) {
  auto found = open(object, object.fid);
  if (found && !*found) found = open(object, copy_of_object(object.fid));
  if (!found) return found.take_error().within("reading " + to_string(object.path));
  return found;
}

Result<ObjectFile*> ObjectFiles::find(Area area, std::uint16_t fid,
                                      const std::vector<Type>& wanted) {
  if (auto all = ids(area); !all) return all.take_error();
  const Key key{area, fid};
  if (objects_.count(key) == 0) {
    ObjectFile object;
    object.area = area;
    object.fid = fid;
    const auto found = open_either(object);
    if (!found) return found.error();
    objects_[key] = *found ? std::optional<ObjectFile>(std::move(object)) : std::nullopt;
  }
  auto& known = objects_[key];
  if (!known) return nullptr;
  if (auto status = find_attributes(known->file, wanted, fetch_of(*known), known->index); !status) {
    return status.take_error().within("reading " + to_string(known->path));
  }
  return &*known;
}

const ObjectFile* ObjectFiles::peek(Area area, std::uint16_t fid) const {
  const auto found = objects_.find({area, fid});
  return found == objects_.end() || !found->second ? nullptr : &*found->second;
}

std::optional<KnownObject> ObjectFiles::known(Area area, std::uint16_t fid) const {
  const auto* object = peek(area, fid);
  if (!object) return std::nullopt;
  return KnownObject{*object, generation_};
}

Status ObjectFiles::confirm(const KnownObject& before) {
  constexpr std::size_t enough = 64;  // of a certificate: its serial number is among them
  const auto& old = before.object;
  if (auto all = ids(old.area); !all) return all.take_error();
  ObjectFile now;
  now.area = old.area;
  now.fid = old.fid;
  const auto found = open_either(now);
  if (!found) return found.error();
  const Type telling = telling_type(old.fid);
  Status read;
  if (*found) read = find_attributes(now.file, {telling}, fetch_of(now), now.index);
  if (const auto place = now.index.find(telling); read && place != now.index.end()) {
    const auto begin =
        now.file.bytes(place->second.at, std::min(place->second.length, enough), fetch_of(now));
    if (!begin) read = begin.error();
  }
  // A file that makes no sense is held against the one of before all the same.
  if (!read && read.error().kind != ErrorKind::protocol)
    return read.take_error().within("reading " + to_string(now.path));
  // While the counters stand still nobody changed so much as its label.
  const std::size_t size = old.file.size();
  const bool has_moved = before.generation != generation_;
  const bool agrees = now.file.size() == size && now.file.agrees(0, old.file, 0, size);
  if (*found && (has_moved || agrees) && has_same(telling, old, now)) return {};
  forget();
  return object_gone();
}

bool ObjectFiles::remembers(Area area, std::uint16_t fid, Type type) const {
  const auto* object = peek(area, fid);
  if (!object || !is_listed(area)) return false;
  const auto place = object->index.find(type);
  if (place == object->index.end()) return object->file.knows(0, object->file.size());
  return object->file.knows(place->second.at, place->second.length);
}

Result<Bytes> ObjectFiles::value(ObjectFile& object, Type type) {
  const auto place = object.index.find(type);
  if (place == object.index.end()) return Bytes{};
  const auto bytes = object.file.bytes(place->second.at, place->second.length, fetch_of(object));
  if (!bytes) return bytes.error().within("reading " + to_string(object.path));
  return copy_of(*bytes);
}

Result<Bytes> ObjectFiles::whole(ObjectFile& object) {
  const auto bytes = object.file.bytes(0, object.file.size(), fetch_of(object));
  if (!bytes) return bytes.error().within("reading " + to_string(object.path));
  if (!digest_is_right(*bytes)) {
    return Error{ErrorKind::protocol,
                 to_string(object.path) + " does not fit its check value; it is damaged"};
  }
  return copy_of(*bytes);
}

// ---- writing ---------------------------------------------------------------------------------

Status ObjectFiles::create_file(Area area, const NewFile& file, ByteView content) {
  auto status = files_.create(directory(area), file);
  if (!status) return status;
  listed(area, file.id, true);
  const auto selected = files_.select(path_in(area, file.id));
  const apdu::Channel::Privacy privacy(files_.channel(), is_private(area, object_of(file.id)));
  status = selected ? files_.write(content) : Status(selected.error());
  // After a removal of the card this fails at once.
  if (!status) (void)remove_file(area, file.id);
  return status;
}

Status ObjectFiles::remove_file(Area area, std::uint16_t id) {
  auto status = files_.remove(path_in(area, id));
  if (!status && status.error().kind != ErrorKind::not_found) return status;
  listed(area, id, false);
  return {};
}

Status ObjectFiles::create(Area area, std::uint16_t fid, Bytes content) {
  // What is there under this name was never finished.
  for (const auto id : {fid, copy_of_object(fid)}) {
    if (!exists(area, id)) continue;
    if (auto status = remove_file(area, id); !status) return status;
  }
  if (auto status = create_file(area, shape_of(area, fid, content.size()), content); !status)
    return status;
  ObjectFile made;
  made.area = area;
  made.fid = fid;
  made.path = path_in(area, fid);
  made.file = PartialFile(std::move(content));
  objects_[{area, fid}] = std::move(made);
  return {};
}

Status ObjectFiles::write_changed(const Bytes& before, const Bytes& after) {
  std::size_t end = after.size();
  while (end > 0) {
    const std::size_t at = (end - 1) / update_step * update_step;
    const ByteView now = ByteView(after).subspan(at, end - at);
    if (!equal(now, ByteView(before).subspan(at, end - at))) {
      if (auto status = files_.update(at, now); !status) return status;
    }
    end = at;
  }
  return {};
}

Status ObjectFiles::replace(ObjectFile& object, const std::vector<Attribute>& attributes,
                            Freshness stamp) {
  auto content = encode(object.fid, attributes, stamp);
  if (!content) return content.take_error();
  const auto before = whole(object);
  if (!before) return before.error();
  const Area area = object.area;
  const std::uint16_t fid = object.fid;
  const bool is_in_place = object.path == path_in(area, fid);
  const auto [first, other] =
      std::mismatch(content->begin(), content->begin() + std::min(content->size(), before->size()),
                    before->begin());
  const auto at = static_cast<std::size_t>(first - content->begin());
  std::size_t end = content->size();
  if (is_in_place && content->size() == before->size()) {
    while (end > at && (*content)[end - 1] == (*before)[end - 1])
      --end;
    if (end - at <= update_step) {
      // One command changes all of it.
      if (const auto selected = files_.select(object.path); !selected) return selected.error();
      const apdu::Channel::Privacy privacy(files_.channel(), is_private(area, fid));
      auto status =
          end == at ? Status{} : files_.update(at, ByteView(*content).subspan(at, end - at));
      objects_.erase({area, fid});
      return status;
    }
  }
  // "Resize" does not exist [facts jacarta A11], and a file written over is neither old nor new for
  // a while. So a copy stands in until the file is there again.
  NewFile copy = shape_of(area, fid, content->size());
  copy.id = copy_of_object(fid);
  copy.name.clear();
  if (is_in_place) {
    if (exists(area, copy.id)) {
      if (auto status = remove_file(area, copy.id); !status) return status;
    }
    if (auto status = create_file(area, copy, *content); !status) return status;
  }
  if (exists(area, fid)) {
    if (auto status = remove_file(area, fid); !status) return status;
  }
  if (auto status = create_file(area, shape_of(area, fid, content->size()), *content); !status)
    return status;
  return remove_file(area, copy.id);
}

Status ObjectFiles::remove(Area area, std::uint16_t fid) {
  if (auto all = ids(area); !all) return all.take_error();
  auto object = find(area, fid, {Type::object_class});
  if (!object && object.error().kind == ErrorKind::removed) return object.take_error();
  const std::uint16_t copy = copy_of_object(fid);
  if (!exists(area, fid) && !exists(area, copy)) {
    return Error{ErrorKind::not_found, "the object is not on the card (any more)"};
  }
  // The one that is valid goes last.
  const bool copy_is_valid = object && *object && (*object)->path == path_in(area, copy);
  for (const auto id : {copy_is_valid ? fid : copy, copy_is_valid ? copy : fid}) {
    if (!exists(area, id)) continue;
    if (auto status = remove_file(area, id); !status) return status;
  }
  return {};
}

Status ObjectFiles::count(int changes) {
  if (!freshness_) return {};
  const Freshness now = freshness_->after(changes);
  if (const auto selected = files_.select(file::freshness); !selected) return selected.error();
  Bytes content = freshness_head_;
  for (const auto counter : {now.containers, now.files})
    append(content, {static_cast<std::uint8_t>(counter), static_cast<std::uint8_t>(counter >> 8)});
  if (auto status = files_.update(0, content); !status) {
    return status.take_error().within("counting the change");
  }
  freshness_ = now;
  return {};
}

// ---- the container map -----------------------------------------------------------------------

Result<Bytes> container_file(Bytes value) {
  constexpr std::size_t no_object_id = 64;
  const std::vector<Attribute> attributes{
      {Type::digest, flag::modifiable, Bytes(20)},
      ulong(Type::object_class, 0),
      truth(Type::token, true),
      truth(Type::is_private, false),
      {Type::label, flag::modifiable, copy_of(as_bytes("cmapfile"))},
      {Type::application, flag::modifiable, copy_of(as_bytes("CSP"))},
      {Type::value, flag::modifiable, std::move(value)},
      {Type::object_id, flag::modifiable, Bytes(no_object_id, 0xFF)},
      truth(Type::modifiable, true),
      truth(Type::vendor_public, false)};
  return encode(file::container_map, attributes, {});
}

Result<ContainerMap> ObjectFiles::container_map(bool is_first_key) {
  if (is_first_key) return ContainerMap();
  if (!container_file_) {
    auto content = files_.read_file(path_in(Area::open, file::container_map));
    if (!content && content.error().kind == ErrorKind::not_found) return ContainerMap();
    if (!content) return content.take_error().within("reading the container map");
    container_file_ = std::move(*content);
  }
  const auto attributes = decode(*container_file_, file::container_map);
  if (!attributes) return ContainerMap();  // never finished: it is written anew
  for (const auto& attribute : *attributes) {
    if (attribute.type == Type::value) return ContainerMap(attribute.value);
  }
  return ContainerMap();
}

Status ObjectFiles::store_container_map(const ContainerMap& map) {
  const FilePath path = path_in(Area::open, file::container_map);
  auto content = container_file(map.value());
  if (!content) return content.take_error();
  const auto before = std::exchange(container_file_, std::nullopt);
  if (before == *content) {
    container_file_ = before;
    return {};
  }
  const auto there = files_.select(path);
  if (!there && there.error().kind != ErrorKind::not_found) return there.error();
  Status status;
  if (there && there->size == content->size()) {
    const bool comparable = before && before->size() == content->size();
    status = comparable ? write_changed(*before, *content) : files_.write(*content);
  } else {
    if (there) status = files_.remove(path);
    NewFile file;
    file.id = file::container_map;
    file.size = content->size();
    file.name = "cmapfile";
    file.rules = rules::container_map();
    if (status) status = files_.create(file::open_objects, file);
    if (status) {
      const auto selected = files_.select(path);
      status = selected ? files_.write(*content) : Status(selected.error());
    }
  }
  if (!status) return status.take_error().within("writing the container map");
  container_file_ = std::move(*content);
  return {};
}

}  // namespace kilt::card::jacarta
