# count.awk - what `ctest -V` printed -> "N passed, N failed, N skipped", summed over the test programs.
#
# A program tells its own numbers: Criterion's "Synthesis" line and [SKIP] lines, or a line "N passed, N failed[, N
# skipped]" (the last one counts). A program that says nothing counts as one; one that failed counts at least one
# failure; one that says it ran nothing is a failure, not a success.
/^[0-9]+: / {
	id = $1 + 0
	line = $0
	sub(/^[0-9]+: /, "", line)
	if (line ~ /Synthesis: Tested: [0-9]+ \| Passing: [0-9]+ \| Failing: [0-9]+ \| Crashing: [0-9]+/) {
		split(line, w, /[^0-9]+/)
		n = 0
		for (i in w)
			if (w[i] != "")
				n++
		sub(/.*Tested: /, "", line)
		split(line, w, /[^0-9]+/)
		ran[id] = w[1]; good[id] = w[2]; bad[id] = w[3] + w[4]; told[id] = 1
	} else if (line ~ /\[SKIP\]/) {
		skip[id]++
	} else if (line ~ /[0-9]+ passed, [0-9]+ failed/) {
		match(line, /[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?/)
		split(substr(line, RSTART, RLENGTH), w, /[^0-9]+/)
		good[id] = w[1]; bad[id] = w[2]; skip[id] = w[3] + 0; told[id] = 1
	}
	next
}
/Test +#[0-9]+: / {
	match($0, /#[0-9]+/)
	id = substr($0, RSTART + 1, RLENGTH - 1) + 0
	name = $0
	sub(/.*#[0-9]+: /, "", name)
	sub(/ .*/, "", name)
	state = $0 ~ /\*\*\*Skipped/ ? "skipped" : $0 ~ / Passed +[0-9.]+ sec/ ? "passed" : "failed"
	if (state == "skipped" && !told[id]) {
		skip[id] = 1
	} else if (!told[id]) {
		if (state == "passed")
			good[id] = 1
		else
			bad[id] = 1
	} else if (state == "failed" && bad[id] + 0 == 0) {
		bad[id] = 1
	} else if (good[id] + bad[id] + skip[id] == 0) {
		bad[id] = 1
		print name ": ran nothing"
	}
	if (bad[id] + 0 > 0)
		print "FAILED " name
	seen[id] = 1
}
END {
	for (id in seen) {
		passed += good[id]; failed += bad[id]; skipped += skip[id]
	}
	if (passed + failed + skipped == 0)
		failed = 1
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
