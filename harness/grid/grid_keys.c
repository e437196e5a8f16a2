/* grid_keys.c - the rows of the grid language; see grid_keys.h. */
#include "harness/grid/grid_keys.h"

#include "harness/grid/grid.h"
#include "harness/grid/grid_slurm.h"

#include <string.h>

#define ROWS(rows) .v = rows, .n = sizeof rows / sizeof *rows

static const struct grid_key top[] = {
	{ "schema", KEY_INT, .required = true, .min = GRID_SCHEMA, .max = GRID_SCHEMA,
	  .text = "The version of this language. It comes before the first header.", .example = "schema = 1" },
	{ "inherit", KEY_STRING,
	  .text =
	      "Another grid file, relative to this one. Its [base] and [variants] (and those that it inherits) come first, "
	      "and this file's replace them key by key and variant by variant. It also comes before the first header.",
	  .example = "inherit = \"first.toml\"" },
	{ "grid", KEY_TABLE, .required = true, .text = "Name and seeds." },
	{ "base", KEY_SETTINGS, .text = "What all rows share." },
	{ "axis", KEY_TABLES, .text = "A setting that is varied. Axes multiply." },
	{ "zip", KEY_TABLES, .text = "Several settings that are varied together, as one axis." },
	{ "exclude", KEY_TABLES, .text = "Combinations of the axes that are left out." },
	{ "include", KEY_TABLES, .text = "Rows beside the product of the axes." },
	{ "variants", KEY_TABLE, .text = "Named changes, from which chains are made." },
	{ "chain", KEY_TABLES, .text = "Rows made by applying variants." },
	{ "metric", KEY_TABLES, .text = "What each cell is scored by." },
	{ "table", KEY_TABLES, .text = "How results are shown." },
	{ "gate", KEY_TABLES, .text = "A claim about two rows that is tested." },
	{ "budget", KEY_TABLE, .text = "Limits of a run." },
	{ "slurm", KEY_TABLE, .text = "What jobs ask for on a cluster." },
	{ "command", KEY_TABLE, .text = "The commands of another scheduler, and what its tasks ask for." },
};

static const struct grid_key study[] = {
	{ "name", KEY_STRING, .required = true, .text = "The name of the study, in tables and in the database.",
	  .example = "name = \"learning-rates\"" },
	{ "text", KEY_STRING, .def = "\"\"", .text = "One line about the study, for the report.",
	  .example = "text = \"learning rate and loss on small pictures\"" },
	{ "like", KEY_STRING, .def = "\"\"",
	  .text = "A preset: this study is a smaller one of it, in settings of its own. `ablate diff-paper` and the "
	          "report list how rows without a preset deviate from it. It sets nothing.",
	  .example = "like = \"ict-cifar10\"" },
	{ "on_finish", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "A program and its arguments that is started when `ablate run` or `ablate resume` of this grid is over, "
	          "however it ended, and gets a JSON object on its input (`ablate run --help` has its members). It is "
	          "started only by a user who has allowed it, by `--on-finish grid`, once in each folder: a grid may be "
	          "from elsewhere.",
	  .example = "on_finish = [\"./notify.sh\", \"me\"]" },
	{ "seeds", KEY_TABLE, .required = true, .text = "Seeds of training and of evaluation.",
	  .example = "seeds = { train = [1, 2, 3], eval = [101], paired = true }" },
};

static const struct grid_key seeds[] = {
	{ "train", KEY_SEEDS, .required = true,
	  .text =
	      "Each row is trained once with each of these. The error bars of tables and the tests of gates are about the "
	      "spread between them.",
	  .example = "train = [1, 2, 3]" },
	{ "eval", KEY_SEEDS, .def = "[101]",
	  .text = "Each trained cell is sampled and scored once with each of these; scores are averaged over them.",
	  .example = "eval = [101, 102]" },
	{ "paired", KEY_BOOL, .def = "false",
	  .text = "Gates compare two rows seed by seed (paired t test) instead of as two groups (Welch).",
	  .example = "paired = true" },
};

static const struct grid_key seed_range[] = {
	{ "start", KEY_INT, .required = true, .text = "The first seed, at least 0.", .example = "start = 1" },
	{ "count", KEY_INT, .required = true, .text = "How many seeds follow each other.", .example = "count = 5" },
};

