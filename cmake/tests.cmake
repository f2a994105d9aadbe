# Every test, for ctest.  Labels: unit, netns, fuzz, e2e, ground.  Those of the last three use programs of
# the presets fuzz and release, too: tools/test builds them first.
set(YAARI_FUZZ_DIR ${CMAKE_SOURCE_DIR}/build/fuzz CACHE PATH "Where the libFuzzer programs are")
set(YAARI_RELEASE_DIR ${CMAKE_SOURCE_DIR}/build/release CACHE PATH "Where the release build is")
set(YAARI_FUZZ_SECONDS 20 CACHE STRING "How long each libFuzzer program runs")
if(NOT TARGET yaari_support)
  message(FATAL_ERROR "the tests need cmocka (tools/setup test)")
endif()
set_target_properties(sim-hash PROPERTIES EXCLUDE_FROM_ALL OFF)

# One cmocka program a file; its ctest name is its path: core/link/links_test.c -> core/link/links.
file(GLOB_RECURSE test_src CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests tests/*_test.c)
foreach(src ${test_src})
  string(REGEX REPLACE "_test\\.c$" "" name ${src})
  string(REPLACE "/" "-" target "test-${name}")
  add_executable(${target} tests/${src})
  target_compile_options(${target} PRIVATE -Wno-unused-parameter)
  target_compile_definitions(${target} PRIVATE YAARI_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE yaari_support yaari_client yaari_daemon)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endforeach()

add_dependencies(test-net-upnp yaari-upnp)

# One libFuzzer program a file, built by clang in the preset fuzz.
file(GLOB fuzz_src CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(src ${fuzz_src})
  get_filename_component(program ${src} NAME_WE)
  string(REPLACE "fuzz_" "" name ${program})
  add_test(NAME fuzz/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/fuzz/run ${YAARI_FUZZ_SECONDS}
           ${YAARI_FUZZ_DIR}/${program} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${program})
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120 COST 30)
endforeach()

# Black-box tests: one pytest file each, with the programs of this build.  A file all of whose
# tests were skipped (they want root) is shown as skipped.
# Those of netns run in networks made of kernel namespaces; mostly they wait, so they begin early.
set(e2e_cost 60)
set(netns_cost 120)
foreach(room e2e netns)
  file(GLOB pytest_src CONFIGURE_DEPENDS tests/${room}/test_*.py)
  foreach(src ${pytest_src})
    get_filename_component(name ${src} NAME_WE)
    string(REPLACE "test_" "" name ${name})
    add_test(NAME ${room}/${name}
             COMMAND /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider ${src}
             WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/${room})
    set_tests_properties(${room}/${name} PROPERTIES LABELS ${room} TIMEOUT 300 COST ${${room}_cost}
      ENVIRONMENT "YAARI_BIN=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1"
      SKIP_REGULAR_EXPRESSION "(^|\n)[0-9]+ skipped in ")
  endforeach()
endforeach()

# The ground: what the builds promise beyond their programs' behaviour.
function(ground_test name timeout)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ground TIMEOUT ${timeout})
endfunction()
ground_test(demo 300 ${CMAKE_SOURCE_DIR}/tools/demo ${YAARI_RELEASE_DIR})
ground_test(install 120 ${CMAKE_SOURCE_DIR}/tests/install/check ${YAARI_RELEASE_DIR})
ground_test(sim/hash 300 ${CMAKE_SOURCE_DIR}/tests/sim/same_hash $<TARGET_FILE:sim-hash>
            ${YAARI_RELEASE_DIR}/sim-hash)
ground_test(core-symbols 30 ${CMAKE_SOURCE_DIR}/tools/check-core-symbols
            ${YAARI_RELEASE_DIR}/libyaari_core.a)
add_executable(protocol-tables tools/protocol-tables.c)
target_link_libraries(protocol-tables PRIVATE yaari_core)
ground_test(protocol-tables 30 ${CMAKE_SOURCE_DIR}/tests/docs/tables
            $<TARGET_FILE:protocol-tables>)
ground_test(man 30 ${CMAKE_SOURCE_DIR}/tests/man/lint ${YAARI_RELEASE_DIR}/man)
