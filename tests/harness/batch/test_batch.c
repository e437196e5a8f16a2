/* test_batch.c - --engine command without a scheduler: what the commands are asked and may answer, and what becomes of
 * those that hang, fail, are not there or answer what they should not. */
#include "harness/batch/batch_client.h"
#include "harness/batch/engine_batch.h"
#include "tests/common/tempdir.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *json_of(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	cr_assert(o, "%s", text);
	return o;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

enum { N = 3 };
static const int asked[N] = { 0, 4, 9 };

/* "a,-,c": the ids of the tasks asked for; or the message. */
static char *submitted(const char *text)
{
	struct err e = ERR_INIT;
	char *ids[N];
	SCOPED(str) struct str s = { 0 };
	json_t *o = json_of(text);
	if (batch_read_submitted(ids, asked, N, o, &e)) {
		str_add(&s, e.msg);
		cr_assert_eq(e.code, EXIT_USAGE);
	}
	for (int i = 0; i < N && !*e.msg; i++)
		str_addf(&s, "%s%s", i ? "," : "", ids[i] ? ids[i] : "-");
	for (int i = 0; i < N; i++) {
		cr_assert(!*e.msg || !ids[i], "half an answer: %s", text);
		free(ids[i]);
	}
	json_decref(o);
	return str_detach(&s);
}

static const struct {
	const char *answer, *is;
} submissions[] = {
	{ "{\"jobs\": [{\"index\": 9, \"id\": \"c\"}, {\"index\": 0, \"id\": \"a\", \"more\": 1}], \"more\": 2}", "a,-,c" },
	{ "{\"jobs\": []}", "-,-,-" },
	{ "{}", "its answer has no list \"jobs\"" },
	{ "{\"jobs\": {}}", "its answer has no list \"jobs\"" },
	{ "{\"jobs\": [7]}", "jobs[0] of its answer has no \"id\"" },
	{ "{\"jobs\": [{\"index\": 0, \"id\": \"a\"}, {\"index\": 4}]}", "jobs[1] of its answer has no \"id\"" },
	{ "{\"jobs\": [{\"index\": 0, \"id\": 12}]}", "no \"id\" that is a text" },
	{ "{\"jobs\": [{\"index\": 0, \"id\": \"\"}]}", "no \"id\" that is a text" },
	{ "{\"jobs\": [{\"index\": 0, \"id\": \"a\\nb\"}]}", "no \"id\" that is a text" },
	{ "{\"jobs\": [{\"id\": \"a\"}]}", "jobs[0] of its answer has no \"index\"" },
	{ "{\"jobs\": [{\"index\": \"0\", \"id\": \"a\"}]}", "jobs[0] of its answer has no \"index\"" },
	{ "{\"jobs\": [{\"index\": 5, \"id\": \"a\"}]}", "jobs[0] of its answer has no \"index\"" },
	{ "{\"jobs\": [{\"index\": 4294967296, \"id\": \"a\"}]}", "jobs[0] of its answer has no \"index\"" },
	{ "{\"jobs\": [{\"index\": 4, \"id\": \"a\"}, {\"index\": 4, \"id\": \"b\"}]}", "has task 4 twice" },
	{ "{\"jobs\": [{\"index\": 9, \"id\": \"a\"}, {\"index\": 4, \"id\": \"a\"}]}", "the id 'a' for two tasks" },
};

Test(batch, an_answer_to_submit_is_taken_whole_or_refused)
{
	for (size_t i = 0; i < sizeof submissions / sizeof *submissions; i++) {
		SCOPED(free) char *is = submitted(submissions[i].answer);
		cr_expect(strstr(is, submissions[i].is), "%s: %s", submissions[i].answer, is);
	}
	SCOPED(free) char *text = xstrfmt("{\"jobs\": [{\"index\": 0, \"id\": \"%0*d\"}]}", BATCH_ID_MAX + 1, 0);
	SCOPED(free) char *is = submitted(text);
	cr_expect(strstr(is, "1 to 300 bytes"), "%s", is);
}