static const struct grid_key axis[] = {
	{ "key", KEY_STRING, .required = true, .text = "The knob that is varied, or preset.",
	  .example = "key = \"optim.lr\"" },
	{ "values", KEY_VALUES, .required = true, .text = "Its values.", .example = "values = [0.0005, 0.001]" },
	{ "range", KEY_TABLE, .instead = "values", .text = "Values at equal distances.",
	  .example = "range = { start = 0.001, stop = 0.002, step = 0.001 }" },
	{ "log", KEY_TABLE, .instead = "values", .text = "Values at equal ratios.",
	  .example = "log = { start = 0.001, stop = 0.01, num = 2 }" },
	{ "labels", KEY_STRINGS, .text = "Names of the values, as many as values. Without them: KEY=VALUE.",
	  .example = "labels = [\"slow\", \"fast\"]" },
};

static const struct grid_key range[] = {
	{ "start", KEY_NUMBER, .required = true, .text = "The first value.", .example = "start = 1" },
	{ "stop", KEY_NUMBER, .required = true,
	  .text = "No value lies beyond it; it is a value itself if the steps reach it.", .example = "stop = 4" },
	{ "step", KEY_NUMBER, .required = true, .text = "The distance between two values; negative to go down.",
	  .example = "step = 1" },
};

static const struct grid_key logs[] = {
	{ "start", KEY_NUMBER, .required = true, .text = "The first value, above 0.", .example = "start = 1" },
	{ "stop", KEY_NUMBER, .required = true, .text = "The last value, above 0.", .example = "stop = 16" },
	{ "num", KEY_INT, .required = true,
	  .text = "How many values, at least 2. Those of an integer knob are rounded if the ends are integers.",
	  .example = "num = 5" },
};

static const struct grid_key zip[] = {
	{ "keys", KEY_STRINGS, .required = true, .text = "The knobs that are varied together; preset is possible, too.",
	  .example = "keys = [\"disc.s0\", \"disc.s1\"]" },
	{ "values", KEY_TUPLES, .required = true,
	  .text = "One list for each value of the axis, with one entry for each key.",
	  .example = "values = [[10, 40], [20, 80]]" },
	{ "labels", KEY_STRINGS, .text = "Names of the values, as many as values. Without them: KEY=VALUE, KEY=VALUE.",
	  .example = "labels = [\"short\", \"long\"]" },
};

static const struct grid_key exclude[] = {
	{ "when", KEY_SETTINGS, .required = true,
	  .text = "A combination of the axes is left out if it has all of these settings. One that matches nothing is an "
	          "error.",
	  .example = "when = { \"optim.lr\" = 0.002, \"disc.s0\" = 20 }" },
};

#define SET_TEXT "What it sets, over [base]: knobs, and preset."
#define NEEDS_TEXT \
	"Weights (`ablate weights list`) or data sets (`ablate data list`) that must be on this machine besides those " \
	"that " \
	"the settings name; while one is missing, its cells are blocked."
#define NEEDS_MOST 16

static const struct grid_key include[] = {
	{ "label", KEY_STRING, .required = true, .text = "The name of the row.", .example = "label = \"no EMA\"" },
	{ "set", KEY_SETTINGS, .required = true, .text = SET_TEXT, .example = "set = { \"ema.decay\" = 0.0 }" },
	{ "needs", KEY_STRINGS, .most = NEEDS_MOST, .text = NEEDS_TEXT, .example = "needs = [\"lpips-vgg\"]" },
};

static const struct grid_key variant[] = {
	{ "label", KEY_STRING, .text = "What tables call it. Default: its name.", .example = "label = \"squared L2\"" },
	{ "set", KEY_SETTINGS, .required = true, .text = SET_TEXT, .example = "set = { \"loss.kind\" = \"l2\" }" },
	{ "needs", KEY_STRINGS, .most = NEEDS_MOST, .text = NEEDS_TEXT, .example = "needs = [\"fashion-mnist\"]" },
};

static const struct grid_key chain[] = {
	{ "name", KEY_STRING, .required = true, .text = "The name of the chain. Its rows are called NAME/LABEL.",
	  .example = "name = \"parts\"" },
	{ "mode", KEY_CHOICE, .required = true, .choices = "cumulative|one-at-a-time|full-minus-one|factorial",
	  .text =
	      "Which rows it makes of n steps. cumulative: base, then each step on top of those before it (n + 1 rows). "
	      "one-at-a-time: base, then each step alone (n + 1). full-minus-one: full, which has all steps, then full "
	      "without each of them (n + 1). factorial: every subset of the steps (2^n).",
	  .example = "mode = \"one-at-a-time\"" },
	{ "steps", KEY_STRINGS, .required = true, .text = "Names of variants, in order.",
	  .example = "steps = [\"l2\", \"uniform\"]" },
};

