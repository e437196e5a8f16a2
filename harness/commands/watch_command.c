/* watch_command.c - see watch_command.h. */
#define _GNU_SOURCE
#include "harness/commands/watch_command.h"

#include "harness/cli/cmd_signals.h"
#include "harness/commands/plan_open.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "harness/text/terminal.h"
#include "harness/watch/screen.h"
#include "harness/watch/watch_changes.h"
#include "harness/watch/watch_read.h"
#include "harness/watch/watch_screen.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVERY_S 2.0  /* the database is looked at, */
#define SHARE   0.05 /* but not for more of the time than this, however many cells there are, */
#define QUEUE_S 10.0 /* and the queues of a cluster, which others ask, too */
#define LOCK_MS 20

int watch_grid(const char **only, char **hash, const struct cli *c, bool selects, struct err *e)
{
	SCOPED(plan) struct plan *plan = NULL;
	*only = c->n_args ? c->args[0] : NULL;
	*hash = NULL;
	bool file = *only && (strcmp(*only, "-") == 0 || strstr(*only, ".toml"));
	if (!file && cli_given(c, "set"))
		return err_code(e, EXIT_USAGE, "--set changes a grid file: name the file, or leave it out");
	if (!file && cli_given(c, "only") && !selects)
		return err_code(e, EXIT_USAGE,
		                "--only selects rows of a grid file: name the file, or list cells by `ablate status --cells "
		                "--only`");
	if (!file)
		return 0;
	if (plan_open(&plan, c, *only, e))
		return -1;
	*only = *hash = xstrdup(plan->hash);
	return 0;
}

int watch_status(struct status *out, const struct store *s, const struct cli *c, const char *only, struct err *e)
{
	if (status_read(out, s, only, e))
		return -1;
	if (!only || json_array_size(out->grids))
		return 0;
	status_release(out);
	return err_code(e, EXIT_USAGE, "%s: no grid '%s' in it", c->db, c->args[0]);
}

struct watcher {
	const struct cli *c;
	const char *only;
	struct status st;
	json_t *slurm, *command; /* what the queues said last */
	double asked_s, every_s; /* when the queues were asked; until the next look */
	struct watch_memory memory;
	struct watch now;
	struct watch_told told;
};

static void watcher_release(struct watcher *w)
{
	status_release(&w->st);
	json_decref(w->slurm);
	json_decref(w->command);
	watch_memory_release(&w->memory);
	watch_told_release(&w->told);
	scoped_watch(&w->now);
}

/* The queues' last answer, or a new one. */
static void take_queues(struct watcher *w)
{
	if (!w->slurm || monotonic_s() - w->asked_s > QUEUE_S) {
		status_ask_queues(&w->st, w->c->db);
		json_decref(w->slurm);
		json_decref(w->command);
		w->slurm = json_incref(w->st.slurm);
		w->command = json_incref(w->st.command);
		w->asked_s = monotonic_s();
	} else {
		w->st.slurm = json_incref(w->slurm);
		w->st.command = json_incref(w->command);
	}
}

/* One look. The store is opened for each: a database that was made anew meanwhile is another file. */
static int look(struct watcher *w, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	double began = monotonic_s(), took;
	status_release(&w->st);
	scoped_watch(&w->now);
	if (store_open(&s, w->c->db, STORE_READ, "ablate watch", e) || watch_status(&w->st, &s, w->c, w->only, e))
		return -1;
	took = monotonic_s() - began;
	take_queues(w);
	began = monotonic_s();
	if (watch_read(&w->now, &w->memory, &s, &w->st, w->only, e))
		return -1;
	took += monotonic_s() - began;
	w->every_s = took / SHARE > EVERY_S ? took / SHARE : EVERY_S;
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void print_object(struct watcher *w, const char *now)
{
	SCOPED(str) struct str text = { 0 };
	bool first = !w->told.begun;
	json_t *changed = watch_changes_json(&w->told, &w->now);
	if (!first && w->now.busy && json_array_size(changed) == 0) {
		json_decref(changed);
		return;
	}
	json_t *o = json_pack("{s:i, s:s}", "schema", 1, "time", now), *status = status_json(&w->st, w->c->db);
	(void)json_object_update(o, status);
	json_decref(status);
	(void)json_object_set_new(o, "eta_s", json_out_real(w->now.eta_s));
	(void)json_object_set_new(o, "picture", *w->now.picture ? json_out_text(w->now.picture) : json_null());
	(void)json_object_set_new(o, "gpus", watch_gpus_json(&w->now));
	(void)json_object_set_new(o, "cells", changed);
	json_out(&text, o, 0);
	json_decref(o);
	printf("%s\n", str_text(&text));
}

static int follow_lines(struct watcher *w, struct err *e)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	for (bool first = true;; first = false) {
		char now[HOST_TIME];
		SCOPED(str) struct str text = { 0 };
		if (look(w, e))
			return interrupted ? EXIT_OK : -1;
		(void)host_now(now);
		if (w->c->json)
			print_object(w, now);
		else {
			watch_changes_text(&text, &w->told, &w->now, now);
			if (!first && !w->now.busy) {
				str_addf(&text, "%.19sZ ", now);
				watch_summary(&text, &w->now);
				str_addc(&text, '\n');
			}
			(void)fputs(str_text(&text), stdout);
		}
		if (fflush(stdout) || !w->now.busy || interrupted || cmd_reader_left(STDOUT_FILENO))
			return EXIT_OK;
		const struct timespec pause = { .tv_sec = (time_t)w->every_s };
		(void)nanosleep(&pause, NULL);
		if (interrupted)
			return EXIT_OK;
	}
}

