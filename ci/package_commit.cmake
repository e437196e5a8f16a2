# package_commit.cmake - run by cpack before it packs a source tarball: writes the file COMMIT, from which a build without git takes
# what it was built from (harness/record/provenance.cmake): line 1 the commit, line 2 the hash of changes that are not committed, or nothing.
if(CPACK_GENERATOR STREQUAL "TGZ")
  include(${CMAKE_CURRENT_LIST_DIR}/../harness/record/source_state.cmake)
  get_filename_component(source ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)
  source_state(COMMIT DIFF ${source} ${CPACK_TEMPORARY_DIRECTORY})
  file(WRITE ${CPACK_TEMPORARY_DIRECTORY}/COMMIT "${COMMIT}\n${DIFF}\n")
  file(CHMOD ${CPACK_TEMPORARY_DIRECTORY}/COMMIT PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endif()
