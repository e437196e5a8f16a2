/* export_crate.c - see export_crate.h. */
#define _GNU_SOURCE
#include "harness/show/export_crate.h"

#include "harness/attest/statement.h"
#include "harness/record/query_attempt.h"
#include "harness/record/query_crate.h"
#include "harness/record/query_statement.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROCRATE    "https://w3id.org/ro/crate/1.1"
#define RUN_TERMS  "https://w3id.org/ro/terms/workflow-run/context"
#define STATEMENTS "statements.intoto.jsonl"

static const struct {
	const char *id, *name, *version;
} profiles[] = {
	{ "https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5" },
	{ "https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5" },
	{ "https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0" },
};
#define N_PROFILES (sizeof profiles / sizeof *profiles)

struct crate {
	struct db *db;
	const char *grid, *dir;
	bool identity;
	json_t *graph, *ids; /* ids: those of the graph, so that each entity stands in it once */
	json_t *parts, *mentions;
	json_t *objects, *results; /* of the whole run; the former as keys of an object */
	char *workflow, *first, *last;
	struct str statements;
	int actions;
};

/* --- entities --- */

static json_t *ref(const char *id)
{
	return json_pack("{s:s}", "@id", id);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		(void)json_object_set_new(o, key, json_out_text(text));
}

static void set_number(json_t *o, const char *key, double x)
{
	if (isfinite(x))
		(void)json_object_set_new(o, key, json_real(x));
}

/* A new entity in the graph, borrowed; NULL where it is there already. */
static json_t *entity(struct crate *c, const char *id, const char *type)
{
	if (json_object_get(c->ids, id))
		return NULL;
	(void)json_object_set_new(c->ids, id, json_true());
	json_t *o = json_pack("{s:s, s:s}", "@id", id, "@type", type);
	(void)json_array_append_new(c->graph, o);
	return o;
}

static void append_ref(json_t *list, const char *id)
{
	(void)json_array_append_new(list, ref(id));
}

/* A PropertyValue that list refers to. The reference of value is taken. */
static json_t *property(struct crate *c, json_t *list, const char *id, const char *name, json_t *value)
{
	json_t *o = entity(c, id, "PropertyValue");
	append_ref(list, id);
	if (!o) {
		json_decref(value);
		return NULL;
	}
	set_text(o, "name", name);
	(void)json_object_set_new(o, "value", value);
	return o;
}

/* --- the environment --- */

static void add_facts(struct crate *c, json_t *list, const char *env, const char *before, json_t *facts)
{
	const char *key;
	json_t *v;
	json_object_foreach(facts, key, v)
	{
		SCOPED(free) char *name = xstrfmt("%s%s%s", before, *before ? "." : "", key);
		SCOPED(free) char *id = xstrfmt("#env-%.12s-%s", env, name);
		for (char *p = id; *p; p++)
			*p = (char)(*p == ' ' ? '-' : *p);
		if (json_is_object(v))
			add_facts(c, list, env, name, v);
		else if (json_is_array(v)) {
			SCOPED(str) struct str words = { 0 };
			size_t i;
			json_t *word;
			json_array_foreach(v, i, word) if (json_is_string(word))
				str_addf(&words, "%s%s", words.len ? " " : "", json_string_value(word));
			(void)property(c, list, id, name, json_out_text(str_text(&words)));
		} else if (!json_is_null(v))
			(void)property(c, list, id, name, json_incref(v));
	}
}

/* The program that ran, of which there may be several in one grid; heap. */
static char *add_software(struct crate *c, json_t *env)
{
	const char *version = json_string_value(json_object_get(env, "ablate")),
			   *commit = json_string_value(json_object_get(env, "commit")),
			   *diff = json_string_value(json_object_get(env, "diff"));
	version = version ? version : "unknown";
	commit = commit ? commit : "unknown";
	bool changed = diff && *diff;
	char *id = xstrfmt("#ablate-%s-%.12s%s%.12s", version, commit, changed ? "-changed-" : "", changed ? diff : "");
	json_t *o = entity(c, id, "SoftwareApplication");
	if (o) {
		SCOPED(free)
		char *text = xstrfmt("commit %s%s%s", commit, changed ? ", with changes of SHA-256 " : "", changed ? diff : "");
		set_text(o, "name", "ablate");
		set_text(o, "softwareVersion", version);
		set_text(o, "identifier", commit);
		set_text(o, "description", text);
	}
	return id;
}

