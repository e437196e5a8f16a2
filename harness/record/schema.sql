-- schema.sql - the result database, version 5. Compiled into the program; `ablate schema` prints it.
--
-- Every table line and every column line ends with a comment, which is also stored in table meta, so that a database
-- explains itself without the program. All content comes from the journals in the folder DATABASE-runs, from which it
-- can be rebuilt. Times are UTC, ISO 8601 with milliseconds; durations come from a monotonic clock.
CREATE TABLE meta( -- what this file is, and one line about each table and column
	key TEXT PRIMARY KEY, -- schema_version, tool_version, ledger_bytes, ledger_waits, table:NAME or column:TABLE.NAME
	value TEXT NOT NULL, -- the value; for a column its declared type
	doc TEXT -- one line
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact( -- files known by their content
	hash TEXT PRIMARY KEY CHECK(length(hash) = 64), -- SHA-256 of the bytes (of the decoded content, for a data set)
	kind TEXT NOT NULL, -- dataset, weights, refstats, checkpoint, samples, picture, log, source-diff, binary
	bytes INTEGER, -- size of the file, where it is one file
	name TEXT, -- base name
	url TEXT, -- where it was fetched from, if it was
	licence TEXT, -- SPDX identifier, if known
	n_items INTEGER -- images or rows in it, if it has items
) STRICT, WITHOUT ROWID;

CREATE TABLE env( -- what an attempt ran on
	hash TEXT PRIMARY KEY CHECK(length(hash) = 64), -- SHA-256 of json
	json TEXT NOT NULL CHECK(json_valid(json)) -- canonical: commit, dirty diff, compiler, flags, CPU, libraries, threads, file system
) STRICT, WITHOUT ROWID;

CREATE TABLE grid( -- grid files as they were run
	hash TEXT PRIMARY KEY, -- hash of the plan
	name TEXT NOT NULL, -- [grid] name
	toml TEXT NOT NULL, -- the file verbatim
	created TEXT NOT NULL, -- when it was first run here
	made_of TEXT NOT NULL DEFAULT '{}' CHECK(json_valid(made_of)) -- JSON: sources (the file's name; name and text of what it inherits), set, only
) STRICT, WITHOUT ROWID;

CREATE TABLE arm( -- a configuration without its seed
	hash TEXT PRIMARY KEY CHECK(length(hash) = 64), -- SHA-256 of config
	config TEXT NOT NULL CHECK(json_valid(config)) -- canonical JSON, every default written out
) STRICT, WITHOUT ROWID;

CREATE TABLE cell( -- an arm with a training seed: the unit of work
	hash TEXT PRIMARY KEY CHECK(length(hash) = 64), -- identity of the result: over arm, seed, numerics and dataset
	arm TEXT NOT NULL REFERENCES arm DEFERRABLE INITIALLY DEFERRED, -- its configuration
	seed INTEGER NOT NULL, -- training seed; the streams derive from it
	numerics INTEGER NOT NULL, -- numerics version of the program
	dataset TEXT NOT NULL, -- SHA-256 of the data set's decoded content, or over it and the weights that training reads
	training TEXT, -- key of its training: over numerics, dataset, seed and the settings that training depends on; cells that only sample otherwise share it
	UNIQUE(arm, seed, numerics, dataset)
) STRICT, WITHOUT ROWID;

CREATE TABLE grid_cell( -- which cells a grid asks for, under which labels
	grid TEXT NOT NULL REFERENCES grid DEFERRABLE INITIALLY DEFERRED, -- the grid
	cell TEXT NOT NULL REFERENCES cell DEFERRABLE INITIALLY DEFERRED, -- the cell
	chain TEXT NOT NULL DEFAULT '', -- the chain this row belongs to, '' outside chains
	ordinal INTEGER NOT NULL, -- place in the grid's order
	label TEXT NOT NULL, -- label of the arm in this chain
	labels TEXT, -- JSON array: all labels of the arm
	PRIMARY KEY(grid, cell, chain, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt( -- one life of a cell: from the start of its process to its end
	id TEXT PRIMARY KEY, -- UUID
	cell TEXT NOT NULL REFERENCES cell DEFERRABLE INITIALLY DEFERRED, -- what it computes
	n INTEGER NOT NULL, -- 1-based number of this attempt at the cell, as its runner knew
	purpose TEXT NOT NULL DEFAULT 'run' CHECK(purpose IN('run', 'verify')), -- an attempt made by verify is never used for the cell
	state TEXT NOT NULL CHECK(state IN('running', 'done', 'failed', 'timeout', 'killed', 'lost', 'diverged', 'blocked', 'stopped')), -- from evidence only; stopped: checkpointed on request
	reason TEXT CHECK(reason IS NOT NULL OR state IN('running', 'done')), -- one sentence: why it is in this state, and how that is known
	exit_code INTEGER, -- of its process
	signal INTEGER, -- that ended its process
	host TEXT, -- host name
	boot_id TEXT, -- kernel boot id: a pid means something only within one boot
	pid INTEGER, -- process id
	slurm_job TEXT, -- job id, or ARRAY_TASK
	slurm_restart INTEGER, -- how often Slurm had requeued the job
	started TEXT NOT NULL, -- wall clock
	heartbeat TEXT, -- wall clock of the last sign of life
	heartbeat_boot_s REAL, -- the same in seconds since boot, which no clock adjustment moves
	ended TEXT, -- wall clock
	step INTEGER, -- training steps done
	resumed_from TEXT, -- the earlier attempt whose checkpoint it began with (which may live in a shard not merged yet)
	resumed_step INTEGER, -- the step of that checkpoint
	env TEXT REFERENCES env DEFERRABLE INITIALLY DEFERRED, -- what it ran on
	wall_s REAL, -- duration
	cpu_s REAL, -- user and system time
	max_rss INTEGER, -- peak resident memory in bytes
	journal TEXT, -- SHA-256 of the sealed journal, all of which is in this database
	fingerprint TEXT, -- numerics fingerprint: of the sources and flags that decide numbers and the libraries that computed; NULL = of before it was recorded
	generation INTEGER -- how often --rebuild had made the cell again: results of the highest done generation are used; NULL = 0
) STRICT, WITHOUT ROWID;

CREATE TABLE input( -- what an attempt really read
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- the reader
	role TEXT NOT NULL, -- dataset, init, teacher, lpips NAME, extractor NAME
	artifact TEXT NOT NULL REFERENCES artifact DEFERRABLE INITIALLY DEFERRED, -- the content
	PRIMARY KEY(attempt, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint( -- checkpoints written whole
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- the writer
	step INTEGER NOT NULL, -- training steps in it
	artifact TEXT NOT NULL REFERENCES artifact DEFERRABLE INITIALLY DEFERRED, -- its bytes: weights, optimizer, averages, stream counters
	PRIMARY KEY(attempt, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE output( -- other files an attempt made
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- the writer
	role TEXT NOT NULL, -- samples@1, picture@1, ...
	artifact TEXT NOT NULL REFERENCES artifact DEFERRABLE INITIALLY DEFERRED, -- its bytes
	sampling TEXT, -- of samples: key of the sampling, over the training's key, weights, evaluations, seed and the settings of sampling
	PRIMARY KEY(attempt, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric( -- scores
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- whose samples were scored
	name TEXT NOT NULL, -- fid, kid, precision, ...
	nfe INTEGER NOT NULL DEFAULT 0, -- network evaluations per sample; fid@2 is name fid, nfe 2; 0 = does not apply
	weights TEXT NOT NULL DEFAULT '', -- ema, student or teacher: the weights that were sampled
	step INTEGER NOT NULL, -- training step of the weights
	eval_seed INTEGER NOT NULL, -- seed of the sampling latents and subsets
	protocol TEXT NOT NULL, -- extractor, resize, quantisation, n and reference; numbers of different protocols are never compared
	value REAL, -- NULL only when hex is nan
	hex TEXT NOT NULL, -- the value as printf %a, for bit-exact comparison
	lo REAL, -- lower end of its interval over the samples of this attempt
	hi REAL, -- upper end
	n INTEGER, -- images scored
	computed_by TEXT, -- what of it a device computed, and by which library; NULL = all of it was computed on the host
	asked TEXT, -- key of the score: over the sampling's key, metric, reference, extractor and number of images; NULL = of before it was recorded
	taken_from TEXT, -- the attempt that computed it for another cell of the same sampling; NULL = this one
	PRIMARY KEY(attempt, name, nfe, weights, step, eval_seed, protocol),
	CHECK(value IS NOT NULL OR hex LIKE '%nan')
) STRICT, WITHOUT ROWID;

CREATE TABLE curve( -- training curves
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- whose training
	name TEXT NOT NULL, -- loss, grad_norm, n, ...
	step INTEGER NOT NULL, -- training step
	value REAL, -- NULL = not a number
	PRIMARY KEY(attempt, name, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE verify( -- comparisons of an attempt with its repetition
	id TEXT PRIMARY KEY, -- UUID
	a TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- the attempt under test
	b TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- its repetition
	scope TEXT NOT NULL CHECK(scope IN('bits', 'tolerance')), -- what was asked for
	equal INTEGER NOT NULL CHECK(equal IN(0, 1)), -- 1 = every compared value is the same
	n INTEGER NOT NULL, -- values compared
	first_diff_step INTEGER, -- the first training step that differs
	first_diff TEXT, -- what differs there, with both values
	max_ulp INTEGER, -- largest distance of two values in units in the last place
	created TEXT NOT NULL, -- wall clock
	lives INTEGER, -- lives of the attempt that were replayed, each from where the one before it stopped; NULL = 1
	unlike TEXT -- what differs between the environments, life by life; NULL = nothing that is known
) STRICT, WITHOUT ROWID;

CREATE TABLE baseline( -- frozen per-seed values that gates compare with
	id TEXT PRIMARY KEY, -- UUID
	gate TEXT NOT NULL, -- the gate it belongs to
	arm TEXT NOT NULL, -- hash of the arm whose values they are
	numerics INTEGER NOT NULL, -- numerics version
	protocol TEXT NOT NULL, -- of the metric
	commit_id TEXT, -- of the program that made the values
	reason TEXT NOT NULL, -- why it was accepted
	created TEXT NOT NULL, -- wall clock
	supersedes TEXT, -- the baseline before it
	fingerprint TEXT -- numerics fingerprint of the values; NULL = of before it was recorded
) STRICT, WITHOUT ROWID;

CREATE TABLE baseline_value( -- the values of a baseline
	baseline TEXT NOT NULL REFERENCES baseline DEFERRABLE INITIALLY DEFERRED, -- which
	seed INTEGER NOT NULL, -- training seed
	value REAL NOT NULL, -- mean over evaluation seeds
	attempt TEXT, -- where it came from
	PRIMARY KEY(baseline, seed)
) STRICT, WITHOUT ROWID;

CREATE TABLE verdict( -- what gates said
	id TEXT PRIMARY KEY, -- UUID
	grid TEXT NOT NULL REFERENCES grid DEFERRABLE INITIALLY DEFERRED, -- the grid
	gate TEXT NOT NULL, -- [[gate]] name
	verdict TEXT NOT NULL CHECK(verdict IN('pass', 'fail', 'inconclusive', 'error')), -- the answer
	test TEXT NOT NULL, -- paired t, welch t, prediction interval, stored-sd t, none
	baseline TEXT, -- baseline or arm compared with
	n_base INTEGER, -- seeds on that side
	n_cand INTEGER, -- seeds of the candidate
	diff REAL, -- candidate minus baseline; lower is better
	lo REAL, -- one-sided lower bound
	hi REAL, -- one-sided upper bound
	margin REAL, -- in units of the metric
	alpha REAL, -- spent at this look
	look INTEGER, -- which of the declared looks
	why TEXT NOT NULL, -- the reason in one sentence with its numbers
	created TEXT NOT NULL -- wall clock
) STRICT, WITHOUT ROWID;

CREATE TABLE paper_value( -- published numbers that somebody recorded: no command does (they compare with results/published.toml)
	paper TEXT NOT NULL, -- arXiv:NUMBER
	locus TEXT NOT NULL, -- table, figure or section
	label TEXT NOT NULL, -- arm it refers to
	metric TEXT NOT NULL, -- as in metric.name
	nfe INTEGER NOT NULL, -- as in metric.nfe
	value REAL NOT NULL, -- as printed
	read_from TEXT NOT NULL CHECK(read_from IN('table', 'text', 'figure')), -- how exact it is
	PRIMARY KEY(paper, locus, label, metric, nfe)
) STRICT, WITHOUT ROWID;

CREATE TABLE shard( -- what `ablate merge` took in
	id TEXT PRIMARY KEY, -- attempt id of a journal, or sha256 for anything else
	sha256 TEXT NOT NULL CHECK(length(sha256) = 64), -- of the shard's bytes
	merged TEXT NOT NULL, -- wall clock of the first time
	rows INTEGER NOT NULL -- records in it
) STRICT, WITHOUT ROWID;

CREATE TABLE statement( -- signed statements about attempts: who says so
	id TEXT PRIMARY KEY CHECK(length(id) = 64), -- SHA-256 of envelope
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- what it is about
	kind TEXT NOT NULL CHECK(kind IN('seal', 'verify')), -- seal: its maker's, about the sealed journal; verify: about a repetition
	key TEXT NOT NULL CHECK(length(key) = 64), -- SHA-256 of the Ed25519 public key (32 bytes)
	name TEXT, -- what the signer calls the key
	envelope TEXT NOT NULL CHECK(json_valid(envelope)), -- DSSE envelope with an in-toto statement
	created TEXT NOT NULL -- wall clock
) STRICT, WITHOUT ROWID;

CREATE TABLE pruned( -- files that `ablate prune` removed
	attempt TEXT NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED, -- whose
	name TEXT NOT NULL, -- base name
	bytes INTEGER NOT NULL, -- what it freed
	created TEXT NOT NULL, -- wall clock
	PRIMARY KEY(attempt, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cell_note( -- what people said about cells: notes, tags that were set and tags that were taken away
	cell TEXT NOT NULL REFERENCES cell DEFERRABLE INITIALLY DEFERRED, -- about which
	id TEXT NOT NULL, -- UUID
	ordinal INTEGER NOT NULL CHECK(ordinal BETWEEN 1 AND 1000000000), -- one more than the largest about the cell that its recorder knew: clocks may differ
	kind TEXT NOT NULL CHECK(kind IN('note', 'tag', 'untag')), -- of several lines about one tag the last counts (v_tag)
	text TEXT NOT NULL CHECK(length(text) BETWEEN 1 AND 4000), -- the note, or the name of the tag
	who TEXT, -- USER@HOST; NULL = not said, which is the default
	created TEXT NOT NULL, -- wall clock
	PRIMARY KEY(cell, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempt_cell ON attempt(cell, state, purpose);
CREATE INDEX metric_name ON metric(name, protocol);
CREATE INDEX grid_cell_c ON grid_cell(cell);
CREATE INDEX cell_training ON cell(training);
CREATE INDEX metric_asked ON metric(asked);
CREATE INDEX metric_taken ON metric(taken_from) WHERE taken_from IS NOT NULL;
CREATE INDEX output_sampling ON output(sampling);
CREATE INDEX statement_attempt ON statement(attempt);

CREATE TRIGGER cell_no_update BEFORE UPDATE ON cell WHEN old.training IS NOT NULL OR new.hash <> old.hash OR new.arm <> old.arm
	OR new.seed <> old.seed OR new.numerics <> old.numerics OR new.dataset <> old.dataset
	BEGIN SELECT RAISE(ABORT, 'cell is append-only'); END;
CREATE TRIGGER attempt_final BEFORE UPDATE OF state, reason, exit_code, signal, heartbeat, heartbeat_boot_s, ended, step, resumed_step,
	wall_s, cpu_s, max_rss ON attempt WHEN old.state <> 'running'
	BEGIN SELECT RAISE(ABORT, 'a finished attempt is immutable'); END;
CREATE TRIGGER attempt_sealed BEFORE UPDATE OF journal ON attempt WHEN old.journal IS NOT NULL
	BEGIN SELECT RAISE(ABORT, 'a sealed attempt is immutable'); END;
CREATE TRIGGER attempt_identity BEFORE UPDATE OF id, cell, n, purpose, host, boot_id, pid, slurm_job, slurm_restart, started, resumed_from,
	env, fingerprint, generation ON attempt
	BEGIN SELECT RAISE(ABORT, 'what an attempt began with is immutable'); END;

CREATE VIEW v_result AS -- for each cell and score the first done attempt of the latest generation that has it, by start, then id
	SELECT cell, arm, seed, numerics, dataset, attempt, name, nfe, weights, step, eval_seed, value, hex, lo, hi, n, protocol, computed_by,
		training, fingerprint, asked, taken_from FROM (
		SELECT c.hash cell, c.arm, c.seed, c.numerics, c.dataset, m.attempt, m.name, m.nfe, m.weights, m.step, m.eval_seed, m.value,
			m.hex, m.lo, m.hi, m.n, m.protocol, m.computed_by, c.training, a.fingerprint, m.asked, m.taken_from, row_number() OVER (
				PARTITION BY a.cell, m.name, m.nfe, m.weights, m.step, m.eval_seed, m.protocol
				ORDER BY coalesce(a.generation, 0) DESC, a.started, a.id) first
		FROM attempt a JOIN cell c ON c.hash = a.cell JOIN metric m ON m.attempt = a.id
		WHERE a.state = 'done' AND a.purpose = 'run')
	WHERE first = 1;

CREATE VIEW v_attempt AS -- the attempt used for its cell: the first done one of the latest generation, else the latest
	SELECT cell, id attempt, state, reason, started, ended, heartbeat, step, attempts FROM (
		SELECT cell, id, state, reason, started, ended, heartbeat, step, count(*) OVER (PARTITION BY cell) attempts,
			row_number() OVER (PARTITION BY cell ORDER BY state = 'done' DESC,
				CASE WHEN state = 'done' THEN -coalesce(generation, 0) END, CASE WHEN state = 'done' THEN started END,
				CASE WHEN state = 'done' THEN id END, started DESC, id DESC) first
		FROM attempt WHERE purpose = 'run')
	WHERE first = 1;

CREATE VIEW v_cell_status AS -- one row per grid, cell and chain
	SELECT gc.grid, gc.cell, gc.label, gc.chain, gc.ordinal, c.arm, c.seed, coalesce(a.state, 'pending') state,
		coalesce(a.attempts, 0) attempts, a.attempt, a.step, a.reason
	FROM grid_cell gc JOIN cell c ON c.hash = gc.cell LEFT JOIN v_attempt a ON a.cell = gc.cell;

CREATE VIEW v_curve AS -- the whole curve of an attempt, through the earlier attempts it resumed from; the latest one wins
	WITH RECURSIVE life(attempt, id, age) AS (
		SELECT id, id, 0 FROM attempt
		UNION ALL
		SELECT l.attempt, a.resumed_from, l.age + 1 FROM life l JOIN attempt a ON a.id = l.id
		WHERE a.resumed_from IS NOT NULL AND l.age < 1000)
	SELECT l.attempt, c.name, c.step, c.value, min(l.age) lives_ago FROM life l JOIN curve c ON c.attempt = l.id
	GROUP BY l.attempt, c.name, c.step;

CREATE VIEW v_arm AS -- mean over evaluation seeds first, then mean and sd over training seeds
	SELECT arm, numerics, dataset, name, nfe, weights, step, protocol, count(*) seeds, max(mean) mean,
		CASE WHEN count(*) > 1 THEN sqrt(sum((x - mean) * (x - mean)) / (count(*) - 1)) END sd, min(x) lo, max(x) hi
	FROM (SELECT *, avg(x) OVER (PARTITION BY arm, numerics, dataset, name, nfe, weights, step, protocol) mean FROM (
		SELECT arm, numerics, dataset, seed, name, nfe, weights, step, protocol, avg(value) x FROM v_result
		GROUP BY arm, numerics, dataset, seed, name, nfe, weights, step, protocol))
	GROUP BY arm, numerics, dataset, name, nfe, weights, step, protocol;

CREATE VIEW v_paper AS -- published numbers (paper_value) beside ours; empty where nobody recorded any
	SELECT DISTINCT p.paper, p.locus, p.label, p.metric, p.nfe, p.value paper_value, p.read_from, g.grid,
		a.mean ours, a.sd, a.seeds, a.mean - p.value delta, a.protocol
	FROM paper_value p JOIN grid_cell g ON g.label = p.label JOIN cell c ON c.hash = g.cell
		JOIN v_arm a ON a.arm = c.arm AND a.name = p.metric AND a.nfe = p.nfe;

CREATE VIEW v_tag AS -- the tags that cells have
	SELECT cell, text tag, created FROM (
		SELECT cell, kind, text, created, row_number() OVER (
			PARTITION BY cell, text ORDER BY ordinal DESC, created DESC, id DESC) newest
		FROM cell_note WHERE kind <> 'note')
	WHERE newest = 1 AND kind = 'tag';

CREATE VIEW v_schema AS -- the DDL of this file
	SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%';
