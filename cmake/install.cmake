# What `cmake --install` puts where; man pages, completions and the rest that is made for it.
# The user unit names the prefix given when configuring; all else may move.
install(TARGETS yaari yaarid RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS yaari-upnp RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/yaari)
install(TARGETS libyaari LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/yaari DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

file(RELATIVE_PATH PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" PC_TO_PREFIX ${PC_TO_PREFIX})
configure_file(tools/packaging/yaari.pc.in packaging/yaari.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/packaging/yaari.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(tools/packaging/yaarid.service.in packaging/yaarid.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/packaging/yaarid.service DESTINATION lib/systemd/user)
configure_file(tools/packaging/yaari-bootstrap.service.in packaging/yaari-bootstrap.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/packaging/yaari-bootstrap.service DESTINATION lib/systemd/system)

# docs/NAME.SECTION.scd -> man/NAME.SECTION
find_program(SCDOC scdoc)
file(GLOB man_src CONFIGURE_DEPENDS docs/*.scd)
if(SCDOC)
  foreach(src ${man_src})
    get_filename_component(page ${src} NAME_WLE)
    string(REGEX REPLACE "^.*\\." "" section ${page})
    set(out ${CMAKE_BINARY_DIR}/man/${page})
    add_custom_command(OUTPUT ${out} DEPENDS ${src} VERBATIM
      COMMAND sh -c "mkdir -p man && ${SCDOC} <'${src}' >'${out}.new' && mv '${out}.new' '${out}'")
    list(APPEND man_pages ${out})
    install(FILES ${out} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endforeach()
  add_custom_target(man ALL DEPENDS ${man_pages})
endif()

# The program writes its own completions.
if(NOT CMAKE_CROSSCOMPILING)
  set(completion_places bash bash-completion/completions/yaari zsh zsh/vendor-completions/_yaari
      fish fish/vendor_completions.d/yaari.fish)
  while(completion_places)
    list(POP_FRONT completion_places shell place)
    get_filename_component(folder ${place} DIRECTORY)
    get_filename_component(name ${place} NAME)
    set(out ${CMAKE_BINARY_DIR}/completion/${shell}/${name})
    add_custom_command(OUTPUT ${out} DEPENDS yaari VERBATIM
      COMMAND sh -c "mkdir -p completion/${shell} && $<TARGET_FILE:yaari> completion ${shell} \
>'${out}.new' && mv '${out}.new' '${out}'")
    list(APPEND completions ${out})
    install(FILES ${out} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder})
  endwhile()
  add_custom_target(completions ALL DEPENDS ${completions})
endif()
