# One libFuzzer harness a file: tests/fuzz/fuzz_NAME.c.
file(GLOB fuzz_src CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(src ${fuzz_src})
  get_filename_component(name ${src} NAME_WE)
  add_executable(${name} ${src})
  target_link_libraries(${name} PRIVATE yaari_client yaari_daemon)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
