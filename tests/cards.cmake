# SPDX-License-Identifier: Apache-2.0
# The tests that a card gets for its name and its vector file alone.

# kilt_vectors(NAME sources FOLDER files... LIBS libraries...): each of the vector files, in FOLDER,
# is met by one side.
function(kilt_vectors name sources folder)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/)
  kilt_test(${name} vectors ${sources} LIBS ${arg_LIBS})
  list(JOIN arg_UNPARSED_ARGUMENTS " " files)
  target_compile_definitions(${name} PRIVATE KILT_VECTORS_DIR="${folder}" KILT_CARD_VECTORS="${files}")
endfunction()

# kilt_sim_vectors(NAME FOLDER files... LIBS libraries...): what simulated cards answer.
function(kilt_sim_vectors name folder)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  kilt_vectors(${name} "sim/sim_card.cpp;sim/sim_vectors.cpp" ${folder} ${arg_UNPARSED_ARGUMENTS}
    LIBS ${arg_LIBS} kilt_sim kilt_apdu)
endfunction()

# kilt_card_tests(PREFIX ROOT cards... DRIVERS libraries... PROFILES libraries...): for each card of ROOT what its simulated
# card answers to its vector file, what its driver says, and its driver on a card that answers
# anything, with the file as seed. A card whose file tells other than the common workflows has
# drivers/CARD_vector_test.cpp, and one that must be asked more has fuzz/driver_CARD.cpp. PREFIX
# goes before the names of the test programs; DRIVERS and PROFILES are linked beside kilt_drivers and
# kilt_sim.
function(kilt_card_tests prefix root)
  cmake_parse_arguments(arg "" "" "DRIVERS;PROFILES" ${ARGN})
  set(tests ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(folder ${root}/tests/vectors)
  kilt_cards_in(told ${folder} vec ${arg_UNPARSED_ARGUMENTS})
  kilt_cards_in(simulated ${root}/firmware-sim/profiles cpp ${told})
  kilt_cards_in(driven ${root}/drivers cpp ${simulated})

  set(spoken ${driven})
  set(fuzzed ${driven})
  foreach(card IN LISTS driven)
    if(EXISTS ${tests}/drivers/${card}_vector_test.cpp)
      list(REMOVE_ITEM spoken ${card})
    endif()
    if(EXISTS ${tests}/fuzz/driver_${card}.cpp)
      list(REMOVE_ITEM fuzzed ${card})
    endif()
  endforeach()

  list(TRANSFORM simulated APPEND .vec)
  kilt_sim_vectors(${prefix}sim_vectors_test ${folder} ${simulated} LIBS ${arg_PROFILES})
  if(spoken)
    list(TRANSFORM spoken APPEND .vec)
    kilt_vectors(${prefix}driver_vectors_test drivers/driver_vectors.cpp ${folder} ${spoken}
      LIBS ${arg_DRIVERS} ${arg_PROFILES} kilt_drivers kilt_sim)
  endif()
  foreach(card IN LISTS fuzzed)
    kilt_fuzz(driver_${card} ${arg_DRIVERS} kilt_drivers SOURCE ${tests}/fuzz/any_driver.cpp
      SEEDS ${folder}/${card}.vec)
    target_compile_definitions(fuzz_driver_${card} PRIVATE KILT_CARD="${card}"
      KILT_CARD_VECTOR="${folder}/${card}.vec")
  endforeach()
endfunction()
