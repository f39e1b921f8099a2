// SPDX-License-Identifier: Apache-2.0
#include "apdu/iso7816.hpp"

namespace kilt::apdu {

std::string meaning(StatusWord status) {
  if (auto tries = status.tries_left()) {
    return "verification failed, " + std::to_string(*tries) + " tries left";
  }
  if (status.more_data()) return "more data";
  if (status.wrong_le()) return "wrong Le";
  switch (status.value) {
    case sw::ok.value:
      return "success";
    case sw::end_of_file.value:
      return "end of file before Le bytes";
    case sw::verification_failed.value:
      return "verification failed";
    case sw::execution_error.value:
      return "execution error, memory unchanged";
    case 0x6500:
      return "execution error, memory changed";
    case sw::memory_failure.value:
      return "memory failure";
    case sw::wrong_length.value:
      return "wrong length";
    case sw::last_of_chain_expected.value:
      return "last command of the chain expected";
    case sw::chaining_not_supported.value:
      return "command chaining not supported";
    case sw::incompatible_file.value:
      return "incompatible with the file structure";
    case sw::security_status_not_satisfied.value:
      return "login needed";
    case sw::authentication_blocked.value:
      return "authentication method blocked";
    case sw::reference_data_not_usable.value:
      return "reference data not usable";
    case sw::conditions_not_satisfied.value:
      return "conditions of use not satisfied";
    case sw::no_current_ef.value:
      return "no current file";
    case sw::wrong_data.value:
      return "wrong data field";
    case sw::function_not_supported.value:
      return "function not supported";
    case sw::file_not_found.value:
      return "file not found";
    case sw::not_enough_memory.value:
      return "not enough memory";
    case sw::wrong_p1_p2.value:
      return "wrong P1-P2";
    case sw::reference_not_found.value:
      return "referenced data not found";
    case sw::file_exists.value:
      return "file exists";
    case sw::offset_outside.value:
      return "offset outside the file";
    case sw::ins_not_supported.value:
      return "instruction not supported";
    case sw::cla_not_supported.value:
      return "class not supported";
    default:
      return "no diagnosis";
  }
}

}  // namespace kilt::apdu
