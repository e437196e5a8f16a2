# gpu-ncu.awk - the CSV of `ncu --csv --print-units base` with gpu__time_duration.sum and dram__bytes.sum, summed by kernel: launches,
# milliseconds, gigabytes of device memory and GB/s, the most time first.
#   awk -f ci/gpu-ncu.awk ncu.csv
BEGIN { FS = "\",\"" }
!/^"/ { next } # what ncu and the program say
{ gsub(/^"|"$/, "") }
$1 == "ID" {
	for (i = 1; i <= NF; i++) column[$i] = i
	next
}
{
	name = substr($column["Kernel Name"], 1, 60)
	value = $column["Metric Value"]
	gsub(/,/, "", value)
	if ($column["Metric Name"] == "gpu__time_duration.sum") {
		ns[name] += value
		launches[name]++
		all += value
	} else
		bytes[name] += value
}
END {
	printf "%8s %10s %6s %9s %7s  %s\n", "launches", "ms", "share", "GB", "GB/s", "kernel"
	sort = "LC_ALL=C sort -k2,2nr"
	for (name in ns) {
		n += launches[name]
		total += bytes[name]
		printf "%8d %10.3f %5.1f%% %9.3f %7.0f  %s\n", launches[name], ns[name] / 1e6, all ? 100 * ns[name] / all : 0, bytes[name] / 1e9,
			ns[name] ? bytes[name] / ns[name] : 0, name | sort
	}
	close(sort)
	printf "%d launches, %.3f ms in kernels, %.3f GB\n", n, all / 1e6, total / 1e9
	exit !n
}