/* ---- a screen ---------------------------------------------------------------------------------------------------- */

/* A lock of another program's on the database lasts as long as it lasts; a signal goes before. */
static bool wait_for_lock(void *ctx, const char *path, double waited_s)
{
	(void)ctx, (void)path, (void)waited_s;
	const struct timespec pause = { .tv_nsec = LOCK_MS * 1000000L };
	(void)nanosleep(&pause, NULL);
	return !screen_is_asked();
}

static int follow_screen(struct watcher *w, struct err *e)
{
	struct watch_view view = { .utf8 = terminal_is_utf8(), .color = color_on(STDOUT_FILENO) };
	double looked_s = -INFINITY;
	int first = 0, rc = 0;
	if (screen_begin(e))
		return -1;
	db_set_wait(wait_for_lock, NULL);
	while (!screen_over()) {
		if (monotonic_s() - looked_s >= w->every_s) {
			if (look(w, e)) {
				if (!screen_is_asked()) {
					rc = -1;
					break;
				}
				(void)screen_wait(0); /* which acts on it */
				continue;
			}
			looked_s = monotonic_s();
			if (!w->now.busy)
				break;
		}
		struct watch_lines lines;
		view.first = first;
		screen_size(&view.width, &view.height);
		watch_screen(&lines, &w->now, &view);
		screen_draw(lines.v, lines.n);
		enum key key = screen_wait(looked_s + w->every_s - monotonic_s());
		first = key_scrolls(key, lines.first, lines.rows, w->now.n);
		watch_lines_release(&lines);
		if (key == KEY_LEAVE)
			break;
	}
	db_set_wait(NULL, NULL);
	screen_end();
	return rc;
}

/* What stays on the terminal when the screen is gone: all cells in a line, and those that failed. */
static void print_end(struct watcher *w)
{
	char now[HOST_TIME];
	SCOPED(str) struct str text = { 0 };
	if (!w->now.title)
		return;
	watch_changes_text(&text, &w->told, &w->now, host_now(now));
	(void)fputs(str_text(&text), stdout);
}

const struct json_key watch_keys[] = {
	{ "", .of = status_keys },
	JSON_KEY("time", "string", "when this is said: UTC, ISO 8601"),
	JSON_KEY("eta_s", "number?", "time that is left of the study; null where it is not known", .unit = "s"),
	JSON_KEY("picture", "string?", "the newest picture of samples; null where there is none"),
	JSON_KEY("gpus", "object[]", "GPUs, as their driver sees them", .unseen = "a GPU (tests/e2e/watch.sh)",
	         .of = watch_gpus_keys),
	JSON_KEY("cells", "object[]", "cells: in the first line all, then those that changed", .of = watch_changes_keys),
	{ 0 },
};

int watch_command(const struct cli *c, const char *only)
{
	struct err e = ERR_INIT;
	struct watcher w = { .c = c, .only = only };
	bool screen = !c->json && terminal_draws(STDOUT_FILENO);
	int rc = screen ? follow_screen(&w, &e) : follow_lines(&w, &e);
	if (screen && !rc)
		print_end(&w);
	watcher_release(&w);
	return rc ? cli_fail(c, &e) : EXIT_OK;
}
