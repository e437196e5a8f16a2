#!/bin/bash
# ctest: nightly, a build of the emulated device for each mutant
# cuda_mutants.sh - is a broken kernel caught? Each test breaks one line of a CUDA kernel, compiles that file for the host, puts it into
# a copy of the emulated plugin and asks the op runner its questions: it has to fail. An unbroken copy has to pass.
. "$(dirname "$0")/lib.sh"

EMULATED=$BUILD/CMakeFiles/ablate_cuda_emu.dir
[ "${ABLATE_SANITIZED:-OFF}" = OFF ] || { echo "0 passed, 0 failed, 1 skipped: plugins are built without a sanitizer here"; exit 77; }


# plugin NAME FILE OLD NEW: ./plugin.so, in which OLD of FILE (below the repository) reads NEW, with op file NAME (or the file of that name
# in model/cuda) compiled from it.
plugin() {
	local name=$1 file=$2 text
	mkdir -p model/ops model/cuda
	local source=model/ops/$name.cu
	[ -f "$SOURCE/$source" ] || source=model/cuda/$name.cu
	cp "$SOURCE/$source" "$source"
	cp "$SOURCE"/model/cuda/*.cuh model/cuda/
	cp "$SOURCE"/model/ops/*.cuh model/ops/
	text=$(<"$file")
	[[ $text == *"$3"* ]] || fail "$file no longer has: $3"
	printf '%s\n' "${text/"$3"/"$4"}" >"$file"
	# shellcheck disable=SC2046
	g++ -std=gnu++17 -O1 -fPIC -fvisibility=hidden -ffp-contract=off -DABLATE_CUDA_EMU '-DABLATE_CUDA_BUILT_FOR="the host"' -I "$SOURCE/tests/cuda_emu" -I . -I "$SOURCE" -I "$BUILD" \
		-x c++ -c "$source" -o mutant.o 2>err || fail "does not compile"
	g++ -shared -o plugin.so mutant.o $(find "$EMULATED" -name '*.o' ! -name "$name.cc.o") -ldnnl -lgomp 2>err || fail "does not link"
}

ask() { ABLATE_CUDA_PLUGIN=$PWD/plugin.so run "$BUILD/tests/op_runner" --device cuda "$1"; }

# caught OP FILE-OF-THE-OP FILE OLD NEW [TEXT that the op runner says]
caught() {
	plugin "$2" "$3" "$4" "$5"
	ask "$1"
	[ "$code" -ne 0 ] || fail "the op runner passes: $(tail -1 out)"
	[ $# -lt 6 ] || says out "$6"
}

# The same where no image fits a block's shared memory: norms then go through memory in three steps.
streamed() { ABLATE_EMU_SHARED=0 caught "$@"; }

test_unbroken_passes() { plugin distance model/ops/distance.cu 'double sum = 0;' 'double sum = 0;'; ask distance; exits 0; }
test_a_tail_written_past_the_end() {
	caught silu elementwise model/cuda/kernel.cuh 'int count = n - i < VEC ? (int)(n - i) : VEC;' 'int count = VEC;' '  silu  '
}
test_a_barrier_missing_before_shared_is_read() {
	caught distance distance model/cuda/kernel.cuh $'= x;\n\t__syncthreads();\n\tT sum' $'= x;\n\tT sum'
}
test_a_barrier_missing_before_shared_is_used_again() {
	streamed groupnorm groupnorm model/cuda/kernel.cuh '__syncthreads(); /* an earlier sum may still be read */' ''
}
test_a_barrier_missing_between_stages() {
	caught conv2d conv2d model/cuda/kernel.cuh $'shared[threadIdx.x] = sum;\n\t__syncthreads();' 'shared[threadIdx.x] = sum;'
}
test_a_sum_that_leaves_out_a_warp() {
	caught distance distance model/cuda/kernel.cuh 'for (unsigned i = 0; i < warps; i++)' 'for (unsigned i = 1; i < warps; i++)'
}
test_shared_memory_too_small() {
	streamed groupnorm groupnorm model/cuda/kernel.cuh 'SHARED(float, shared, (K * VEC * BLOCK));' 'SHARED(float, shared, (K * VEC * BLOCK - 1));' 'outside its array'
}
test_threads_that_race_for_one_place() {
	caught distance distance model/ops/distance.cu 'if (threadIdx.x == 0)' 'if ((sum += threadIdx.x) >= 0)' 'OTHER BITS'
}
test_blocks_that_race_for_one_place() {
	streamed groupnorm groupnorm model/cuda/kernel.cuh 'partial[((at.n * p.chunks + at.chunk) * K + k)' 'partial[((at.n * p.chunks) * K + k)'
}
test_a_barrier_that_some_threads_do_not_reach() {
	caught global_mean classify model/cuda/kernel.cuh $'__syncthreads();\n\tint64_t first' $'if (at.count) __syncthreads();\n\tint64_t first' 'never came to'
}
test_an_exchange_that_some_lanes_do_not_reach() {
	caught cross_entropy classify model/ops/classify.cu $'int lane = (int)threadIdx.x;\n' $'int lane = (int)threadIdx.x;\n\tif (lane >= k) return;\n' 'never came to'
}
test_a_kernel_handed_the_hosts_memory() {
	caught distance distance model/ops/distance.cu 'LAUNCH(cu, weighted_mean_kernel, 1, BLOCK, 0, val_of(nd->dst[0])' \
		'LAUNCH(cu, weighted_mean_kernel, 1, BLOCK, 0, val_at(nd->dst[0], TENSOR_F32)' "argument 1 of weighted_mean_kernel points into the host's memory"
}
test_the_host_in_device_memory() {
	plugin distance model/ops/distance.cu 'LAUNCH(cu, weighted_mean_kernel,' 'nd->dst[0]->data[0] = 0; LAUNCH(cu, weighted_mean_kernel,'
	ask distance
	[ "$code" -ne 0 ] || fail "the op runner passes: $(tail -1 out)"
	says err 'the host touched device memory'
}
test_an_index_off_by_one() {
	caught pool classify model/ops/classify.cu 'row + p.pad - p.k + 1' 'row + p.pad - p.k + 2'
}
test_a_mask_drawn_from_the_wrong_place() {
	caught groupnorm groupnorm model/ops/dropout.cuh 'value / 4 + (uint64_t)first / 4' 'value / 4'
}
test_a_mask_that_forgets_other_processes() {
	caught groupnorm groupnorm model/ops/dropout.cuh '(uint64_t)d.at->first * (uint64_t)d.per + (uint64_t)i' '(uint64_t)i'
}
test_a_mask_that_begins_within_a_block() {
	caught groupnorm groupnorm model/ops/dropout.cuh 'return bits >> before;' 'return bits;'
}
test_a_mask_of_another_place_backwards() {
	caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu 'kept_of(draw, p.first + i * t.c, VEC)' 'kept_of(draw, p.first, VEC)'
}
test_a_mask_that_backwards_forgets() {
	caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu 'store_wide(kept_dy + i * t.span + p.at, dz);' ''
}
test_a_mask_that_a_change_forgets() {
	caught groupnorm_change groupnorm_change model/ops/groupnorm_change.cu 'drop(d, draw, p.first + i * t.c, VEC);' ''
}
test_a_small_change_made_as_a_difference() {
	caught groupnorm_change groupnorm_change model/ops/groupnorm_change.cu 'if (fabsf(d) > 1)' 'if (fabsf(d) >= 0)'
}