/* "RD-": the first letters of the states, - for over; or the message. */
static char *states(const char *text)
{
	static const char *const ids[N] = { "12", "5", "x" };
	struct err e = ERR_INIT;
	enum batch_state state[N];
	char *reason[N];
	SCOPED(str) struct str s = { 0 };
	json_t *o = json_of(text);
	if (batch_read_states(state, reason, ids, N, o, &e))
		str_add(&s, e.msg);
	for (int i = 0; i < N && !*e.msg; i++)
		str_addf(&s, "%c%s", "PRDF-"[state[i]], reason[i] ? reason[i] : "");
	for (int i = 0; i < N; i++)
		free(reason[i]);
	json_decref(o);
	return str_detach(&s);
}

static const struct {
	const char *answer, *is;
} queries[] = {
	{ "{\"jobs\": [{\"id\": \"x\", \"state\": \"running\"}, "
	  "{\"id\": \"12\", \"state\": \"pending\", \"reason\": \"full\"}]}",
	  "Pfull-R" },
	{ "{\"jobs\": []}", "---" },
	{ "{\"jobs\": [{\"id\": \"5\", \"state\": \"done\", \"reason\": null}, {\"id\": \"x\", \"state\": \"failed\", "
	  "\"reason\": \"memory\"}, {\"id\": \"of somebody else\", \"state\": \"done\"}]}",
	  "-DFmemory" },
	{ "{}", "no list \"jobs\"" },
	{ "{\"jobs\": [{\"id\": \"5\"}]}", "has the state '' of job '5': pending, running, done or failed" },
	{ "{\"jobs\": [{\"id\": \"5\", \"state\": \"Running\"}]}", "has the state 'Running' of job '5'" },
	{ "{\"jobs\": [{\"id\": \"5\", \"state\": \"over\"}]}", "has the state 'over' of job '5'" },
	{ "{\"jobs\": [{\"id\": \"5\", \"state\": \"done\"}, {\"id\": \"5\", \"state\": \"running\"}]}",
	  "has job '5' twice" },
};

Test(batch, a_job_that_query_does_not_list_is_over)
{
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		SCOPED(free) char *is = states(queries[i].answer);
		cr_expect(strstr(is, queries[i].is), "%s: %s", queries[i].answer, is);
	}
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *script; /* of sh */
	const char *is;     /* the answer as text, or the message */
	bool unknown;       /* it may have done something */
} commands[] = {
	{ "cat", "{\"schema\":1,\"jobs\":[\"a\"]}", false },
	{ "echo '{\"a\": 1}'; echo why >&2", "{\"a\":1}", false }, /* its input is not read */
	{ "", "nothing", false },
	{ "echo; echo", "nothing", false },
	{ "echo '{\"a\": 1}'; echo no room >&2; echo at all >&2; exit 3",
	  "cancel: sh failed with exit code 3: no room;at all", false },
	{ "exit 1", "exit code 1: it printed no reason on stderr", false },
	{ "kill -KILL $$", "failed with exit code 137", true },
	{ "echo hello", "what sh printed on stdout is no JSON: line 1", true },
	{ "echo '{\"a\": 1} {}'", "is no JSON: line 1", true },
	{ "echo '{\"a\": 1, \"a\": 2}'", "is no JSON: line 1", true },
	{ "echo '{\"a\": '", "is no JSON: line", true },
	{ "echo '[1]'", "answered with JSON that is no object", true },
	{ "printf '{\"a\": \"\\377\"}'", "is no JSON: line 1", true },
	{ "echo going on >&2; exec sleep 100", "did not end within 1 s, and was killed: going on", true },
	{ "sleep 100; echo late", "did not end within 1 s, and was killed", true }, /* the shell's child keeps the pipe */
	{ "sleep 100 & echo '{}'", "{}", false }, /* what it leaves in the background is not waited for */
	/* it has ended before its answer is read, which is more than is read at once */
	{ "kill -STOP $PPID; { sleep 0.3; kill -CONT $PPID; } >/dev/null 2>&1 & printf '{\"a\": \"%060000d\"}' 7",
	  "0007\"}", false },
	{ "exec yes", "printed without end, and was killed", true },
};

