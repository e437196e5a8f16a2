# gpu-report.sh - what ci/gpu-check.sh, which sources it, leaves in $out, from the lines and outputs in $work.

quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/[[:cntrl:]]/ /g'; }
text_list() { # the lines of a file as JSON strings
	local first= line
	while IFS= read -r line; do
		printf '%s"%s"' "$first" "$(printf %s "$line" | quote)"
		first=', '
	done <"$1"
}

# Images per second of a bench by its route: with the libraries as found, by own kernels alone.
speed_of() { [ ! -f "$work/$1.txt" ] || ! passed "$1" || sed -n 's/.*"images_per_s": \([0-9.e+-]*\).*/\1/p' "$work/$1.txt" | head -1; }
write_routes() {
	local bench by_library by_own
	for bench in fp32 bf16 features-bf16; do
		by_library=$(speed_of bench-$bench) by_own=$(speed_of bench-own-$bench)
		[ -z "$by_library$by_own" ] || printf '%s\t%s\t%s\n' "$bench" "${by_library:-null}" "${by_own:-null}"
	done >"$work/routes.tsv"
}

write_json() {
	local first= name verdict took last bench by_library by_own
	printf '{"commit": "%s", "gpu": "%s", "rehearsal": %s, "parts": "%s", "state": "%s", "date": "%s",\n "libraries": [%s],\n "devices": [%s],\n "steps": [' \
		"$(quote <COMMIT)" "$(printf %s "$gpu" | quote)" "$([ -n "$rehearsal" ] && echo true || echo false)" "$parts" "$state" "$(date -u +%FT%TZ)" \
		"$(text_list "$work/libraries.txt")" "$(grep cuda "$work/doctor.txt" | text_list /dev/stdin)"
	while IFS=$'\t' read -r name verdict took last; do
		printf '%s\n  {"step": "%s", "verdict": "%s", "seconds": %s, "last": "%s"' "$first" "$name" "$verdict" "$took" "$(printf %s "$last" | quote)"
		case $name:$verdict in bench-*:passed) printf ', "result": %s' "$(cat "$work/$name.txt")" ;; esac
		printf '}'
		first=,
	done <"$work/steps.tsv"
	printf '\n],\n "images_per_s_by_route": ['
	first=
	while IFS=$'\t' read -r bench by_library by_own; do
		printf '%s\n  {"bench": "%s", "as_found": %s, "own_kernels": %s}' "$first" "$bench" "$by_library" "$by_own"
		first=,
	done <"$work/routes.tsv"
	printf '\n]}\n'
}

fenced() { [ ! -s "$work/$2" ] || { printf '\n## %s\n\n```\n' "$1"; cat "$work/$2"; printf '```\n'; }; }
table_of() { [ ! -f "$work/$2.txt" ] || { printf '\n## %s\n\n' "$1"; cat "$work/$2.txt"; }; } # a program's own Markdown
write_markdown() {
	local name verdict took last bench by_library by_own f
	printf '# GPU check of %s\n\n%s, %s: %s; %s\n\n' "$(cat COMMIT)" "${gpu:-no GPU}" "$(date -u +%F)" "$parts" "$state"
	printf '| step | verdict | seconds | last line |\n|---|---|---:|---|\n'
	while IFS=$'\t' read -r name verdict took last; do printf '| %s | %s | %s | %s |\n' "$name" "$verdict" "$took" "${last//|/ }"; done <"$work/steps.tsv"
	if [ -s "$work/routes.tsv" ]; then
		printf '\n## Images per second by route\n\nWith cuBLASLt and cuDNN as far as they were found (Libraries, below), and by the own kernels alone.\n\n'
		printf '| bench | as found | own kernels |\n|---|---:|---:|\n'
		while IFS=$'\t' read -r bench by_library by_own; do printf '| %s | %s | %s |\n' "$bench" "${by_library/null/not measured}" "${by_own/null/not measured}"; done <"$work/routes.tsv"
	fi
	table_of 'Deviation by precision, shapes of ict-cifar10' dtypes-ict
	table_of 'Deviation by precision' dtypes
	fenced "Where a step's time goes" profile.txt
	! passed ncu || fenced 'Kernels by ncu' ncu.txt
	! passed clocks || fenced 'Clocks while the benches ran' clocks.txt
	for f in "$work"/bench-*.txt; do
		name=$(basename "$f" .txt)
		! passed "$name" || fenced "$name" "$name.txt"
	done
	fenced "The study's table" study-table.txt
	fenced Libraries libraries.txt
	fenced Device doctor.txt
}

# All of it, each file replaced as a whole: whoever is killed next leaves the files of the step before.
write_reports() {
	gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1)
	[ -z "$rehearsal" ] || gpu="no GPU: a rehearsal with $(basename "$rehearsal")"
	write_routes
	write_json >"$out/.new" && mv "$out/.new" "$out/report.json"
	write_markdown >"$out/.new" && mv "$out/.new" "$out/report.md"
	cp "$work/steps.tsv" "$out/.new" && mv "$out/.new" "$out/steps.tsv"
	# checkpoints and the sets of references are large, and made again from the records
	tar -C "$work" --exclude='*.ckpt' --exclude='*.safetensors' --exclude='*.npz' -czf "$out/.new" . && mv "$out/.new" "$out/report.tar.gz"
}

# For work by hand on the same machine: `. OUT/env.sh`.
write_env() {
	{
		printf 'cd %q\nexport PATH=%q:"$PATH"\nexport ABLATE_CACHE=%q\n' "$PWD" "$PWD" "$ABLATE_CACHE"
		[ ! -e "$plugin" ] || printf 'export ABLATE_CUDA_PLUGIN=%q\n' "$plugin"
		[ -z "$packages" ] || printf 'export ABLATE_NVIDIA=%q\n' "$packages"
	} >"$out/env.sh"
}
