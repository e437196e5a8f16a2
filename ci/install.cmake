# install.cmake - what `cmake --install` writes and what CPack packs. The folders are those that model/base/own_files.h looks in.
#   bin/ablate   lib/ablate/*.so   share/ablate/   share/man/   completions of bash, zsh and fish   share/doc/ablate/
set(CPACK_PACKAGE_NAME ablate)

# Manual pages and completions from the program's own tables.
set(PAGES ${CMAKE_BINARY_DIR}/pages)
set(PAGE_FILES ${PAGES}/ablate.1 ${PAGES}/ablate-grid.5 ${PAGES}/ablate-json.5 ${PAGES}/ablate-db.5 ${PAGES}/ablate.bash ${PAGES}/_ablate ${PAGES}/ablate.fish)
add_custom_command(OUTPUT ${PAGE_FILES}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PAGES}
  COMMAND ablate man > ${PAGES}/ablate.1
  COMMAND ablate man 5-grid > ${PAGES}/ablate-grid.5
  COMMAND ablate man 5-json > ${PAGES}/ablate-json.5
  COMMAND ablate man 5-db > ${PAGES}/ablate-db.5
  COMMAND ablate completion bash > ${PAGES}/ablate.bash
  COMMAND ablate completion zsh > ${PAGES}/_ablate
  COMMAND ablate completion fish > ${PAGES}/ablate.fish
  DEPENDS ablate VERBATIM)
add_custom_target(pages DEPENDS ${PAGE_FILES})
# All that is installed, without the tests: `cmake --build build --target package_files`.
add_custom_target(package_files ALL DEPENDS pages ablate)

# Before the first file: is there something to install, and can it be written? So that nothing is half installed.
set(FOLDERS bin share/ablate/ablations/paper share/ablate/results share/ablate/engines share/ablate/model/weights share/man/man1 share/man/man5 share/doc/ablate
  share/bash-completion/completions share/zsh/site-functions share/zsh/vendor-completions share/fish/vendor_completions.d)
if(TARGET ablate_mpi OR TARGET ablate_cuda)
  list(APPEND FOLDERS lib/ablate)
endif()
install(CODE "set(BUILT \"${CMAKE_BINARY_DIR}/ablate;${PAGE_FILES}\")\nset(BUILD_FOLDER \"${CMAKE_BINARY_DIR}\")\nset(FOLDERS \"${FOLDERS}\")")
install(SCRIPT ${CMAKE_SOURCE_DIR}/ci/install_check.cmake)

install(TARGETS ablate RUNTIME DESTINATION bin)
foreach(plugin ablate_mpi ablate_cuda)
  if(TARGET ${plugin})
    add_dependencies(package_files ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib/ablate)
  endif()
endforeach()
install(DIRECTORY ablations DESTINATION share/ablate FILES_MATCHING PATTERN "*.toml")
install(FILES results/published.toml DESTINATION share/ablate/results)
install(PROGRAMS ci/engines/kubectl.sh ci/engines/ssh.sh DESTINATION share/ablate/engines)
install(DIRECTORY model/weights DESTINATION share/ablate/model FILES_MATCHING PATTERN "*.safetensors")
install(FILES ${PAGES}/ablate.1 DESTINATION share/man/man1)
install(FILES ${PAGES}/ablate-grid.5 ${PAGES}/ablate-json.5 ${PAGES}/ablate-db.5 DESTINATION share/man/man5)
install(FILES ${PAGES}/ablate.bash DESTINATION share/bash-completion/completions RENAME ablate)
install(FILES ${PAGES}/_ablate DESTINATION share/zsh/site-functions)
install(FILES ${PAGES}/_ablate DESTINATION share/zsh/vendor-completions) # where Debian's zsh looks below /usr
install(FILES ${PAGES}/ablate.fish DESTINATION share/fish/vendor_completions.d)
install(FILES LICENSE DESTINATION share/doc/ablate RENAME copyright)
install(FILES README.md CHANGELOG.md CITATION.cff DESTINATION share/doc/ablate)

# ---- packages: cpack --config build/CPackConfig.cmake (.deb), build/CPackSourceConfig.cmake (source tarball); ci/package.sh makes both
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "the ablate developers")
set(CPACK_PACKAGE_CONTACT "the ablate developers <maintainers@ablate.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "harness for ablations of consistency-model training")
set(CPACK_PACKAGE_DESCRIPTION "ablate trains every cell of a declarative ablation grid, scores it
(FID, KID, IS, precision and recall, LPIPS), records each number with its
provenance in SQLite, shows it beside published values, and guards it in CI
by a gate that says pass, fail or cannot tell. It runs on a CPU without any
download.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME ablate-${PROJECT_VERSION})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "dataset-fashion-mnist, fonts-dejavu-core, liblmdb0")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openmpi-bin, slurm-client, curl, libhdf5-103-1 | libhdf5-310") # HDF5 brings much along
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/ci/package_depends.cmake) # what the libraries are called in this Debian
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-pthread | libopenblas0") # loaded at first use, so no tool sees it

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME ablate-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git/;/build[^/]*/;/ablate\\\\.db;/runs/;\\\\.plan\\\\.json$")
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/ci/package_commit.cmake # what the source is, where there is no git any more
  ${CMAKE_SOURCE_DIR}/ci/package_debian.cmake)
include(CPack)