static const struct grid_key metric[] = {
	{ "name", KEY_STRING, .required = true, .text = "A metric or one of its scores: see METRICS.",
	  .example = "name = \"fid\"" },
	{ "samples", KEY_INT, .required = true, .min = 2, .max = 10000000,
	  .text =
	      "How many images are generated and scored. Papers use 50000. Scores of different numbers are never compared.",
	  .example = "samples = 10000" },
	{ "nfe", KEY_INTS, .min = 1, .max = 10000, .most = GRID_NFE_MAX, .def = "[1]",
	  .text =
	      "Steps of sampling (network evaluations per image), ascending. Each gives a score of its own: with [1, 2], "
	      "fid@1 and fid@2.",
	  .example = "nfe = [1, 2]" },
	{ "ref", KEY_STRING, .def = "\"\"",
	  .text = "The reference: a data set (NAME-train or NAME-test), the path of an .npz of features or "
	          "statistics, or stats:NAME for published statistics (`ablate stats list`; those whose protocol is the "
	          "extractor's). If empty: the training split of the cell's data set; of ct, fls, fls_overfit, fld and "
	          "fld_gap, which take held-out images, its test split.",
	  .example = "ref = \"shapes8-test\"" },
	{ "extractor", KEY_STRING, .def = "\"\"",
	  .text =
	      "The network whose features are compared: see EXTRACTORS, which also tells of command:PROGRAM. If empty: the "
	      "data set's own. Two metrics of one "
	      "name may differ in it; both must name theirs then, and their scores are fid/pixels@1 and the like.",
	  .example = "extractor = \"pixels\"" },
	{ "allow_leak", KEY_BOOL, .def = "false",
	  .text =
	      "Score arms even by the network that their loss is made of (loss.kind = \"lpips-classifier\" by "
	      "classifier:a). Their numbers are then marked in every table and never the best. Otherwise such a grid is "
	      "refused.",
	  .example = "allow_leak = true" },
	{ "ci", KEY_CHOICE, .choices = "none|jackknife", .def = "\"none\"",
	  .text = "The 95 % interval of fid over its samples. It costs some 20 distances more.",
	  .example = "ci = \"jackknife\"" },
	{ "infinity", KEY_BOOL, .def = "false",
	  .text = "Only for fid: also record fid_infinity, the value extrapolated to infinitely many samples.",
	  .example = "infinity = true" },
	{ "agg", KEY_CHOICE, .choices = "mean|min3", .def = "\"mean\"",
	  .text =
	      "What tables show of several evaluation seeds: their mean, or (min3) the least of them, as some papers do. "
	      "Gates and figures always use the mean.",
	  .example = "agg = \"min3\"" },
};

static const struct grid_key table[] = {
	{ "name", KEY_STRING, .required = true, .text = "The name of the table.", .example = "name = \"main\"" },
	{ "chain", KEY_STRING, .def = "\"\"", .text = "The chain whose rows it has. If empty: all rows of the grid.",
	  .example = "chain = \"parts\"" },
	{ "cols", KEY_STRINGS, .most = GRID_COLS_MAX,
	  .text =
	      "Its columns: see COLUMNS OF TABLES. Default: every declared metric with the difference beside the first, "
	      "and seeds; with paper, the published values, too.",
	  .example = "cols = [\"fid@1\", \"delta\", \"seeds\"]" },
	{ "paper", KEY_STRING, .def = "\"\"",
	  .text =
	      "The paper whose values are shown beside ours, by its id in results/published.toml; all: every published row "
	      "of the data set is appended.",
	  .example = "paper = \"arXiv:2310.14189\"" },
	{ "formats", KEY_STRINGS, .choices = "md|latex|tex|csv|json", .most = GRID_FORMATS_MAX,
	  .text = "The files that `ablate table --dir` writes. Default: md, latex and csv.",
	  .example = "formats = [\"md\", \"latex\"]" },
	{ "metric", KEY_STRING, .def = "\"\"",
	  .text =
	      "What delta, paired, verdict, paper and paper-delta are about where no metric's column comes before them.",
	  .example = "metric = \"fid@1\"" },
	{ "reference", KEY_STRING, .def = "\"\"",
	  .text =
	      "What delta, paired and verdict compare a row with, in a table without chain: the row whose label has this "
	      "in the place of one part, so that rows of an axis are compared within each of its values. If empty: the "
	      "first row.",
	  .example = "reference = \"full recipe\"" },
	{ "text", KEY_STRING, .def = "\"\"", .text = "Its caption.", .example = "text = \"What each part is worth\"" },
	{ "across", KEY_BOOL, .def = "false",
	  .text =
	      "Rows may differ in protocol (reference, extractor, quantization), because the table is about that. No row "
	      "is then marked as the best. Without it such a table is refused.",
	  .example = "across = true" },
	{ "pivot", KEY_STRINGS, .most = 2,
	  .text =
	      "Two settings: rows are the values of the first, columns those of the second, cells the first metric of cols "
	      "(or the first declared). Arms that differ in further settings are parts of their own.",
	  .example = "pivot = [\"optim.lr\", \"train.batch\"]" },
	{ "latex_label", KEY_STRING, .def = "\"\"", .text = "Its label in LaTeX. If empty: tab: and its name.",
	  .example = "latex_label = \"tab:parts\"" },
	{ "latex_width", KEY_INT, .def = "345", .min = 100, .max = 4000,
	  .text =
	      "The width of the text in LaTeX, in points: 345 in class article. A wider table has its columns in blocks, "
	      "one below the other.",
	  .example = "latex_width = 252" },
	{ "latex_notes", KEY_BOOL, .def = "true",
	  .text =
	      "The notes that explain the table stand below it in LaTeX. Otherwise, and those about protocols, deviations "
	      "and states in any case, they are comments in the file.",
	  .example = "latex_notes = false" },
};