Test(batch, a_command_answers_or_the_message_says_what_it_did, .timeout = 60)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const char *const words[] = { "sh", "-c", commands[i].script, NULL }, *const ids[] = { "a" };
		SCOPED(str) struct str said = { 0 };
		struct err e = ERR_INIT;
		json_t *answer;
		bool unknown, slow = strstr(commands[i].is, "within 1 s") != NULL;
		struct batch_call call = { "cancel", words, "/", slow ? 1 : 50 };
		int rc = batch_call(&answer, &said, &unknown, &call, batch_jobs_request(ids, 1), &e);
		SCOPED(free) char *text = rc ? xstrdup(e.msg) : answer ? json_dumps(answer, JSON_COMPACT) : xstrdup("nothing");
		cr_expect(strstr(text, commands[i].is), "%s: %s", commands[i].script, text);
		cr_expect_eq(unknown, commands[i].unknown, "%s", commands[i].script);
		cr_expect(!rc || e.code == EXIT_USAGE);
		json_decref(answer);
	}
	const char *const none[] = { "no-such-program-here", NULL };
	struct batch_call call = { "submit", none, "/", 5 };
	SCOPED(str) struct str said = { 0 };
	struct err e = ERR_INIT;
	json_t *answer;
	bool unknown;
	cr_assert_eq(batch_call(&answer, &said, &unknown, &call, batch_jobs_request(NULL, 0), &e), -1);
	cr_assert_str_eq(e.msg, "submit: no-such-program-here is not installed here");
	cr_assert(!unknown && e.code == EXIT_USAGE);
	call = (struct batch_call){ "submit", (const char *const[]){ "true", NULL }, "/no/such/folder", 5 };
	cr_assert_eq(batch_call(&answer, &said, &unknown, &call, batch_jobs_request(NULL, 0), &e), -1);
	cr_assert(strstr(e.msg, "/no/such/folder") && !unknown, "%s", e.msg);
}

/* What a command that is killed has started is killed, too. */
Test(batch, a_command_is_killed_with_what_it_started)
{
	char *dir = tempdir_make();
	SCOPED(free) char *file = xstrfmt("%s/pid", dir);
	SCOPED(free) char *script = xstrfmt("sleep 1000 & echo $! >%s; wait", file);
	const char *const words[] = { "sh", "-c", script, NULL };
	struct batch_call call = { "query", words, "/", 1 };
	SCOPED(str) struct str said = { 0 }, text = { 0 };
	struct err e = ERR_INIT;
	json_t *answer;
	bool unknown;
	cr_assert_eq(batch_call(&answer, &said, &unknown, &call, batch_jobs_request(NULL, 0), &e), -1);
	cr_assert_eq(io_read(&text, file, 100, &e), 0, "%s", e.msg);
	pid_t pid = (pid_t)strtol(text.data, NULL, 10);
	double until = monotonic_s() + 20;
	SCOPED(free) char *proc = xstrfmt("/proc/%d/stat", (int)pid);
	for (bool gone = false; !gone;) { /* or a zombie, where nobody takes it */
		SCOPED(str) struct str stat = { 0 };
		gone = io_read(&stat, proc, 4096, NULL) || strstr(str_text(&stat), ") Z ");
		cr_assert(gone || monotonic_s() < until, "it lives: %s", str_text(&stat));
	}
	tempdir_remove(dir);
}

/* ---- the list of jobs ------------------------------------------------------------------------------------------- */

static struct slurm_list words(const char *a, const char *b)
{
	return (struct slurm_list){ .v = { a, b }, .n = 2 };
}

#define PLAN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A database whose jobs one command answers for: `script` of sh, for query and cancel. */
static char *database_with(const char *dir, const char *script, const char *const *ids, int n)
{
	char *db = xstrfmt("%s/x.db", dir);
	SCOPED(free) char *folder = batch_dir(db);
	SCOPED(free) char *path = tempdir_file(dir, "engine", script, strlen(script));
	SCOPED(batch_jobs) struct batch_jobs jobs = { 0 };
	struct slurm_list query = words("sh", path), cancel = words("sh", path);
	struct err e = ERR_INIT;
	cancel.v[cancel.n++] = "cancel";
	struct batch_engine *engine = batch_engine_of(&jobs, dir, &query, &cancel);
	for (int i = 0; i < n; i++)
		batch_jobs_add(&jobs, engine,
		               &(struct batch_entry){ .id = ids[i], .plan = PLAN, .key = "0123456789ab", .index = i });
	SCOPED(free) char *cache = xstrfmt("%s/cache", dir);
	cr_assert_eq(setenv("ABLATE_CACHE", cache, 1), 0);
	cr_assert_eq(io_mkdirs(folder, &e) || batch_jobs_write(&jobs, db, &e) ||
	                 batch_engine_allow(dir, &query, &cancel, &e),
	             0, "%s", e.msg);
	return db;
}

