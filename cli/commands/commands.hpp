// SPDX-License-Identifier: Apache-2.0
// Every command of the program; each file beside this one holds one of them, or one noun.
#pragma once

#include <CLI/App.hpp>

#include "cli/context.hpp"

namespace kilt::cli {

void add_list(CLI::App& app, Choice& choice);
void add_info(CLI::App& app, Choice& choice);
void add_init(CLI::App& app, Choice& choice);
void add_pin(CLI::App& app, Choice& choice);
void add_key(CLI::App& app, Choice& choice);
void add_csr(CLI::App& app, Choice& choice);
void add_cert(CLI::App& app, Choice& choice);
void add_sign(CLI::App& app, Choice& choice);
void add_verify(CLI::App& app, Choice& choice);
void add_trace(CLI::App& app, Choice& choice);

}  // namespace kilt::cli