# Norms that keep an image's groups in shared memory.
HELD=model/cuda/group_tile.cuh
test_group_unbroken_passes() { plugin groupnorm $HELD 'double part = 0;' 'double part = 0;'; ask groupnorm; exits 0; }
test_group_read_before_it_is_there() { caught groupnorm groupnorm $HELD '__pipeline_wait_prior(0);' ''; }
test_group_barrier_missing_before_lanes_are_summed() {
	caught groupnorm groupnorm_bwd $HELD $'sum[k]);\n\t\t__syncthreads();' 'sum[k]);'
}
test_group_barrier_missing_before_the_next_sum() {
	caught groupnorm groupnorm_bwd $HELD $'= part;\n\t\t}\n\t\t__syncthreads();' $'= part;\n\t\t}'
}
test_group_barrier_missing_before_lines_are_read() {
	caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu $'__syncthreads();\n\tfloat q[VEC]' 'float q[VEC]'
}
test_group_tables_too_small() { caught groupnorm groupnorm $HELD '(lines + lanes) * sizeof' '(lines + lanes - 1) * sizeof' 'outside its array'; }
test_group_lanes_beyond_the_last() { caught groupnorm groupnorm $HELD 'p.active = p.lane < t.lanes;' 'p.active = true;'; }
test_group_lane_left_out() { caught groupnorm groupnorm $HELD 'lane < first + t.lanes / TILE_PARTS' 'lane < first + t.lanes / TILE_PARTS - 1'; }
test_group_of_a_channel_more() { caught groupnorm groupnorm $HELD '* t.per; i < (c' '* t.per; i <= (c'; }
test_group_of_another_image() { caught groupnorm groupnorm $HELD 'p.n = blockIdx.x / (unsigned)t.tiles' 'p.n = blockIdx.x % (unsigned)t.tiles'; }
test_group_gradient_of_a_bias_among_weights() { caught groupnorm groupnorm_bwd model/cuda/kernel.cuh 'at / to.each;' '(at - 1) / to.each;'; }
test_group_sum_for_the_layer_before() { caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu 'image[2 * m.c] = dx;' 'image[2 * m.c] = 0;'; }
test_group_memory_not_asked_for() { caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu 'tile_allow(cu' '(void)(cu' 'invalid argument'; }
test_group_two_sources_in_one_place() { caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu '(kept_dy + t.pixels * t.span)' '(kept_dy + t.pixels * t.span / 2)'; }
test_group_addend_forgotten() { caught groupnorm groupnorm_bwd model/ops/groupnorm_bwd.cu $'if (addend.p)\n\t\t\tload_wide' $'if (false)\n\t\t\tload_wide'; }
test_group_gradients_not_centred() {
	plugin groupnorm_bwd model/ops/groupnorm_bwd.cu 'at.centre = (float)mean;' 'at.centre = 0;'
	ABLATE_TEST_PLUGIN=$PWD/plugin.so run "$BUILD/tests/test_norm_precision"
	[ "$code" -ne 0 ] || fail "test_norm_precision passes"
	says err 'large mean: dx is off'
}
test_group_change_of_lines_made_as_a_difference() {
	caught groupnorm_change groupnorm_change model/ops/groupnorm_change.cu '(float)(two.a - one.a)' '(float)two.a - (float)one.a'
}
test_group_change_without_its_squares() {
	caught groupnorm_change groupnorm_change model/ops/groupnorm_change.cu 'd_squares[c] = d_square_of(' 'd_squares[c] = 0 * d_square_of('
}
# First-order changes.
JVP=model/ops/groupnorm_jvp.cu
test_jvp_mask_forgotten() { caught groupnorm groupnorm_jvp $JVP 'drop(d, draw, at, count);' ''; }
test_jvp_without_what_the_spread_takes() { caught groupnorm groupnorm_jvp $JVP '- rstd * along * w' '- 0 * along * w'; }
test_jvp_embedding_before_the_norm_left_out() { caught groupnorm groupnorm_jvp $JVP 'mean += s[0] + pixels * add;' 'mean += s[0];'; }
test_jvp_of_weights_not_centred() { caught attention attention model/ops/attention.cu 'v * (ds[at + i] - mean)' 'v * ds[at + i]'; }
test_jvp_of_moved_queries() { caught attention attention model/ops/attention.cu 'x[0][k] += first_order ? 0 : dx[0][k];' 'x[0][k] += dx[0][k];'; }
test_jvp_of_the_last_maximum() { caught pool classify model/ops/classify.cu 'val_get(x, at) > val_get(x, best)' 'val_get(x, at) >= val_get(x, best) - 1'; }
test_jvp_of_a_cosine() { caught embed embed model/ops/embed.cu ': -sin(angle)' ': sin(angle)'; }
test_small_changes_of_weights_made_as_differences() {
	caught attention_change attention model/ops/attention.cu 'float z = most < 0.5f ?' 'float z = most < 0 ?'
}
test_an_exponential_that_overflows() {
	caught attention attention model/ops/attention.cu 'float value = expf(s[at + i] - max) * sum;' 'float value = expf(s[at + i]) * sum;'
}