Test(batch, the_list_is_read_as_it_was_written_and_what_is_over_is_dropped)
{
	char *dir = tempdir_make();
	static const char *const ids[] = { "a b", "ü", "3", "4", "5" };
	SCOPED(free)
	char *db = database_with(
		dir,
		"cat >asked; echo '{\"jobs\": [{\"id\": \"3\", \"state\": \"running\"}, {\"id\": \"4\", "
		"\"state\": \"failed\", \"reason\": \"out of memory\"}, {\"id\": \"ü\", \"state\": \"done\"}, "
		"{\"id\": \"5\", \"state\": \"pending\"}]}'",
		ids, 5);
	SCOPED(free) char *asked_file = xstrfmt("%s/asked", dir);
	SCOPED(str) struct str text = { 0 };
	struct err e = ERR_INIT;
	SCOPED(batch_session) struct batch_session s = BATCH_SESSION_INIT;
	cr_assert_eq(batch_open(&s, db, &e), 0, "%s", e.msg);
	cr_assert_eq(io_read(&text, asked_file, 4096, &e), 0, "%s", e.msg); /* started in the folder of the submission */
	cr_assert_str_eq(text.data, "{\"schema\":1,\"jobs\":[\"a b\",\"ü\",\"3\",\"4\",\"5\"]}\n");
	cr_assert_str_eq(s.ended.data, "task 3 of plan 0123456789ab failed as job 4: out of memory\n");
	cr_assert(batch_jobs_count(&s.jobs) == 2 && strcmp(s.jobs.v[0].v[0].id, "3") == 0 && s.jobs.v[0].v[0].index == 2);
	batch_close(&s);
	SCOPED(batch_jobs) struct batch_jobs again = { 0 };
	cr_assert_eq(batch_jobs_read(&again, db, &e), 0, "%s", e.msg);
	cr_assert(batch_jobs_count(&again) == 2 && again.n == 1 && again.v[0].v[1].index == 4 &&
	          strcmp(again.v[0].v[1].plan, PLAN) == 0 && strcmp(again.v[0].v[1].key, "0123456789ab") == 0);
	cr_assert(strcmp(again.v[0].cancel[2], "cancel") == 0 && !again.v[0].cancel[3] && !again.v[0].query[2]);
	/* the same commands are the same engine; others are another */
	struct slurm_list query = { .v = { again.v[0].query[0], again.v[0].query[1] }, .n = 2 }, cancel = query;
	cancel.v[cancel.n++] = "cancel";
	cr_assert_eq(batch_engine_of(&again, dir, &query, &cancel), &again.v[0]);
	cr_assert_neq(batch_engine_of(&again, "/", &query, &cancel), &again.v[0]);
	query.n = 1;
	cr_assert_eq(batch_engine_of(&again, dir, &query, &cancel), &again.v[2]);
	tempdir_remove(dir);
}

/* A queue that does not answer leaves the list as it is: nothing is dropped, and nothing can be submitted. */
Test(batch, a_queue_that_fails_leaves_the_list)
{
	char *dir = tempdir_make();
	static const char *const ids[] = { "1", "2" };
	SCOPED(free) char *db = database_with(dir, "echo the controller is away >&2; exit 1", ids, 2);
	struct err e = ERR_INIT;
	SCOPED(batch_session) struct batch_session s = BATCH_SESSION_INIT;
	cr_assert_eq(batch_open(&s, db, &e), -1);
	cr_assert_str_eq(e.msg, "query: sh failed with exit code 1: the controller is away");
	SCOPED(batch_jobs) struct batch_jobs again = { 0 };
	cr_assert_eq(batch_jobs_read(&again, db, &e), 0, "%s", e.msg);
	cr_assert_eq(batch_jobs_count(&again), 2);
	json_t *list = batch_status(db);
	cr_assert_eq(json_array_size(list), 1);
	cr_assert(strstr(json_string_value(json_object_get(json_array_get(list, 0), "error")), "controller is away"));
	json_decref(list);
	int n;
	cr_assert_eq(batch_cancel(&n, db, &e), -1);
	tempdir_remove(dir);
}

