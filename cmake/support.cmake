# What tests share, and the simulator as a program.  Wants cmocka; built in release only when asked.
pkg_check_modules(cmocka IMPORTED_TARGET cmocka)
if(NOT cmocka_FOUND)
  return()
endif()
file(GLOB support_src CONFIGURE_DEPENDS tests/support/*.c tests/support/*/*.c)
add_library(yaari_support STATIC EXCLUDE_FROM_ALL ${support_src})
target_link_libraries(yaari_support PUBLIC yaari_net yaari_common PkgConfig::cmocka)

add_executable(sim-hash EXCLUDE_FROM_ALL tests/sim/hash.c)
target_compile_options(sim-hash PRIVATE -Wno-unused-parameter)
target_link_libraries(sim-hash PRIVATE yaari_support)

# The simulator as a program; run by tools/sim.
file(GLOB sim_src CONFIGURE_DEPENDS tools/sim_*.c)
add_executable(yaari-sim EXCLUDE_FROM_ALL ${sim_src})
target_link_libraries(yaari-sim PRIVATE yaari_support PkgConfig::libsodium)
target_link_options(yaari-sim PRIVATE -Wl,--wrap=crypto_scalarmult
  -Wl,--wrap=crypto_scalarmult_base -Wl,--wrap=crypto_sign_verify_detached)

# A full room in the simulator; run by tools/bench.
add_executable(bench_room_sim EXCLUDE_FROM_ALL tools/bench_room_sim.c)
target_link_libraries(bench_room_sim PRIVATE yaari_support)