# The plugin's own products and convolutions, without the libraries' twins; TYPES as the op runner's.
caught_own() { # TYPES OP FILE OLD NEW [TEXT]
	local types=$1
	plugin own_product "$3" "$4" "$5"
	ABLATE_CUBLASLT=none ABLATE_CUDNN=none ABLATE_CUDA_PLUGIN=$PWD/plugin.so run "$BUILD/tests/op_runner" --device cuda --types "$types" "$2"
	[ "$code" -ne 0 ] || fail "the op runner passes: $(tail -1 out)"
	[ $# -lt 6 ] || says out "$6"
}
OWN=model/cuda/own_product.cu TILE=model/cuda/product_tile.cuh

test_own_unbroken_passes() {
	plugin own_product $OWN 'float sum = 0;' 'float sum = 0;'
	for types in float bf16; do
		ABLATE_CUBLASLT=none ABLATE_CUDNN=none ABLATE_CUDA_PLUGIN=$PWD/plugin.so run "$BUILD/tests/op_runner" --device cuda --types $types conv2d
		exits 0
	done
}
test_own_barrier_missing_between_stages() { caught_own float conv2d $OWN '__syncthreads(); /* this stage' '/* this stage'; }
test_own_cores_barrier_missing_between_stages() { caught_own bf16 conv2d $OWN '__syncthreads(); /* this stage' '/* this stage'; }
test_own_patch_read_before_it_is_written() {
	caught_own bf16 conv2d $TILE $'__syncwarp();\n\t\t\tout(' 'out('
}
test_own_patch_of_floats_read_before_it_is_written() {
	caught_own float conv2d $TILE $'__syncthreads();\n\t\t\tout(' 'out('
}
test_own_one_stage_for_both() { caught_own float conv2d $OWN 'stage + 2 * PART * (now ^ 1)' 'stage + 2 * PART * now'; }
test_own_stage_too_small() { caught_own float conv2d $TILE 'PART_BYTES = 10240' 'PART_BYTES = 10208' 'outside its array'; }
test_own_pads_forgotten() { caught_own float conv2d $OWN 'o.off_w = -s->pad_w;' 'o.off_w = 0;'; }
test_own_data_gradient_by_taps_forwards() { caught_own float conv2d $OWN 'p.a.dir = -1;' ''; }
test_own_stride_that_lets_every_pixel_in() { caught_own float conv2d $TILE 'h < 0 || w < 0 || h % s.div || w % s.div' 'h < 0 || w < 0'; }
test_own_pixels_beyond_the_right_edge() { caught_own float conv2d $TILE '|| w >= s.w' '|| w > s.w'; }
test_own_weights_of_another_tap() { caught_own bf16 conv2d $TILE '(int64_t)o * s.taps + tap' '(int64_t)tap * s.channels.by + o'; }
test_own_a_split_left_out() { caught_own float conv2d $OWN 's = 0; s < p.splits' 's = 1; s < p.splits'; }
test_own_splits_that_write_one_place() { caught_own float conv2d $OWN 'batch * p.splits + split) * p.m' 'batch * p.splits) * p.m'; }
test_own_batch_of_one_place() { caught_own float attention $OWN 'p.a.p + batch * p.a.step' 'p.a.p'; }
test_own_rows_beyond_the_last() { caught_own float conv2d $OWN 'row >= p.m || col' 'row > p.m || col'; }
test_own_columns_beyond_the_last() { caught_own float conv2d $OWN '(unsigned)VEC ? p.n - col : (unsigned)VEC' '(unsigned)VEC ? (unsigned)VEC : (unsigned)VEC'; }
test_own_division_off_by_one() { caught_own float conv2d $TILE '/ (uint64_t)by + 1)' '/ (uint64_t)by)'; }
test_own_depth_beyond_the_end() { caught_own bf16 conv2d $TILE 'u + i < s.length ?' 'true ?'; }
test_own_bias_forgotten() { caught_own float conv2d $OWN 'val_get(p.bias, col) : 0' '0 : 0'; }
test_own_fragment_of_a_neighbour() { caught_own bf16 conv2d $TILE 'at_col = col() + FRAGMENT * (now % 2)' 'at_col = col() + FRAGMENT * (now / 4)'; }
# Layers with few channels; in floats, so that few inputs are for these kernels too.
caught_thin() { # OLD NEW [TEXT]
	plugin thin_conv model/cuda/thin_conv.cu "$1" "$2"
	ABLATE_CUDA_PLUGIN=$PWD/plugin.so run "$BUILD/tests/op_runner" --device cuda --types float conv2d
	[ "$code" -ne 0 ] || fail "the op runner passes: $(tail -1 out)"
	[ $# -lt 3 ] || says out "$3"
}
test_thin_chunk_overwritten_while_it_is_read() { caught_thin '__syncthreads(); /* the chunk before' '/* the chunk before' 'OTHER BITS'; }
test_thin_tile_overwritten_while_it_is_read() { caught_thin '__syncthreads(); /* the tile before' '/* the tile before' 'OTHER BITS'; }
test_thin_sums_overwritten_while_they_are_read() { caught_thin '__syncthreads(); /* the sums before' '/* the sums before' 'OTHER BITS'; }
test_thin_last_chunk_overwritten_while_it_is_read() { caught_thin '__syncthreads(); /* the last chunk' '/* the last chunk' 'OTHER BITS'; }
test_thin_tile_too_small() { caught_thin 'SHARED(float, x, SPAN *SPAN *LINE);' 'SHARED(float, x, SPAN *SPAN *LINE - LINE);' 'outside its array'; }
test_thin_input_by_taps_forwards() { caught_thin 'thin_out ? -1 : (int)taps - 1' '-1'; }
test_thin_input_padded_as_an_output() { caught_thin 'p.k - 1 - (int)s->pad_h' '(int)s->pad_h'; }
test_thin_pixels_beyond_the_right_edge() { caught_thin 'col < s.w;' 'col <= s.w;'; }
test_thin_pixels_beyond_the_last_row() { caught_thin 'row >= p.thin.h ||' 'row > p.thin.h ||'; }
test_thin_odd_channel_written_twice() { caught_thin 'p.wide.c - s.c < PAIR ? 1 : PAIR' 'PAIR'; }
test_thin_slice_left_out() { caught_thin 's = 0; s < SLICES' 's = 1; s < SLICES'; }
test_thin_row_left_out() { caught_thin 'r = 0; r < s.rows' 'r = 1; r < s.rows'; }
test_thin_runs_that_write_one_place() { caught_thin 'p.partial + chunk * p.stride' 'p.partial'; }
test_thin_bias_of_the_other_side() { caught_thin 'output_is_thin(s) ? OF_THIN : OF_WIDE' 'OF_WIDE'; }
test_thin_relu_forgotten() { caught_thin 'sum[j] = p.relu && !(sum[j] > 0) ? 0 : sum[j];' ''; }
test_thin_single_pixels_of_a_longer_row() { caught_thin 'width /= 2;' 'break;'; }
test_pictures_not_rounded_between_rows_and_columns() {
	plugin picture_kernel model/cuda/picture_kernel.cu 'j.clean ? (double)(float)along[c] : along[c]' 'along[c]'
	ABLATE_TEST_PLUGIN=$PWD/plugin.so run "$BUILD/tests/test_pictures"
	[ "$code" -ne 0 ] || fail "test_pictures passes"
	says err 'clean of'
}
caught_moments() { # OLD NEW
	plugin moment_kernel model/cuda/moment_kernel.cu "$1" "$2"
	ABLATE_TEST_PLUGIN=$PWD/plugin.so run "$BUILD/tests/test_device_moments"
	[ "$code" -ne 0 ] || fail "test_device_moments passes"
}
test_moments_unbroken_pass() {
	plugin moment_kernel model/cuda/moment_kernel.cu 'double sum = 0;' 'double sum = 0;'
	ABLATE_TEST_PLUGIN=$PWD/plugin.so run "$BUILD/tests/test_device_moments"
	exits 0
}
test_moments_of_rows_beyond_the_last() { caught_moments 'r < j.n && c < j.d' 'c < j.d'; }
test_moments_barrier_missing_after_the_rows() { caught_moments $'left);\n\t\t__syncthreads();' 'left);'; }
test_moments_not_centred_across_folds() { caught_moments 'between * (j.fresh[r]' '0 * between * (j.fresh[r]'; }
test_moments_of_a_wrong_share() { caught_moments '(job->n_folded + job->n)' '(job->n_folded + 1)'; }

# ---- what only the emulated device's ways show: it is late, its tensor cores want their alignment

test_unbroken_plugin_passes() { plugin plugin model/cuda/plugin.cu 'void *p = NULL;' 'void *p = NULL;'; ask distance; exits 0; }
test_a_download_that_is_not_waited_for() {
	caught silu plugin model/cuda/plugin.cu $'cudaMemcpyDeviceToHost, cu->stream));\n\tCUDA_CALL(cu, cudaStreamSynchronize(cu->stream));' 'cudaMemcpyDeviceToHost, cu->stream));'
}
test_a_large_upload_that_is_not_waited_for() { caught silu plugin model/cuda/plugin.cu 'if (!small)' 'if (bytes > 1u << 30)'; }
test_a_fragment_that_is_not_aligned() { caught_own bf16 conv2d $TILE 'ALONG = 40, ACROSS = 136' 'ALONG = 36, ACROSS = 136' 'not aligned'; }
run_tests
