# source_state.cmake - source_state(COMMIT DIFF SOURCE WORK): which commit a source tree is, and the hash of what is changed in it
# and not committed. From git where the tree is a repository of its own, else from its file COMMIT (a source tarball has one), else
# "unknown". WORK is a folder for a temporary file. provenance_tree_changed() runs the same two git commands later.
function(source_state commit_out diff_out source work)
  set(commit "unknown")
  set(diff "")
  find_program(GIT git)
  set(top "")
  set(git ${GIT} -c safe.directory=* -C ${source}) # who builds a tree runs what is in it, whoever owns it: root in a container, too
  if(GIT)
    execute_process(COMMAND ${git} rev-parse --show-toplevel OUTPUT_VARIABLE top ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND ${git} rev-parse HEAD OUTPUT_VARIABLE head RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  file(REAL_PATH ${source} real)
  if(top STREQUAL real AND NOT failed) # not a tree unpacked inside somebody's repository
    set(commit ${head})
    execute_process(COMMAND ${git} diff --binary --no-ext-diff --no-color HEAD -- model metrics harness CMakeLists.txt :!*.md
                    OUTPUT_FILE ${work}/source_state.diff ERROR_QUIET)
    file(SIZE ${work}/source_state.diff size)
    if(size GREATER 0)
      file(SHA256 ${work}/source_state.diff diff)
    endif()
    file(REMOVE ${work}/source_state.diff)
  elseif(EXISTS ${source}/COMMIT)
    file(STRINGS ${source}/COMMIT lines)
    list(GET lines 0 commit)
    list(LENGTH lines n)
    if(n GREATER 1)
      list(GET lines 1 diff)
    endif()
  endif()
  set(${commit_out} "${commit}" PARENT_SCOPE)
  set(${diff_out} "${diff}" PARENT_SCOPE)
endfunction()
