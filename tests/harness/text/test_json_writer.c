/* test_json_writer.c - JSON put together piece by piece: commas, nesting, lines, and documents of jansson in both
 * forms. */
#include "harness/text/json_out.h"
#include "harness/text/json_writer.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>

static void add_sample(struct json_writer *w)
{
	json_begin(w, NULL, '{');
	json_add_text(w, "te\"xt", "a<b\n");
	json_add_text(w, "none", NULL);
	json_begin(w, "empty", '{');
	json_end(w);
	json_begin(w, "list", '[');
	json_begin(w, NULL, '[');
	json_end(w);
	json_begin(w, NULL, '{');
	json_add_int(w, "i", INT64_MIN);
	json_add_bool(w, "b", true);
	json_end(w);
	json_add_number(w, NULL, 3);
	json_add_number(w, NULL, 0.1);
	json_add_number(w, NULL, NAN);
	json_end(w);
	json_add_texts(w, "texts", (const char *const[]){ "{", "[" }, 2);
	json_add_raw(w, "raw", "{\"x\":[]}");
	json_add_format(w, "format", "%.3f", 2.0 / 3);
	json_add_null(w, "last");
	json_end(w);
}

/* What the last byte written was says nothing: texts end in brackets, an array may be empty. */
Test(json_writer, commas_follow_nesting)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s };
	add_sample(&w);
	cr_assert_str_eq(
		s.data,
		"{\"te\\\"xt\":\"a\\u003cb\\n\",\"none\":\"\",\"empty\":{},\"list\":[[],{\"i\":-9223372036854775808,\"b\":true},3,0.1,null],"
		"\"texts\":[\"{\",\"[\"],\"raw\":{\"x\":[]},\"format\":0.667,\"last\":null}");
	cr_assert_eq(w.depth, 0);
}

Test(json_writer, indented_values_have_lines_of_their_own)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s, .indent = 2 };
	json_begin(&w, NULL, '{');
	json_add_int(&w, "a", 1);
	json_begin(&w, "b", '[');
	json_add_int(&w, NULL, 2);
	json_begin(&w, NULL, '{');
	json_end(&w);
	json_end(&w);
	json_end(&w);
	cr_assert_str_eq(s.data, "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    {}\n  ]\n}");
}

Test(json_writer, a_line_begins_before_a_value_or_an_end)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s };
	json_begin(&w, NULL, '[');
	json_add_int(&w, NULL, 1);
	json_line(&w);
	json_add_int(&w, NULL, 2);
	json_line(&w);
	json_end(&w);
	cr_assert_str_eq(s.data, "[1,\n2\n]");
}

/* Everything that jansson would read can be written again. */
Test(json_writer, the_deepest_document_comes_back)
{
	enum { DEEP = 2048 };
	SCOPED(str) struct str text = { 0 }, again = { 0 };
	for (int i = 0; i < DEEP; i++)
		str_add(&text, i % 3 ? "[" : i < DEEP - 1 ? "{\"k\":" : "{");
	for (int i = DEEP - 1; i >= 0; i--)
		str_addc(&text, i % 3 ? ']' : '}');
	json_error_t at;
	json_t *v = json_loads(text.data, 0, &at);
	cr_assert(v, "%s", at.text);
	json_out(&again, v, 0);
	cr_assert_str_eq(again.data, text.data);
	json_decref(v);
}

Test(json_writer, a_value_without_its_name_is_a_mistake, .signal = SIGABRT)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s };
	json_begin(&w, NULL, '{');
	json_add_int(&w, NULL, 1);
}

Test(json_writer, a_name_in_an_array_is_a_mistake, .signal = SIGABRT)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s };
	json_begin(&w, NULL, '{');
	json_begin(&w, "a", '[');
	json_add_int(&w, "b", 1);
}

Test(json_writer, an_end_too_many_is_a_mistake, .signal = SIGABRT)
{
	SCOPED(str) struct str s = { 0 };
	struct json_writer w = { .to = &s };
	json_begin(&w, NULL, '{');
	json_end(&w);
	json_end(&w);
}

/* Hashes of environments and lines of journals are over these bytes: 17 digits, "<" as it is. */
Test(json_record, bytes_are_as_they_always_were)
{
	SCOPED(str) struct str s = { 0 };
	json_t *v = json_pack("{s:f, s:s, s:f}", "b", 0.1, "a", "<é>", "c", 3.0);
	cr_assert_eq(json_record(&s, v, JSON_COMPACT), 0);
	cr_assert_str_eq(s.data, "{\"b\":0.10000000000000001,\"a\":\"<é>\",\"c\":3.0}");
	s.len = 0;
	cr_assert_eq(json_record(&s, v, JSON_COMPACT | JSON_SORT_KEYS), 0);
	cr_assert_str_eq(s.data, "{\"a\":\"<é>\",\"b\":0.10000000000000001,\"c\":3.0}");
	json_decref(v);
}

Test(json_record, what_cannot_be_text_appends_nothing)
{
	SCOPED(str) struct str s = { 0 };
	json_t *number = json_integer(1);
	str_add(&s, "kept");
	cr_assert_eq(json_record(&s, NULL, JSON_COMPACT), -1);
	cr_assert_eq(json_record(&s, number, JSON_COMPACT), -1, "a number is a document only with JSON_ENCODE_ANY");
	json_t *half = json_pack("[s, o]", "text", json_string_nocheck("\xff"));
	cr_assert_eq(json_record(&s, half, JSON_COMPACT), -1, "its second text is not UTF-8");
	json_decref(half);
	cr_assert_str_eq(s.data, "kept");
	cr_assert_eq(s.len, 4);
	json_decref(number);
}