/* A list that came with a folder from elsewhere may name any command. */
Test(batch, commands_that_nobody_here_has_named_are_not_started)
{
	char *dir = tempdir_make();
	static const char *const ids[] = { "1" };
	SCOPED(free) char *db = database_with(dir, "touch started; echo '{\"jobs\": []}'", ids, 1);
	SCOPED(free) char *started = xstrfmt("%s/started", dir);
	SCOPED(free) char *empty = xstrfmt("%s/another cache", dir);
	SCOPED(batch_jobs) struct batch_jobs jobs = { 0 };
	struct err e = ERR_INIT;
	int n;
	cr_assert_eq(setenv("ABLATE_CACHE", empty, 1), 0);
	cr_assert_eq(batch_jobs_read(&jobs, db, &e), 0, "%s", e.msg);
	cr_expect_eq(batch_jobs_ask(&jobs, &e), -1);
	cr_expect(e.code == EXIT_USAGE && strstr(e.msg, "not started"), "%s", e.msg);
	cr_expect_eq(batch_cancel(&n, db, &e), -1);
	cr_expect(!io_exists(started));
	tempdir_remove(dir);
}

#define LIST "{\"schema\": 1, \"unanswered\": 0, \"engines\": "
static const char *const damaged[] = {
	"",
	"{",
	"[]",
	"{\"schema\": 2, \"unanswered\": 0, \"engines\": []}",
	"{\"schema\": 1, \"engines\": []}",
	"{\"schema\": 1, \"unanswered\": 0}",
	LIST "[{\"query\": [\"x\"], \"cancel\": [\"x\"], \"jobs\": []}]}",
	LIST "[{\"dir\": \"/\", \"query\": [], \"cancel\": [\"x\"], \"jobs\": []}]}",
	LIST "[{\"dir\": \"/\", \"query\": [1], \"cancel\": [\"x\"], \"jobs\": []}]}",
	LIST "[{\"dir\": \"/\", \"query\": [\"x\"], \"cancel\": [\"x\"]}]}",
	LIST "[{\"dir\": \"/\", \"query\": [\"x\"], \"cancel\": [\"x\"], \"jobs\": "
		 "[{\"id\": \"1\", \"plan\": \"0123\", \"index\": 0, \"key\": \"0123456789ab\"}]}]}",
	LIST "[{\"dir\": \"/\", \"query\": [\"x\"], \"cancel\": [\"x\"], \"jobs\": "
		 "[{\"id\": \"1\", \"plan\": \"" PLAN "\", \"index\": -1, \"key\": \"0123456789ab\"}]}]}",
};

Test(batch, a_damaged_list_is_refused_by_name)
{
	char *dir = tempdir_make();
	SCOPED(free) char *db = database_with(dir, "", NULL, 0);
	SCOPED(free) char *path = xstrfmt("%s-runs/batch/jobs.json", db);
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		struct err e = ERR_INIT;
		struct batch_jobs jobs;
		cr_assert_eq(io_write_atomic(path, damaged[i], strlen(damaged[i]), &e), 0, "%s", e.msg);
		cr_assert_eq(batch_jobs_read(&jobs, db, &e), -1, "taken: %s", damaged[i]);
		cr_assert(e.code == EXIT_RECORD && strstr(e.msg, path) && strstr(e.msg, "remove it when none is"), "%s", e.msg);
		cr_assert(!jobs.v && !jobs.n);
	}
	tempdir_remove(dir);
}

Test(batch, cancel_gives_the_ids_of_those_in_the_queue)
{
	char *dir = tempdir_make();
	static const char *const ids[] = { "1", "2", "3" };
	SCOPED(free)
	char *db = database_with(dir,
	                         "[ \"$1\" = cancel ] && exec cat >cancelled; echo '{\"jobs\": [{\"id\": \"3\", \"state\": "
	                         "\"running\"}, {\"id\": \"1\", \"state\": \"pending\"}]}'",
	                         ids, 3);
	SCOPED(free) char *file = xstrfmt("%s/cancelled", dir);
	SCOPED(str) struct str text = { 0 };
	struct err e = ERR_INIT;
	int n;
	cr_assert_eq(batch_cancel(&n, db, &e), 0, "%s", e.msg);
	cr_assert_eq(n, 2);
	cr_assert_eq(io_read(&text, file, 4096, &e), 0, "%s", e.msg);
	cr_assert_str_eq(text.data, "{\"schema\":1,\"jobs\":[\"1\",\"3\"]}\n");
	tempdir_remove(dir);
}
