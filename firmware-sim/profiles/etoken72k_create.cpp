// SPDX-License-Identifier: Apache-2.0
// CREATE FILE and DELETE FILE: that the applet can is public, how is not. assumed: the instruction
// numbers of ISO 7816-9, the control information that SELECT answers [facts etoken §5.3, §5.7].
#include <algorithm>

#include "firmware-sim/profiles/etoken72k_commands.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;

constexpr std::size_t deepest = 8;  // files below each other; assumed

/// [facts etoken §5.6].
bool is_forbidden(std::uint16_t id) {
  return id == 0x0000 || id == 0xFFFF || id == 0x3FFF || id == 0x3F00;
}

std::optional<FileType> type_of(ByteView value) {
  switch (value[0]) {
    case 0x01:
      return FileType::df;
    case 0x02:
      return FileType::transparent_ef;
    default:
      return std::nullopt;
  }
}

struct Request {
  std::uint16_t id;
  File file;  ///< all but its path
};

/// Type, identifier, size, ACL, in that order. The size of a DF is told again and means nothing.
std::optional<Request> parse(ByteView rest) {
  const auto type_byte = take(rest, tag::file_type, 1);
  const auto id = take_be16(rest, tag::file_id);
  const auto size = take_be16(rest, tag::size);
  const auto acl = take(rest, tag::acl, Acl::size);
  if (!type_byte || !id || !size || !acl || !rest.empty()) return std::nullopt;
  const auto type = type_of(*type_byte);
  if (!type || is_forbidden(*id) || !Acl::parse(*acl)) return std::nullopt;
  if (*type == FileType::transparent_ef && *size == 0) return std::nullopt;
  Request request{*id, {}};
  request.file.type = *type;
  request.file.size = *size;
  request.file.security = copy_of(*acl);
  return request;
}

}  // namespace

Reply create_file(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  auto request = parse(command.data);
  if (!request) return sw::wrong_data;
  const auto parent = applet.find(applet.current_df);
  if (!parent) return sw::file_not_found;
  if (!applet.allowed(*parent, Access::create_in)) return sw::security_status_not_satisfied;
  request->file.path = parent->path.child(request->id);
  if (request->file.path.text().size() > deepest * 2 * sizeof(std::uint16_t)) {
    return sw::conditions_not_satisfied;
  }
  const auto status = applet.files.create(request->file);
  if (status.ok()) applet.make_current(request->file);
  return status;
}

Reply delete_file(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  const auto file = applet.find(applet.current_ef.value_or(applet.current_df));
  if (!file) return sw::file_not_found;
  if (!applet.allowed(*file, Access::remove)) return sw::security_status_not_satisfied;
  applet.remove(*file);
  applet.current_ef.reset();
  applet.current_df = file->path.parent();
  return sw::ok;
}

}  // namespace kilt::sim::etoken72k
