// SPDX-License-Identifier: Apache-2.0
// The attribute files on a JaCarta: which there are, what was read of them, and how they are
// written so that a power cut leaves the old or the new. Valid while cardcf's counters stand still.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/jacarta_attributes.hpp"
#include "drivers/jacarta_container.hpp"
#include "drivers/jacarta_files.hpp"

namespace kilt::card::jacarta {

/// The two directories of objects.
enum class Area { open, hidden };
[[nodiscard]] const FilePath& directory(Area area);
[[nodiscard]] FilePath path_in(Area area, std::uint16_t id);

/// The container map's file around its value, a data object of "CSP" [facts jacarta A16].
Result<Bytes> container_file(Bytes value);

struct ObjectFile {
  Area area = Area::open;
  std::uint16_t fid = 0;  ///< as the object is named, also when a copy is read
  FilePath path;          ///< where it stands
  PartialFile file;
  Index index;
};

/// What was known of an object before the card is asked again.
struct KnownObject {
  ObjectFile object;
  std::uint64_t generation = 0;  ///< of what was in memory then
};

class ObjectFiles {
 public:
  explicit ObjectFiles(Files& files) : files_(files) {}

  /// Somebody may have changed objects: the counters are read before anything is believed again.
  void distrust() { checked_ = false; }
  /// Forgets the objects, not only whether they are still right.
  void forget();
  /// Grows whenever objects were forgotten.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  /// Reads the counters unless that was done since distrust(); forgets all when they moved.
  Status check();
  [[nodiscard]] bool is_checked() const { return checked_; }
  /// The counters as they stand on the card; none: it has no such file, or one that is too short.
  Result<std::optional<Freshness>> read_counters();

  /// Object files of a directory by the identifier of the object, without copies. Ascending.
  Result<std::vector<std::uint16_t>> ids(Area area);
  [[nodiscard]] bool is_listed(Area area) const { return lists_.count(area) > 0; }
  /// The file, with `wanted` attributes found where it has them (empty: all). Null when there is
  /// none that was written to its end.
  Result<ObjectFile*> find(Area area, std::uint16_t fid, const std::vector<Type>& wanted);
  /// Only what is in memory; null when nothing is.
  [[nodiscard]] const ObjectFile* peek(Area area, std::uint16_t fid) const;
  /// Whether find() and value() of this attribute need no command.
  [[nodiscard]] bool remembers(Area area, std::uint16_t fid, Type type) const;
  /// What is in memory of an object; none when nothing is.
  [[nodiscard]] std::optional<KnownObject> known(Area area, std::uint16_t fid) const;
  /// Reads the object's file anew, whatever the counters say: the vendor's software lets them begin
  /// at 1 when it sets the card up, so they may stand as they did on what is another card by now.
  /// not_found, and all is forgotten, unless it is the object of `before`. Two commands.
  Status confirm(const KnownObject& before);
  /// An attribute that find() found; empty when the file has none.
  Result<Bytes> value(ObjectFile& object, Type type);
  /// The whole file, its check value compared where it has one.
  Result<Bytes> whole(ObjectFile& object);

  /// The counters as they stand on the card, read anew. What is written from here on is stamped
  /// with them.
  Status prepare_write();
  [[nodiscard]] Freshness freshness() const { return freshness_.value_or(Freshness{}); }
  /// Makes a new object's file. Removes it again when it fails.
  Status create(Area area, std::uint16_t fid, Bytes content);
  /// Changes an object; at every moment the card has the old or the new.
  Status replace(ObjectFile& object, const std::vector<Attribute>& attributes, Freshness stamp);
  /// not_found when there is none.
  Status remove(Area area, std::uint16_t fid);
  /// Adds to both counters on the card, once all is written.
  Status count(int changes);

  /// The container map; `is_first_key`: the card has no key whose record must be kept.
  Result<ContainerMap> container_map(bool is_first_key);
  Status store_container_map(const ContainerMap& map);

 private:
  using Key = std::pair<Area, std::uint16_t>;
  [[nodiscard]] bool exists(Area area, std::uint16_t id) const;
  void listed(Area area, std::uint16_t id, bool is_there);
  PartialFile::Fetch fetch_of(const ObjectFile& object);
  Result<bool> open(ObjectFile& object, std::uint16_t id);
  /// Whether the object is there, under its name or as a copy; then it is ready to be read.
  Result<bool> open_either(ObjectFile& object);
  Status create_file(Area area, const NewFile& file, ByteView content);
  Status remove_file(Area area, std::uint16_t id);
  Status write_changed(const Bytes& before, const Bytes& after);

  Files& files_;
  bool checked_ = false;
  std::uint64_t generation_ = 0;
  std::optional<Freshness> freshness_;
  Bytes freshness_head_;
  std::map<Area, std::vector<std::uint16_t>> lists_;
  std::map<Key, std::optional<ObjectFile>> objects_;
  std::optional<Bytes> container_file_;  ///< as it stands on the card
};

}  // namespace kilt::card::jacarta
