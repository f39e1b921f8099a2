# SPDX-License-Identifier: Apache-2.0
# What follows from a card's name. Nothing here names a card or a target, so that scripts can read it, too.

# kilt_card(NAME...): the cards of this directory, in match order; sets KILT_CARDS. A card is
# drivers/NAME.cpp, firmware-sim/profiles/NAME.cpp and tests/vectors/NAME.vec; a missing file is a
# configure error.
function(kilt_card)
  foreach(name IN LISTS ARGN)
    foreach(file drivers/${name}.cpp firmware-sim/profiles/${name}.cpp tests/vectors/${name}.vec)
      if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
        message(FATAL_ERROR "kilt_card(${name}): ${file} is missing")
      endif()
    endforeach()
  endforeach()
  set(cards ${ARGN} ${KILT_NEW_CARDS})
  list(REMOVE_DUPLICATES cards)
  set(KILT_CARDS ${cards} PARENT_SCOPE)
endfunction()

# kilt_cards_in(OUT FOLDER EXTENSION NAME...): those that have their file there. Only a card of
# KILT_NEW_CARDS may lack one.
function(kilt_cards_in out folder extension)
  set(found "")
  foreach(name IN LISTS ARGN)
    if(EXISTS ${folder}/${name}.${extension})
      list(APPEND found ${name})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# kilt_card_sources(OUT FOLDER NAME...): a card's side is one file, or several whose names begin with
# the card's.
function(kilt_card_sources out folder)
  set(sources "")
  foreach(name IN LISTS ARGN)
    file(GLOB parts CONFIGURE_DEPENDS ${folder}/${name}.cpp ${folder}/${name}_*.cpp)
    list(APPEND sources ${parts})
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# kilt_driver_list(OUT NAME...): a source file that defines card::drivers(), in this order.
function(kilt_driver_list out)
  set(KILT_DRIVER_DECLARATIONS "")
  set(names "")
  foreach(name IN LISTS ARGN)
    string(APPEND KILT_DRIVER_DECLARATIONS "extern const Driver ${name}_driver;\n")
    list(APPEND names "&${name}_driver")
  endforeach()
  list(JOIN names ", " KILT_DRIVER_NAMES)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/driver_list.cpp)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/drivers/driver_list.cpp.in ${made} @ONLY)
  set(${out} ${made} PARENT_SCOPE)
endfunction()

# kilt_profile_table(OUT NAME...): a source file that defines sim::profiles() and sim::find_profile().
function(kilt_profile_table out)
  set(KILT_PROFILE_DECLARATIONS "")
  set(names "")
  foreach(name IN LISTS ARGN)
    string(APPEND KILT_PROFILE_DECLARATIONS "extern const std::span<const Profile> ${name}_profiles;\n")
    list(APPEND names "${name}_profiles")
  endforeach()
  list(JOIN names ", " KILT_PROFILE_NAMES)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/profile_table.cpp)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/firmware-sim/profile_table.cpp.in ${made} @ONLY)
  set(${out} ${made} PARENT_SCOPE)
endfunction()