static int add_env(struct crate *c, json_t *action, const struct crate_run_row *r, struct err *e)
{
	SCOPED(free) char *text = NULL;
	json_t *list = json_array();
	(void)json_object_set_new(action, "additionalProperty", list);
	if (*r->env && query_env_of_hash(&text, c->db, r->env, e))
		return -1;
	json_t *env = text ? json_loads(text, 0, NULL) : NULL;
	SCOPED(free) char *software = add_software(c, env);
	(void)json_object_set_new(action, "instrument", ref(software));
	add_facts(c, list, r->env, "", env);
	json_decref(env);
	if (*r->fingerprint) {
		SCOPED(free) char *id = xstrfmt("#fingerprint-%.12s", r->fingerprint);
		(void)property(c, list, id, "numerics fingerprint", json_out_text(r->fingerprint));
	}
	return 0;
}

/* --- what it took, read, wrote and scored --- */

static void add_usage(struct crate *c, json_t *action, const struct crate_run_row *r)
{
	const struct {
		const char *name, *unit;
		double value;
	} used[] = { { "wall-clock time", "s", r->wall_s },
		         { "processor time", "s", r->cpu_s },
		         { "peak resident memory", "bytes", r->max_rss < 0 ? NAN : (double)r->max_rss } };
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
		SCOPED(free) char *id = xstrfmt("#usage-%s-%zu", r->attempt, i + 1);
		if (isfinite(used[i].value))
			set_text(property(c, list, id, used[i].name,
			                  used[i].value == floor(used[i].value) ? json_integer((json_int_t)used[i].value)
			                                                        : json_real(used[i].value)),
			         "unitText", used[i].unit);
	}
	(void)json_object_set_new(action, "resourceUsage", list);
}

static void add_file(struct crate *c, json_t *list, const struct crate_file_row *f)
{
	SCOPED(free) char *id = xstrfmt("#sha256-%s", f->hash);
	json_t *o = entity(c, id, "CreativeWork");
	append_ref(list, id);
	if (!o)
		return;
	set_text(o, "name", *f->name ? f->name : f->role);
	set_text(o, "additionalType", f->kind);
	set_text(o, "sha256", f->hash);
	set_text(o, "url", f->url);
	set_text(o, "license", f->licence);
	if (f->bytes >= 0) {
		SCOPED(free) char *size = xstrfmt("%lld", (long long)f->bytes);
		set_text(o, "contentSize", size);
	}
}

static int add_files(struct crate *c, json_t *object, json_t *result, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct crate_file_row f;
	if (query_crate_files(&rows, c->db, attempt, e))
		return -1;
	while (query_crate_file_next(&f, &rows)) {
		SCOPED(free) char *id = xstrfmt("#sha256-%s", f.hash);
		add_file(c, f.read ? object : result, &f);
		if (f.read)
			(void)json_object_set_new(c->objects, id, json_true());
	}
	return db_done(&rows, e);
}

static int add_scores(struct crate *c, json_t *result, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct said_score_row s;
	int n = 0;
	if (query_said_scores(&rows, c->db, attempt, e))
		return -1;
	while (query_said_score_next(&s, &rows)) {
		SCOPED(free) char *id = xstrfmt("#score-%s-%d", attempt, ++n);
		SCOPED(free) char *name = s.nfe ? xstrfmt("%s@%lld", s.name, (long long)s.nfe) : xstrdup(s.name);
		SCOPED(str) struct str text = { 0 };
		json_t *value = isfinite(s.value) ? json_real(s.value) : json_out_text(s.hex);
		json_t *o = property(c, result, id, name, value);
		str_addf(&text, "exactly %s; evaluation seed %lld, weights %s at step %lld", s.hex, (long long)s.eval_seed,
		         *s.weights ? s.weights : "(none)", (long long)s.step);
		if (s.n >= 0)
			str_addf(&text, ", %lld images", (long long)s.n);
		set_text(o, "description", str_text(&text));
		set_text(o, "measurementTechnique", s.protocol);
		set_number(o, "minValue", s.lo);
		set_number(o, "maxValue", s.hi);
		append_ref(c->results, id);
	}
	return db_done(&rows, e);
}

