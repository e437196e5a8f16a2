# provenance.cmake - run at every build: writes OUT (a C header) with the commit, the hash of the uncommitted changes, the
# compiler and its flags; leaves the file alone when nothing changed, so that nothing is compiled again.
include(${CMAKE_CURRENT_LIST_DIR}/source_state.cmake)
get_filename_component(folder ${OUT} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
source_state(COMMIT DIFF ${SOURCE} ${folder})
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