static const struct grid_key gate[] = {
	{ "name", KEY_STRING, .required = true, .text = "The name of the gate.",
	  .example = "name = \"huber-is-no-worse\"" },
	{ "metric", KEY_STRING, .required = true, .text = "A declared metric: NAME@STEPS, or NAME/EXTRACTOR@STEPS.",
	  .example = "metric = \"fid@1\"" },
	{ "arm", KEY_STRING, .required = true,
	  .text =
	      "The row that is judged: its name, label or variant, as `ablate plan` lists them, or 12 digits of its hash.",
	  .example = "arm = \"base\"" },
	{ "against", KEY_STRING, .required = true,
	  .text = "The row that it is compared with, or baseline: the one accepted by `ablate baseline accept`.",
	  .example = "against = \"squared L2\"" },
	{ "against_grid", KEY_STRING,
	  .text =
	      "The grid that against is a row of: a file, beside this one unless its path is absolute, or the name of a "
	      "grid. Its results are read from the same database, or from that of `ablate gate --against-db`; protocols "
	      "must agree. Default: this grid.",
	  .example = "against_grid = \"recipe-before.toml\"" },
	{ "test", KEY_CHOICE, .choices = "non-inferiority|superiority", .def = "\"non-inferiority\"",
	  .text = "The claim. non-inferiority: the arm is worse by at most the margin. superiority: it is better.",
	  .example = "test = \"non-inferiority\"" },
	{ "margin", KEY_TABLE,
	  .text = "How much worse is still good enough. It must be given for non-inferiority, and not for superiority.",
	  .example = "margin = { relative = 0.05 }" },
	{ "alpha", KEY_NUMBER, .def = "0.05", .text = "The one-sided level: above 0, at most 0.5.",
	  .example = "alpha = 0.025" },
	{ "looks", KEY_INTS, .min = 2, .max = GATE_SEEDS_MAX, .most = GATE_LOOKS_MAX,
	  .text =
	      "Numbers of seeds, ascending, at which the gate may be read while cells are still running; alpha is divided "
	      "among them. Default: it is read once, when all seeds are there.",
	  .example = "looks = [3, 5]" },
	{ "on_inconclusive", KEY_CHOICE, .choices = "fail|warn", .def = "\"fail\"",
	  .text = "What `ablate gate` does if the seeds cannot tell: fail with exit code 4, or warn.",
	  .example = "on_inconclusive = \"warn\"" },
};

static const struct grid_key margin[] = {
	{ "relative", KEY_NUMBER, .required = true, .text = "A share of the other row's mean: 0.05 is 5 %.",
	  .example = "relative = 0.05" },
	{ "absolute", KEY_NUMBER, .instead = "relative", .text = "A difference in the metric's own units.",
	  .example = "absolute = 0.1" },
};