/* Valid statements about it go into a file of their own; with identity its first signer is the agent. */
static int add_statements(struct crate *c, json_t *action, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct statement_row r;
	struct statement_check found;
	int rc = 0;
	if (query_statements(&rows, c->db, attempt, e))
		return -1;
	while (!rc && query_statement_next(&r, &rows)) {
		if ((rc = statement_check(&found, c->db, &r, e)) || found.state != STATEMENT_VALID)
			continue;
		str_addf(&c->statements, "%s\n", r.envelope);
		if (!c->identity || strcmp(r.kind, "seal") != 0 || json_object_get(action, "agent"))
			continue;
		SCOPED(free) char *id = xstrfmt("#key-%s", r.key);
		SCOPED(free) char *nameless = xstrfmt("holder of key %.12s", r.key);
		json_t *o = entity(c, id, "Person");
		set_text(o, "name", r.name ? r.name : nameless);
		set_text(o, "identifier", r.key);
		(void)json_object_set_new(action, "agent", ref(id));
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static void add_settings(struct crate *c, json_t *object, const struct crate_run_row *r)
{
	SCOPED(free) char *arm = xstrfmt("#arm-%s", r->arm);
	SCOPED(free) char *seed = xstrfmt("#seed-%lld", (long long)r->seed);
	set_text(property(c, object, arm, "settings", json_out_text(r->config)), "identifier", r->arm);
	(void)property(c, object, seed, "training seed", json_integer(r->seed));
	(void)json_object_set_new(c->objects, arm, json_true());
	(void)json_object_set_new(c->objects, seed, json_true());
}

static int add_run(struct crate *c, const struct crate_run_row *r, struct err *e)
{
	SCOPED(free) char *id = xstrfmt("urn:uuid:%s", r->attempt);
	SCOPED(free) char *name = xstrfmt("%s, seed %lld", *r->label ? r->label : r->arm, (long long)r->seed);
	SCOPED(free)
	char *text = xstrfmt("cell %s, arm %s, numerics version %lld", r->cell, r->arm, (long long)r->numerics);
	json_t *action = entity(c, id, "CreateAction"), *object = json_array(), *result = json_array();
	bool done = r->state == RECORD_DONE;
	set_text(action, "name", name);
	set_text(action, "description", text);
	(void)json_object_set_new(action, "object", object);
	(void)json_object_set_new(action, "result", result);
	set_text(action, "startTime", r->started);
	set_text(action, "endTime", r->ended);
	(void)json_object_set_new(
		action, "actionStatus",
		ref(done ? "http://schema.org/CompletedActionStatus" : "http://schema.org/FailedActionStatus"));
	if (!done) {
		SCOPED(free) char *why = xstrfmt("%s: %s", record_state_name(r->state), r->reason);
		set_text(action, "error", why);
	}
	if (!c->first || strcmp(r->started, c->first) < 0) {
		free(c->first);
		c->first = xstrdup(r->started);
	}
	if (*r->ended && (!c->last || strcmp(r->ended, c->last) > 0)) {
		free(c->last);
		c->last = xstrdup(r->ended);
	}
	append_ref(c->mentions, id);
	c->actions++;
	add_settings(c, object, r);
	add_usage(c, action, r);
	return add_env(c, action, r, e) || add_files(c, object, result, r->attempt, e) ||
	               add_scores(c, result, r->attempt, e) || add_statements(c, action, r->attempt, e)
	           ? -1
	           : 0;
}

static int add_runs(struct crate *c, struct err *e)
{
	struct db_rows rows;
	struct crate_run_row r;
	int rc = 0;
	if (query_crate_runs(&rows, c->db, c->grid, e))
		return -1;
	while (!rc && query_crate_run_next(&r, &rows))
		rc = add_run(c, &r, e);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

/* --- the crate's own files --- */

static int put(const struct crate *c, const char *name, const char *text, size_t n, struct err *e)
{
	SCOPED(free) char *path = xstrfmt("%s/%s", c->dir, name);
	return io_write_atomic(path, text, n, e);
}

/* A file of the crate, part of it. Its name is an id, too: nothing in it needs escaping. */
static int part(struct crate *c, json_t *types, const char *name, const char *title, const char *format,
                const char *text, struct err *e)
{
	char hex[SHA256_HEX];
	SCOPED(free) char *size = xstrfmt("%zu", strlen(text));
	json_t *o = entity(c, name, "File");
	if (!o) {
		json_decref(types);
		return 0;
	}
	if (types)
		(void)json_object_set_new(o, "@type", types);
	io_sha256(hex, text, strlen(text));
	set_text(o, "name", title);
	set_text(o, "encodingFormat", format);
	set_text(o, "contentSize", size);
	set_text(o, "sha256", hex);
	append_ref(c->parts, name);
	return put(c, name, text, strlen(text), e);
}

/* A name as a file's, and as a part of a URI. */
static char *plain_name(const char *before, const char *name, const char *after)
{
	char *s = xstrfmt("%s%.100s%s", before, name, after);
	for (char *p = s + strlen(before); *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			*p = '_';
	return s;
}

static int add_inherited(struct crate *c, json_t *workflow, const char *made_of, struct err *e)
{
	json_t *made = json_loads(made_of, 0, NULL), *sources = json_object_get(made, "sources"), *list = json_array();
	int rc = 0;
	for (size_t i = 1; i < json_array_size(sources) && !rc; i++) {
		json_t *source = json_array_get(sources, i);
		const char *path = json_string_value(json_object_get(source, "file")),
				   *text = json_string_value(json_object_get(source, "text"));
		if (!path || !text)
			continue;
		SCOPED(free) char *before = xstrfmt("inherited/%zu-", i);
		SCOPED(free) char *folder = xstrfmt("%s/inherited", c->dir);
		SCOPED(free) char *name = plain_name(before, strrchr(path, '/') ? strrchr(path, '/') + 1 : path, "");
		append_ref(list, name);
		rc = io_mkdirs(folder, e) || part(c, NULL, name, "inherited by the grid", "application/toml", text, e) ? -1 : 0;
	}
	if (json_array_size(list))
		(void)json_object_set(workflow, "hasPart", list);
	json_decref(list);
	json_decref(made);
	return rc;
}

static int add_workflow(struct crate *c, const struct crate_grid_row *g, struct err *e)
{
	json_t *language = entity(c, "#ablate-grid", "ComputerLanguage");
	set_text(language, "name", "ablate grid");
	set_text(language, "alternateName", "TOML");
	set_text(language, "url", "https://toml.io/");
	c->workflow = plain_name("", *g->name ? g->name : "grid", ".toml");
	json_t *types = json_pack("[s, s, s]", "File", "SoftwareSourceCode", "ComputationalWorkflow");
	if (part(c, types, c->workflow, g->name, "application/toml", g->toml, e))
		return -1;
	json_t *workflow = json_array_get(c->graph, json_array_size(c->graph) - 1);
	set_text(workflow, "identifier", c->grid);
	(void)json_object_set_new(workflow, "programmingLanguage", ref("#ablate-grid"));
	return add_inherited(c, workflow, g->made_of, e);
}

/* The run of the grid as a whole, of which the actions of its cells are parts. */
static void add_whole(struct crate *c, const struct crate_grid_row *g)
{
	SCOPED(free) char *id = xstrfmt("#run-%.12s", c->grid);
	SCOPED(free) char *name = xstrfmt("Run of %s", g->name);
	json_t *action = entity(c, id, "CreateAction"), *object = json_array();
	const char *key;
	json_t *unused;
	set_text(action, "name", name);
	(void)json_object_set_new(action, "instrument", ref(c->workflow));
	json_object_foreach(c->objects, key, unused) append_ref(object, key);
	(void)json_object_set_new(action, "object", object);
	(void)json_object_set(action, "result", c->results);
	set_text(action, "startTime", c->first ? c->first : g->created);
	set_text(action, "endTime", c->last);
	bool all = g->done == g->cells;
	(void)json_object_set_new(
		action, "actionStatus",
		ref(all ? "http://schema.org/CompletedActionStatus" : "http://schema.org/FailedActionStatus"));
	if (!all) {
		SCOPED(free) char *why = xstrfmt("%lld of %lld cells are done", (long long)g->done, (long long)g->cells);
		set_text(action, "error", why);
	}
	append_ref(c->mentions, id);
}

static void add_root(struct crate *c, json_t *root, const struct crate_grid_row *g)
{
	SCOPED(free) char *name = xstrfmt("Results of %s", g->name);
	SCOPED(free)
	char *text = xstrfmt("An ablation study of consistency models run by ablate: %lld of its %lld cells are done.",
	                     (long long)g->done, (long long)g->cells);
	const char *published = c->last ? c->last : g->created;
	json_t *conforms = json_array();
	set_text(root, "name", name);
	set_text(root, "description", text);
	set_text(root, "datePublished", published);
	set_text(root, "license", "No licence is stated for these results.");
	for (size_t i = 0; i < N_PROFILES; i++) {
		json_t *profile = entity(c, profiles[i].id, "CreativeWork");
		set_text(profile, "name", profiles[i].name);
		set_text(profile, "version", profiles[i].version);
		append_ref(conforms, profiles[i].id);
	}
	(void)json_object_set_new(root, "conformsTo", conforms);
	(void)json_object_set_new(root, "mainEntity", ref(c->workflow));
	(void)json_object_set(root, "hasPart", c->parts);
	(void)json_object_set(root, "mentions", c->mentions);
}

static int write_all(struct crate *c, const struct crate_grid_row *g, struct err *e)
{
	json_t *about = entity(c, "ro-crate-metadata.json", "CreativeWork"), *root = entity(c, "./", "Dataset");
	(void)json_object_set_new(about, "about", ref("./"));
	(void)json_object_set_new(about, "conformsTo", json_pack("[{s:s}, {s:s}]", "@id", ROCRATE, "@id", profiles[2].id));
	if (add_workflow(c, g, e) || add_runs(c, e))
		return -1;
	if (c->statements.len && part(c, NULL, STATEMENTS, "Signed statements about the attempts (in-toto, DSSE)",
	                              "application/vnd.in-toto+jsonl", str_text(&c->statements), e))
		return -1;
	add_whole(c, g);
	add_root(c, root, g);
	json_t *document = json_pack("{s:[s, s], s:O}", "@context", ROCRATE "/context", RUN_TERMS, "@graph", c->graph);
	SCOPED(str) struct str text = { 0 };
	json_out(&text, document, 1);
	str_addc(&text, '\n');
	json_decref(document);
	return put(c, "ro-crate-metadata.json", text.data, text.len, e); /* last: it names the others */
}

int export_crate(int *actions, struct db *db, const char *grid, const char *dir, bool identity, struct err *e)
{
	struct crate c = { .db = db, .grid = grid, .dir = dir, .identity = identity };
	struct db_rows rows;
	struct crate_grid_row g;
	if (io_mkdirs(dir, e) || query_crate_grid(&rows, db, grid, e))
		return -1;
	c.graph = json_array();
	c.ids = json_object();
	c.parts = json_array();
	c.mentions = json_array();
	c.objects = json_object();
	c.results = json_array();
	int rc = query_crate_grid_next(&g, &rows) ? write_all(&c, &g, e)
	                                          : err_code(e, EXIT_USAGE, "no grid %s in the database", grid);
	if (db_done(&rows, rc ? NULL : e))
		rc = -1;
	*actions = c.actions;
	json_t *const all[] = { c.graph, c.ids, c.parts, c.mentions, c.objects, c.results };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		json_decref(all[i]);
	free(c.workflow);
	free(c.first);
	free(c.last);
	str_release(&c.statements);
	return rc;
}
