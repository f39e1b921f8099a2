// SPDX-License-Identifier: Apache-2.0
// eToken PRO 72K (Java) and the 5110 SC that followed it [facts etoken §1.3, §2, §5]. How they are
// delivered stands here; what they do, in etoken72k_*.
#include <array>

#include "firmware-sim/profiles/etoken72k_device.hpp"

namespace kilt::sim {
namespace {

// They differ in the length of a T=1 block only (FE, 3A) [facts etoken §1.3]; other products show
// the first one too.
constexpr std::array<std::uint8_t, 14> pro_atr{0x3B, 0xD5, 0x18, 0x00, 0x81, 0x31, 0xFE,
                                               0x7D, 0x80, 0x73, 0xC8, 0x21, 0x10, 0xF4};
constexpr std::array<std::uint8_t, 14> sc_atr{0x3B, 0xD5, 0x18, 0x00, 0x81, 0x31, 0x3A,
                                              0x7D, 0x80, 0x73, 0xC8, 0x21, 0x10, 0x30};

std::unique_ptr<Chip> make_pro(Nvram& nvram, const ChipOptions& options) {
  return etoken72k::make_device({"etoken72k", pro_atr, etoken72k::Model::pro_72k}, nvram, options);
}

std::unique_ptr<Chip> make_sc(Nvram& nvram, const ChipOptions& options) {
  return etoken72k::make_device({"etoken5110", sc_atr, etoken72k::Model::sc_5110}, nvram, options);
}

// The reader in the token exchanges T=1 blocks, so the host's stack chains them and extended APDUs
// pass [facts etoken §2].
constexpr std::array<Profile, 2> table{{
    {"etoken72k",
     "eToken PRO 72K (Java)",
     Protocol::t1,
     etoken72k::max_command,
     etoken72k::max_response,
     true,
     make_pro,
     {},
     etoken72k::secrets},
    {"etoken5110",
     "eToken 5110 SC: read without, signed under secure messaging only",
     Protocol::t1,
     etoken72k::max_command,
     etoken72k::max_response,
     true,
     make_sc,
     {},
     etoken72k::secrets},
}};

}  // namespace

extern const std::span<const Profile> etoken72k_profiles;
constinit const std::span<const Profile> etoken72k_profiles{table};

}  // namespace kilt::sim