static const struct grid_key budget[] = {
	{ "cell", KEY_TABLE, .text = "Limits of each cell.", .example = "cell = { wall = \"30m\", retries = 1 }" },
	{ "grid", KEY_TABLE, .text = "Limits of one `ablate run`.", .example = "grid = { wall = \"2h\", cells = 100 }" },
	{ "on_failure", KEY_CHOICE, .choices = "continue|stop|stop-after:N", .def = "\"continue\"",
	  .text = "What a failed cell means for the others; N is a number of failures.",
	  .example = "on_failure = \"stop-after:3\"" },
};

static const struct grid_key budget_cell[] = {
	{ "wall", KEY_DURATION,
	  .text = "Time of one attempt; what is over it saves its state and stops. Default: no limit.",
	  .example = "wall = \"1h30m\"" },
	{ "retries", KEY_INT, .min = 0, .max = 1000, .def = "0", .text = "How often a failed cell is tried again.",
	  .example = "retries = 1" },
	{ "checkpoint", KEY_DURATION, .def = "\"10m\"",
	  .text = "Longest time of training between two checkpoints, which is what a crash can cost; \"0s\": only every "
	          "tenth of the steps. It changes no result.",
	  .example = "checkpoint = \"2m\"" },
};

static const struct grid_key budget_grid[] = {
	{ "wall", KEY_DURATION, .text = "Time of the run; what is over it saves its state and stops. Default: no limit.",
	  .example = "wall = \"2h\"" },
	{ "cells", KEY_INT, .min = 1, .max = GRID_CELLS_MAX,
	  .text = "How many cells are started at most. Default: no limit.", .example = "cells = 100" },
};

static const struct grid_key slurm[] = {
	{ "partition", KEY_STRING, .text = "Where jobs run (sbatch --partition). The merge job gets it, too.",
	  .example = "partition = \"gpu\"" },
	{ "account", KEY_STRING, .text = "Who pays (--account). The merge job gets it, too.",
	  .example = "account = \"physics\"" },
	{ "qos", KEY_STRING, .text = "--qos. The merge job gets it, too.", .example = "qos = \"normal\"" },
	{ "reservation", KEY_STRING, .text = "--reservation. The merge job gets it, too.",
	  .example = "reservation = \"course\"" },
	{ "constraint", KEY_STRING, .text = "Features of a task's node (--constraint).",
	  .example = "constraint = \"a100\"" },
	{ "gres", KEY_STRING,
	  .text = "Generic resources of a task (--gres). Without it, tasks with --device cuda ask for one GPU per process.",
	  .example = "gres = \"gpu:a100:1\"" },
	{ "mem", KEY_STRING, .text = "Memory of a task (--mem).", .example = "mem = \"16G\"" },
	{ "time", KEY_DURATION,
	  .text = "Time limit of a task, whole minutes. Default: the partition's. What is not done by then writes a "
	          "checkpoint and comes back: see requeue.",
	  .example = "time = \"4h\"" },
	{ "cpus", KEY_INT, .min = 1, .max = 4096,
	  .text = "Processors of each process of a task (--cpus-per-task), which are its threads. `--threads` says "
	          "otherwise. Default: what Slurm gives.",
	  .example = "cpus = 8" },
	{ "throttle", KEY_INT, .min = 1, .max = 1000000,
	  .text = "Tasks at once. `--jobs` says otherwise. Default: as there is room.", .example = "throttle = 16" },
	{ "requeue", KEY_CHOICE, .choices = "auto|exit|scontrol|chain|never", .def = "\"auto\"",
	  .text =
	      "How a task goes on that was stopped before it was done. exit: Slurm requeues what exits 75 (RequeueExit). "
	      "scontrol: the task requeues itself by scontrol. chain: further jobs wait behind it, for sites that "
	      "forbid both. never: it waits for the next `ablate run`. auto: exit where RequeueExit has 75, else "
	      "scontrol.",
	  .example = "requeue = \"chain\"" },
	{ "chain", KEY_INT, .min = 2, .max = 100, .def = "4",
	  .text = "Jobs behind each other of requeue = \"chain\": so many times the time limit is there for a cell.",
	  .example = "chain = 8" },
	{ "prologue", KEY_STRINGS, .most = SLURM_LIST_MAX, .text = "Lines of shell before the program, in every job.",
	  .example = "prologue = [\"module load cuda/13\"]" },
	{ "container", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "Words before the program that run it in a container. The folders of database, data and cache must be "
	          "seen in it under the same names.",
	  .example = "container = [\"apptainer\", \"exec\", \"--nv\", \"ablate.sif\"]" },
	{ "program", KEY_STRING, .text = "Where the program is, in the container. Default: where it was started.",
	  .example = "program = \"/usr/bin/ablate\"" },
	{ "env", KEY_TABLE, .text = "Variables of every job, beside what `ablate man` says is sent.",
	  .example = "env = { NCCL_DEBUG = \"WARN\" }" },
	{ "options", KEY_STRINGS, .most = SLURM_LIST_MAX, .text = "Further options of sbatch, for tasks.",
	  .example = "options = [\"--exclusive\"]" },
	{ "merge", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "Further options of sbatch, for the merge job, which asks for one processor.",
	  .example = "merge = [\"--partition=cpu\"]" },
};

