#!/bin/bash
# inputs.sh - what a score was made from is what its record says: files in the cache and beside the records that were
# changed behind the program's back are noticed.
. "$(dirname "$0")/lib.sh"

scores() { sql "$1" "SELECT cell, name, protocol, hex FROM v_result ORDER BY 1, 2, 3"; }

# The features of the reference are kept for the cells to come: others in their place would move every later score.
test_another_reference_in_its_place_is_made_again() {
	local npz
	small_grid 2
	printf '[[metric]]\nname = "kid"\nref = "shapes8-test"\nsamples = 100\n' >>g.toml
	run ablate run g.toml --db first.db; exits 0
	mkdir -p second.db-runs
	cp -r first.db-runs/refs second.db-runs/
	npz=(second.db-runs/refs/*.npz)
	check [ ${#npz[@]} = 2 ]
	mv "${npz[0]}" third; mv "${npz[1]}" "${npz[0]}"; mv third "${npz[1]}"
	run ablate run g.toml --db second.db; exits 0
	scores first.db >a; scores second.db >b; same a b
	for npz in "${npz[@]}"; do check cmp -s "$npz" "first.db-runs/refs/$(basename "$npz")"; done
}

# Of an ablate that did not seal it.
test_a_reference_without_a_seal_is_made_again() {
	local npz
	small_grid 2
	run ablate run g.toml; exits 0
	npz=$(echo ablate.db-runs/refs/*.npz)
	cp "$npz" good
	rm "$npz.sha256"; echo junk >"$npz"
	run ablate run g.toml --set "seeds.train=[77]"; exits 0
	check cmp -s "$npz" good
	check [ "$(cat "$npz.sha256")" = "$(sha256sum <good | cut -d' ' -f1)" ]
}

first_cell() { grep -o '"cell": *"[0-9a-f]*"' | head -1; }

# Weights of the same size and date: a cell that starts from them is another cell.
test_weights_to_start_from_are_known_by_their_content() {
	local ckpt before after
	small_grid 2
	run ablate run g.toml; exits 0
	ckpt=$(ls "$PWD"/ablate.db-runs/*/*/step-*.ckpt | head -1)
	cp "$ckpt" init.safetensors
	before=$(ablate plan g.toml --set net.init=init.safetensors --json | first_cell)
	check [ "$before" = "$(ablate plan g.toml --set net.init=init.safetensors --json | first_cell)" ]
	touch -r init.safetensors date
	printf '\1' | dd of=init.safetensors bs=1 seek=$(($(stat -c %s init.safetensors) - 2)) conv=notrunc status=none
	touch -r date init.safetensors
	after=$(ablate plan g.toml --set net.init=init.safetensors --json | first_cell)
	check [ -n "$before" ]; check [ "$before" != "$after" ]
}

run_tests
