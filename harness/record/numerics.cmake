# numerics.cmake - run at every build: writes OUT (a C header) with what of this build decides numbers, as two SHA-256.
#
#     NUMERICS_BUILD     the sources of model/ and metrics/ and of how a worker trains and scores, the compiler, its flags
#     NUMERICS_KERNELS   the CUDA sources; the plugin carries it, for it may be of another build than the program
#
# What counts of a source says harness/source_hash.c. Of the flags, these do not count: where files are (-I, -L, -B, -D with a
# path), debug information (-g), warnings (-W, -w, -pedantic), how messages look, links, and what hardens without computing otherwise.
# The header is left alone when nothing changed, so that nothing is compiled again. As a function, for tests: numerics_flags().
function(numerics_flags out flags)
  separate_arguments(words UNIX_COMMAND "${flags}")
  set(kept "")
  set(skip FALSE)
  foreach(word ${words})
    if(skip)
      set(skip FALSE)
    elseif(word MATCHES "^-(I|isystem|iquote|idirafter|include|imacros|L|B|D|U|MF|MT|MQ|o)$")
      set(skip TRUE)
    elseif(word MATCHES "^-(I|isystem|iquote|idirafter|L|B|l|g|W|w|pedantic|M|pipe|save-temps|v$|p$|pg$|s$)" OR word MATCHES "^-D.*[/\"]"
           OR word MATCHES "^-f(debug|macro|file|profile|canon|coverage)-?[a-z]*-prefix-map" OR word MATCHES "^-f(no-)?(diagnostics|stack-protector|stack-clash|cf-protection|message|color|verbose|ident|PIC|pic|PIE|pie|visibility|plt|asynchronous-unwind|unwind|semantic-interposition)")
    else()
      list(APPEND kept "${word}")
    endif()
  endforeach()
  string(JOIN " " text ${kept})
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

if(FLAGS_ONLY)
  numerics_flags(text "${FLAGS}")
  message(NOTICE "${text}")
  return()
endif()

# hash of the sources under SOURCE that match the patterns
function(numerics_sources out)
  file(GLOB_RECURSE files LIST_DIRECTORIES FALSE RELATIVE ${SOURCE} ${ARGN})
  list(SORT files)
  execute_process(COMMAND ${TOOL} ${files} WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE hash RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed OR NOT hash)
    message(FATAL_ERROR "the sources' hash cannot be made: ${failed}")
  endif()
  set(${out} "${hash}" PARENT_SCOPE)
endfunction()

set(host "")
set(device "")
foreach(layer model metrics)
  list(APPEND host ${SOURCE}/${layer}/*.c ${SOURCE}/${layer}/*.h ${SOURCE}/${layer}/*.def)
  list(APPEND device ${SOURCE}/${layer}/*.cu ${SOURCE}/${layer}/*.cuh)
endforeach()
# what of the harness is between a job and its numbers
list(APPEND host ${SOURCE}/harness/commands/cmd-worker.c ${SOURCE}/harness/run/worker_*.c ${SOURCE}/harness/run/reference.c)
numerics_sources(host_hash ${host})
numerics_sources(device_hash ${device})
numerics_flags(flags "${FLAGS}")
string(SHA256 build "${host_hash}\n${COMPILER}\n${flags}\n")
get_filename_component(folder ${OUT} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
file(WRITE ${OUT}.new "/* numerics_build.h - written by numerics.cmake at every build. */
#define NUMERICS_BUILD \"${build}\"
#define NUMERICS_KERNELS \"${device_hash}\"
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
file(REMOVE ${OUT}.new)