static const struct grid_key command[] = {
	{ "submit", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text =
	      "A program and its arguments that submits tasks. Its input is {\"schema\": 1, \"name\", \"plan\", "
	      "\"database\", \"dir\", \"throttle\", \"resources\": {\"processes\", \"processors\", \"gpus\", "
	      "\"memory\", \"limit_s\"}, \"tasks\": [{\"index\", \"name\", \"label\", \"key\", \"command\", "
	      "\"log\"}]}, its answer, within 120 s, {\"jobs\": [{\"index\": 0, \"id\": \"a text\"}]}; tasks that "
	      "are not in it were not accepted. A task is told to stop by TERM, writes its checkpoint and exits 75: then "
	      "the same command goes on with it.",
	  .example = "submit = [\"/opt/engines/kubectl.sh\", \"submit\"]" },
	{ "query", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "Likewise, what became of jobs. Its input is {\"schema\": 1, \"jobs\": [\"id\"]}, its answer, within "
	          "60 s, {\"jobs\": [{\"id\", \"state\", \"reason\"}]} with the states pending, running, done and "
	          "failed; a job that is not in it is over.",
	  .example = "query = [\"/opt/engines/kubectl.sh\", \"query\"]" },
	{ "cancel", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "Likewise, ends jobs, which are sent TERM first. Its input is {\"schema\": 1, \"jobs\": [\"id\"]}, its "
	          "answer {} or nothing.",
	  .example = "cancel = [\"/opt/engines/kubectl.sh\", \"cancel\"]" },
	{ "processors", KEY_INT, .min = 1, .max = 4096,
	  .text = "Processors of each process of a task, which are its threads. `--threads` says otherwise. Default: those "
	          "that the task finds itself bound to, else one.",
	  .example = "processors = 8" },
	{ "gpus", KEY_INT, .min = 1, .max = 1024,
	  .text = "GPUs of each process of a task. Default: 1 with --device cuda, else none.", .example = "gpus = 1" },
	{ "memory", KEY_STRING, .text = "Memory of a task, in the words of the scheduler.",
	  .example = "memory = \"16Gi\"" },
	{ "time", KEY_DURATION, .text = "Time limit of a task, after which it is to be told to stop. Default: none.",
	  .example = "time = \"4h\"" },
	{ "throttle", KEY_INT, .min = 1, .max = 1000000,
	  .text = "Tasks at once. `--jobs` says otherwise. Default: as there is room.", .example = "throttle = 16" },
	{ "prologue", KEY_STRINGS, .most = SLURM_LIST_MAX, .text = "Lines of shell before the program, in every task.",
	  .example = "prologue = [\"module load cuda/13\"]" },
	{ "container", KEY_STRINGS, .most = SLURM_LIST_MAX,
	  .text = "Words before the program that run it in a container. The folders of database, data and cache must be "
	          "seen in it under the same names.",
	  .example = "container = [\"podman\", \"run\", \"--rm\", \"-v\", \"/data:/data\", \"ablate\"]" },
	{ "program", KEY_STRING, .text = "Where the program is, for a task. Default: where it was started.",
	  .example = "program = \"/usr/bin/ablate\"" },
	{ "env", KEY_TABLE, .text = "Variables of every task, beside what `ablate man` says is sent.",
	  .example = "env = { NCCL_DEBUG = \"WARN\" }" },
};

static const struct grid_key set[] = {
	{ "seeds", KEY_SEEDS,
	  .text = "How many training seeds, from the first one on, or a list of them; and seeds.train, seeds.eval, "
	          "seeds.paired.",
	  .example = "seeds=2" },
	{ "grid", KEY_TABLE, .text = "grid.name, grid.text and grid.like.", .example = "grid.name=trial" },
	{ "budget", KEY_TABLE,
	  .text = "budget.cell.wall, budget.cell.retries, budget.cell.checkpoint, budget.grid.wall, budget.grid.cells, "
	          "budget.on_failure.",
	  .example = "budget.grid.wall=2h" },
	{ "metric", KEY_TABLE,
	  .text = "A key of [[metric]] other than name: of all metrics (metric.samples) or of one (metric.fid.samples).",
	  .example = "metric.samples=100" },
};

