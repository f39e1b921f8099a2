// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/drivers/trouble.hpp"

namespace kilt::test {

class KaztokenTrouble : public Trouble<Kaztoken, 4> {};

}  // namespace kilt::test
