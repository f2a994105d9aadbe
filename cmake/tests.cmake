# One cmocka program a file; its ctest name is its path: core/link/link_test.c -> core/link/link.
find_package(PkgConfig REQUIRED)
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)

file(GLOB support_src CONFIGURE_DEPENDS tests/support/*.c tests/support/*/*.c)
if(support_src)
  add_library(yaari_support STATIC ${support_src})
  target_link_libraries(yaari_support PUBLIC yaari_net yaari_common)
endif()

file(GLOB_RECURSE test_src CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests tests/*_test.c)
foreach(src ${test_src})
  string(REGEX REPLACE "_test\\.c$" "" name ${src})
  string(REPLACE "/" "-" target "test-${name}")
  add_executable(${target} tests/${src})
  target_compile_options(${target} PRIVATE -Wno-unused-parameter)
  target_compile_definitions(${target} PRIVATE YAARI_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE $<$<TARGET_EXISTS:yaari_support>:yaari_support>
                        yaari_client yaari_daemon PkgConfig::cmocka)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endforeach()

# Black-box tests with the real programs; pytest and its modules are Debian's (tools/setup test).
find_program(YAARI_PYTEST NAMES pytest-3 pytest PATHS /usr/bin NO_DEFAULT_PATH)
file(GLOB e2e_src CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests/e2e tests/e2e/test_*.py)
foreach(src ${e2e_src})
  string(REGEX REPLACE "^test_(.*)\\.py$" "e2e/\\1" name ${src})
  add_test(NAME ${name} COMMAND ${YAARI_PYTEST} -q -p no:cacheprovider ${src}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/e2e)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 ENVIRONMENT
                       "YAARI_BIN=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