const struct grid_keys grid_keys[KEYS_COUNT] = {
	[KEYS_TOP] = { .header = "",
	               ROWS(top),
	               .text = "What the top level of a file may hold.",
	               .example = "schema = 1\n" },
	[KEYS_GRID] = { .header = "[grid]",
	                ROWS(study),
	                .text = "The study as a whole.",
	                .example = "[grid]\nname = \"everything\"\nseeds = { train = [1, 2, 3], eval = [101] }\n" },
	[KEYS_SEEDS] = { .header = "grid.seeds",
	                 ROWS(seeds),
	                 .text = "A seed is an integer of at least 0. The same seeds serve every row." },
	[KEYS_SEED_RANGE] = { .header = "seeds",
	                      ROWS(seed_range),
	                      .text =
	                          "Seeds that follow each other, instead of a list: train = { start = 1, count = 5 }." },
	[KEYS_BASE] = { .header = "[base]",
	                .text =
	                    "The settings that all rows share: preset, and any of the KNOBS. A knob's key may be written "
	                    "with its dots or as nested tables: net.channels = 16 and net = { channels = 16 } are the "
	                    "same.",
	                .example =
	                    "[base]\npreset = \"ict-shapes8-ci\"\ntrain.steps = 200\nnet = { channels = 16, blocks = 1 "
	                    "}\n" },
	[KEYS_AXIS] = { .header = "[[axis]]",
	                ROWS(axis),
	                .text =
	                    "One setting and its values. The rows of a grid are all combinations of the values of all axes "
	                    "(and zips): two axes of 3 and 4 values make 12 rows. A row is named by its labels, joined by "
	                    "a comma and a blank, axes first, then zips.",
	                .example = "[[axis]]\nkey = \"optim.lr\"\nvalues = [0.001, 0.002]\n\n"
	                           "[[axis]]\nkey = \"train.batch\"\nlog = { start = 16, stop = 64, num = 3 }\n" },
	[KEYS_RANGE] = { .header = "range",
	                 ROWS(range),
	                 .text = "Of an axis: start, start + step, start + 2 step, ... up to stop." },
	[KEYS_LOG] = { .header = "log",
	               ROWS(logs),
	               .text = "Of an axis: num values from start to stop, each the same multiple of the one before." },
	[KEYS_ZIP] = { .header = "[[zip]]",
	               ROWS(zip),
	               .text = "Several settings that change together. A zip counts as one axis.",
	               .example = "[[zip]]\nkeys = [\"disc.s0\", \"disc.s1\"]\nvalues = [[10, 40], [20, 80]]\n"
	                          "labels = [\"short\", \"long\"]\n" },
	[KEYS_EXCLUDE] = { .header = "[[exclude]]",
	                   ROWS(exclude),
	                   .text = "Takes combinations out of the product of the axes, before rows are included and chains "
	                           "added.",
	                   .example = "[[exclude]]\nwhen = { \"optim.lr\" = 0.002, \"train.batch\" = 16 }\n" },
	[KEYS_INCLUDE] = { .header = "[[include]]",
	                   ROWS(include),
	                   .text = "Adds one row: [base], and over it what is set here. A row that is there already is an "
	                           "error.",
	                   .example = "[[include]]\nlabel = \"adam\"\nset = { \"optim.kind\" = \"adam\" }\n" },
	[KEYS_VARIANT] = { .header = "[variants.NAME]",
	                   ROWS(variant),
	                   .text =
	                       "A named change. By itself it makes no row: a chain does. Also in short: [variants], then "
	                       "lines NAME = { set = {..} }.",
	                   .example = "[variants]\nl2 = { label = \"squared L2\", set = { \"loss.kind\" = \"l2\" } }\n"
	                              "uniform = { label = \"uniform noise\", set = { \"noise.dist\" = \"uniform\" } }\n" },
	[KEYS_CHAIN] = { .header = "[[chain]]",
	                 ROWS(chain),
	                 .text =
	                     "Rows made from variants: what each of several changes is worth. Chains are independent of "
	                     "axes. Rows that come out equal, in one chain or several, are trained once.",
	                 .example =
	                     "[[chain]]\nname = \"parts\"\nmode = \"one-at-a-time\"\nsteps = [\"l2\", \"uniform\"]\n" },
	[KEYS_METRIC] = { .header = "[[metric]]",
	                  ROWS(metric),
	                  .text = "What every cell is scored by. See SCORING for when.",
	                  .example = "[[metric]]\nname = \"fid\"\nsamples = 500\nnfe = [1, 2]\nref = \"shapes8-train\"\n" },
	[KEYS_TABLE] = { .header = "[[table]]",
	                 ROWS(table),
	                 .text =
	                     "A table of results, which `ablate run` prints at its end and `ablate table` at any time. "
	                     "Without any, a grid has one with all rows and metrics. Changing a table repeats no training.",
	                 .example =
	                     "[[table]]\nname = \"parts\"\nchain = \"parts\"\ncols = [\"fid@1\", \"delta\", \"fid@2\", "
	                     "\"seeds\"]\n" },
	[KEYS_GATE] = { .header = "[[gate]]",
	                ROWS(gate),
	                .text =
	                    "A claim that `ablate gate` tests over the training seeds: pass, fail or inconclusive. `ablate "
	                    "gate --power` says how small a difference these seeds can show.",
	                .example =
	                    "[[gate]]\nname = \"huber-is-no-worse\"\nmetric = \"fid@1\"\narm = \"parts/base\"\nagainst = "
	                    "\"squared L2\"\n"
	                    "margin = { relative = 0.1 }\n" },
	[KEYS_MARGIN] = { .header = "margin", ROWS(margin), .text = "Of a gate: exactly one of the two." },
	[KEYS_BUDGET] = { .header = "[budget]",
	                  ROWS(budget),
	                  .text = "Limits of a run. They change no result.",
	                  .example = "[budget]\ncell = { wall = \"30m\", retries = 1 }\ngrid = { wall = \"2h\" }\n" },
	[KEYS_BUDGET_CELL] = { .header = "budget.cell", ROWS(budget_cell), .text = "Limits of each cell." },
	[KEYS_BUDGET_GRID] = { .header = "budget.grid", ROWS(budget_grid), .text = "Limits of one `ablate run`." },
	[KEYS_SLURM] = { .header = "[slurm]",
	                 ROWS(slurm),
	                 .text =
	                     "What jobs of --engine slurm ask for. A file of the site, $ABLATE_SITE, may have a [slurm] "
	                     "for all grids; that of a grid replaces it key by key, and `--sbatch` comes last. It changes "
	                     "no result.",
	                 .example = "[slurm]\npartition = \"gpu\"\ntime = \"4h\"\nmem = \"16G\"\n" },
	[KEYS_COMMAND] = { .header = "[command]",
	                   ROWS(command),
	                   .text =
	                       "Any other scheduler, by --engine command: three commands that get one JSON object on stdin "
	                       "and answer with one on stdout; another exit code than 0 is a failure, and stderr says why. "
	                       "Examples for Kubernetes and for machines reached by SSH are in share/ablate/engines of an "
	                       "installation. A [command] of the site's file serves all grids, as [slurm] does. It changes "
	                       "no result.",
	                   .example =
	                       "[command]\nsubmit = [\"/opt/engines/ssh.sh\", \"submit\"]\nquery = "
	                       "[\"/opt/engines/ssh.sh\", \"query\"]\ncancel = [\"/opt/engines/ssh.sh\", \"cancel\"]\n" },
	[KEYS_SET] = { .header = "--set", ROWS(set), .text = "What --set takes besides preset and knobs." },
};

const struct grid_key *grid_key(const struct grid_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->n; i++)
		if (!strcmp(keys->v[i].name, name))
			return &keys->v[i];
	return NULL;
}

const char *grid_type_name(enum grid_type type)
{
	static const char *const names[] = {
		[KEY_STRING] = "string",
		[KEY_INT] = "integer",
		[KEY_NUMBER] = "number",
		[KEY_BOOL] = "true or false",
		[KEY_CHOICE] = "one of",
		[KEY_DURATION] = "duration: \"90s\", \"20m\", \"1h30m\", \"2d\"",
		[KEY_STRINGS] = "list of strings",
		[KEY_INTS] = "list of integers",
		[KEY_VALUES] = "list of the knob's values",
		[KEY_TUPLES] = "list of lists of values",
		[KEY_SEEDS] = "list of integers, or { start, count }",
		[KEY_SETTINGS] = "table of knobs",
		[KEY_TABLE] = "table",
		[KEY_TABLES] = "array of tables",
	};
	return names[type];
}
