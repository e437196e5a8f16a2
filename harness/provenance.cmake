# provenance.cmake - run at every build: writes OUT (a C header) with the commit, the hash of the uncommitted changes, the
# compiler and its flags; leaves the file alone when nothing changed, so that nothing is compiled again.
# The same two git commands are run by provenance_tree_changed() to see whether a source tree moved on after the build.
find_program(GIT git)
set(COMMIT "unknown")
set(DIFF "")
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE head RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    set(COMMIT ${head})
    execute_process(COMMAND ${GIT} -C ${SOURCE} diff --binary --no-ext-diff --no-color HEAD -- model metrics harness CMakeLists.txt
                    OUTPUT_FILE ${OUT}.diff ERROR_QUIET)
    file(SIZE ${OUT}.diff size)
    if(size GREATER 0)
      file(SHA256 ${OUT}.diff DIFF)
    endif()
    file(REMOVE ${OUT}.diff)
  endif()
endif()
string(REGEX REPLACE "[\"\\]" "" FLAGS "${FLAGS}")
string(STRIP "${FLAGS}" FLAGS)
file(WRITE ${OUT}.new "/* provenance_build.h - written by provenance.cmake at every build. */
#define PROVENANCE_COMMIT \"${COMMIT}\"
#define PROVENANCE_DIFF \"${DIFF}\"
#define PROVENANCE_COMPILER \"${COMPILER}\"
#define PROVENANCE_FLAGS \"${FLAGS}\"
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
file(REMOVE ${OUT}.new)
