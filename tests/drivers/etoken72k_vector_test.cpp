// SPDX-License-Identifier: Apache-2.0
#include "tests/drivers/etoken72k_fixture.hpp"
