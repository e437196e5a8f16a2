#!/bin/bash
# figures.sh - figures as a paper needs them, and none that is empty.
. "$(dirname "$0")/lib.sh"

study() { # EXTRA
	cat >g.toml <<-END
	schema = 1
	[grid]
	name = "g"
	seeds = { train = [1, 2], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 20
	train.batch = 4
	$(printf '%b' "${1-}")
	[[metric]]
	name = "fid"
	samples = 50
	nfe = [1, 2]
	END
}
axes='[[axis]]\nkey = "optim.lr"\nvalues = [0.0005, 0.001]\n[[axis]]\nkey = "sample.weights"\nvalues = ["ema", "student"]\n'
figure() { run ablate figure g.toml "$@"; exits 0; } # KIND OPTIONS: the file of -o
texts() { grep -o '<text[^>]*>[^<]*</text>' "$1" | sed 's/<[^>]*>//g' || true; }
refused() { # EXIT TEXT COMMAND...
	local want=$1 text=$2; shift 2
	run ablate figure g.toml "$@" -o none.svg; exits "$want"; says err "$text"; lines_of err 1; check test ! -e none.svg
}

# Empty axes were drawn, of a curve that does not exist, of a metric that nobody declared, of a study that never ran.
test_nothing_to_draw_is_an_error() {
	study "$axes"
	refused 1 'g has no value of it yet' bars
	refused 1 'g has no training curve yet' curves
	run ablate run g.toml -q; exits 0
	refused 2 "no curve 'foo' of these arms; there are grad_norm, loss, n" curves --curve foo
	refused 2 "g has no 'kid@1'; it declares fid@1, fid@2" bars -m kid@1
	refused 2 'loss.c is the same in all of these arms' sweep -k loss.c
	refused 1 'eval.every = N in [base]' metric
	run ablate report g -o r.html; exits 0
}

test_size_font_title_and_limits() {
	study; run ablate run g.toml -q; exits 0
	figure curves -o a.svg --size 84mmx60mm; check grep -q '<svg [^>]*width="238' a.svg; check grep -q 'height="170' a.svg
	figure curves -o b.svg --size column; check grep -q '<svg [^>]*width="238' b.svg
	figure curves -o c.svg --font 'Nimbus Sans' --font-size 7 --title 'What "A" <lost>'
	check grep -q 'font-family="Nimbus Sans" font-size="7.70" font-weight="bold"[^>]*>What &quot;A&quot; &lt;lost&gt;<' c.svg
	figure curves -o d.svg --title ''; check test "$(texts d.svg | grep -cx loss)" = 1 # the axis
	figure curves -o e.svg --linear --ylim 0:50 --xlim 0:40; texts e.svg >t; check grep -qx 50 t; check grep -qx 40 t
	refused 2 "--ylim LOW:HIGH: '5:1' is not two numbers, the smaller first" curves --ylim 5:1
	refused 2 'a logarithmic axis begins above 0' curves --ylim 0:1
	refused 2 'no value lies within --xlim and --ylim' curves --xlim 1000:2000
	refused 2 'no value lies within --xlim and --ylim' bars --ylim=-2:-1
	refused 2 "--size SIZE: '3furlong' is none" curves --size 3furlong
	refused 2 'make it larger, the font smaller' curves --size 10mmx10mm
	figure curves -o same.svg; figure curves -o again.svg; same same.svg again.svg
}

# A script learns from --json what a figure shows, and of how many seeds.
test_json_tells_what_was_drawn() {
	study "$axes"; run ablate run g.toml -q; exits 0
	figure sweep -k optim.lr --json -o s.svg
	check test "$(jq -c '.panels[0].lines | map([.label, .points, .values, .seeds])' out)" = \
		'[["sample.weights=ema",2,2,2],["sample.weights=student",2,2,2]]'
	figure bars --json -o b.svg; check test "$(jq -c '.panels[0].lines | map(.seeds)' out)" = '[2,2,2,2]'
	figure steps --json -o n.svg; check test "$(jq '.panels[0].lines[0].seeds' out)" = 0
}

# cairo writes glyphs as outlines: a reader could neither search nor copy a number.
test_the_text_of_an_svg_can_be_selected() {
	study "$axes"; run ablate run g.toml -q; exits 0
	figure bars -o a.svg; texts a.svg >t
	for label in 'FID-50, 1 step' 'optim.lr=0.0005, sample.weights=ema' 'optim.lr=0.0005, sample.weights=student'; do check grep -qxF -- "$label" t; done
	check test "$(grep -c '<g id="glyph' a.svg)" = 0
	! command -v xmllint >/dev/null || check xmllint --noout a.svg
}

# They were cut to "optim.lr=0.0005, s...", twice.
test_labels_are_never_cut() {
	long=$(printf 'learned-%.0s' {1..12})
	study "[variants]\none = { label = \"${long}one\", set = { \"loss.kind\" = \"l2\" } }\ntwo = { label = \"${long}two\", set = { \"loss.kind\" = \"l1\" } }\n[[chain]]\nname = \"c\"\nmode = \"one-at-a-time\"\nsteps = [\"one\", \"two\"]\n"
	run ablate run g.toml -q; exits 0
	for kind in curves bars; do
		figure $kind -o a.svg --size column; texts a.svg | tr -d '\n' >t
		says t "${long}one"; says t "${long}two"; says_not t '…'
	done
}

# Chains have rows of one name: two lines were called "base".
test_arms_of_one_label_are_told_apart() {
	study '[variants]\na = { label = "x", set = { "loss.kind" = "l2" } }\nb = { label = "x", set = { "loss.kind" = "l1" } }\n[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["a"]\n[[chain]]\nname = "d"\nmode = "one-at-a-time"\nsteps = ["b"]\n'
	run ablate run g.toml -q; exits 0
	figure curves -o a.svg; texts a.svg >t
	check grep -qx 'c/x' t; check grep -qx 'd/x' t; check test "$(grep -c '/x$' t)" = 2
}

test_a_smooth_line_has_the_raw_one_behind_it() {
	study; run ablate run g.toml -q; exits 0
	figure curves --smooth 0.9 -o a.svg --json
	says out 'exponentially averaged with weight 0.9'; check test "$(jq '.panels[0].lines | length' out)" = 1
	check test "$(grep -cE 'stroke-opacity(:|=")0\.3' a.svg)" = 1
	run ablate figure g.toml curves --smooth 1; exits 2
}

test_metrics_side_by_side_and_over_training() {
	study 'eval.every = 5'; run ablate run g.toml -q; exits 0
	figure bars -m fid@1 -m fid@2 -o a.svg --json; check test "$(jq -r '[.panels[].title] | join("; ")' out)" = 'FID-50, 1 step; FID-50, 2 steps'
	figure metric -m fid@2 -o b.svg --json; check test "$(jq -c '.panels[0].lines[0] | [.points, .values]' out)" = '[4,4]'
	says out 'band: one standard deviation'
}

run_tests
