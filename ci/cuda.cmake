# cuda.cmake - the two builds of the CUDA back end from the same .cu files: libablate_cuda.so by nvcc, where a toolkit is found and
# ABLATE_CUDA asks for it; and libablate_cuda_emu.so by the host compiler against tests/cuda_emu/, always, for tests.
if(ABLATE_CUDA)
  find_program(NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
  if(NVCC)
    set(CMAKE_CUDA_COMPILER ${NVCC})
    set(CMAKE_CUDA_ARCHITECTURES ${ABLATE_CUDA_ARCHITECTURES})
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    message(STATUS "CUDA ${CUDAToolkit_VERSION}: libablate_cuda.so for ${ABLATE_CUDA_ARCHITECTURES}")
    # headers only: cuBLASLt and cuDNN are opened at run time, where a machine has them
    find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    set(PLUGIN_SOURCES ${CUDA_SOURCES})
    if(CUDNN_INCLUDE)
      list(FILTER PLUGIN_SOURCES EXCLUDE REGEX "/cuda_dnn_absent\\.cu$")
    else()
      list(FILTER PLUGIN_SOURCES EXCLUDE REGEX "/cuda_dnn\\.cu$")
      message(STATUS "no cudnn.h: the plugin will compute convolutions by its own kernels only (-DCUDNN_INCLUDE=FOLDER names cuDNN's headers)")
    endif()
    add_library(ablate_cuda MODULE ${PLUGIN_SOURCES} model/base/env.c model/base/err.c model/base/mem.c model/base/plugin_id.c model/cuda/nvidia.c model/cuda/tune.c model/cuda/wheels.c)
    string(REPLACE ";" " " BUILT_FOR "${ABLATE_CUDA_ARCHITECTURES}")
    target_compile_definitions(ablate_cuda PRIVATE ABLATE_CUDA_BUILT_FOR="${BUILT_FOR}")
    target_compile_options(ablate_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-lineinfo -Xcompiler=-Wall,-Wextra,-Werror -Werror=all-warnings>")
    if(CUDNN_INCLUDE)
      target_include_directories(ablate_cuda SYSTEM PRIVATE ${CUDNN_INCLUDE})
    endif()
    target_include_directories(ablate_cuda PRIVATE ${CMAKE_BINARY_DIR}) # generated/
    add_dependencies(ablate_cuda numerics_build)
    target_link_libraries(ablate_cuda PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
    set_target_properties(ablate_cuda PROPERTIES CUDA_STANDARD 17 CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
      POSITION_INDEPENDENT_CODE ON LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    target_link_options(ablate_cuda PRIVATE -Wl,--no-undefined)
  else()
    message(STATUS "no CUDA Toolkit (nvcc): libablate_cuda.so is not built")
  endif()
else()
  message(STATUS "libablate_cuda.so is not asked for (preset cuda, or -DABLATE_CUDA=ON)")
endif()

file(GLOB EMU_SOURCES CONFIGURE_DEPENDS tests/cuda_emu/*.cc)
add_library(ablate_cuda_emu MODULE ${EMU_SOURCES} model/base/env.c model/base/err.c model/base/mem.c model/base/plugin_id.c model/cuda/nvidia.c model/cuda/tune.c model/cuda/wheels.c model/cpu/dnn.c model/base/cpu.c
  model/base/cpu_clock.c model/base/progress.c model/base/str.c model/base/utf8.c) # the libraries' stand-ins compute as the CPU does
set(EMULATED ${CUDA_SOURCES})
list(FILTER EMULATED EXCLUDE REGEX "/cuda_(blas|dnn|dnn_absent|nccl)\\.cu$") # calls of libraries: emu_libraries.cc and emu_nccl.cc stand in for them
foreach(source ${EMULATED}) # compiled as C++, from a file of another name: CMake knows .cu as CUDA only
  get_filename_component(name ${source} NAME_WE)
  set(wrapper ${CMAKE_BINARY_DIR}/cuda_emu/${name}.cc)
  file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${source}\"\n")
  target_sources(ablate_cuda_emu PRIVATE ${wrapper})
endforeach()
target_include_directories(ablate_cuda_emu BEFORE PRIVATE tests/cuda_emu) # its cuda_runtime.h
target_include_directories(ablate_cuda_emu PRIVATE ${CMAKE_BINARY_DIR}) # generated/
add_dependencies(ablate_cuda_emu numerics_build)
target_compile_definitions(ablate_cuda_emu PRIVATE ABLATE_CUDA_EMU ABLATE_CUDA_BUILT_FOR="the host")
target_compile_options(ablate_cuda_emu PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-std=gnu++17> $<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra>
  $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-pragmas> -ffp-contract=off -fno-strict-aliasing) # shared memory is written as words of 16 bytes
set_target_properties(ablate_cuda_emu PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_options(ablate_cuda_emu PRIVATE -Wl,--no-undefined)
target_link_libraries(ablate_cuda_emu PRIVATE ${DNNL_LIBRARY} OpenMP::OpenMP_C m)
