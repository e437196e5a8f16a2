# package_debian.cmake - run by cpack before it packs a .deb: what Debian's policy asks of the files below share/: manual pages are
# compressed, and there is a changelog in Debian's form, which leads to ours. No time gets into the compressed files.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share)
  file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../CITATION.cff released REGEX "^date-released: ")
  string(REGEX REPLACE "^date-released: *" "" released "${released}")
  execute_process(COMMAND env LC_ALL=C date -u -R -d ${released} OUTPUT_VARIABLE day OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${share}/doc/ablate/changelog "ablate (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n  * What changed is told in CHANGELOG.md.\n\n"
       " -- ${CPACK_PACKAGE_CONTACT}  ${day}\n")
  file(CHMOD ${share}/.. PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE) # cpack's own
  file(GLOB pages ${share}/man/man*/*.[1-9])
  file(CHMOD ${share}/doc/ablate/changelog PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  execute_process(COMMAND gzip -9nf ${share}/doc/ablate/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()
