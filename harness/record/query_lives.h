/* query_lives.h - SQL that several queries begin with; of this room's query files alone. */
#ifndef ABLATE_QUERY_LIVES_H
#define ABLATE_QUERY_LIVES_H

/* life(id, age): an attempt (the first parameter) and the earlier ones that it resumed from, as v_curve has them, but
 * of one attempt and so at once. */
#define WITH_LIVES \
	"WITH RECURSIVE life(id, age) AS (SELECT ?, 0 UNION ALL SELECT a.resumed_from, l.age + 1 FROM life l " \
	"JOIN attempt a ON a.id = l.id WHERE a.resumed_from IS NOT NULL AND l.age < 1000) "

#endif
