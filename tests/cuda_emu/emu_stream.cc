/* emu_stream.cc - streams, events and recording of the pretended device. It is as late as a device may be: what is put
 * into a stream is run when somebody waits for that stream, or when another stream that is run waits for an event in
 * it, and no sooner. So a host that reads before it waits, or a stream that does not wait for another, finds nothing
 * there. A recorded step is replayed in the same way. */
#include "tests/cuda_emu/emu_private.h"
#include "tests/cuda_emu/emu_stream.h"

#include <chrono>
#include <limits.h>
#include <memory>
#include <stdlib.h>
#include <vector>

struct emu_lane;

/* A call, or (lane) waiting until another lane has come to `until`. */
struct emu_op {
	std::function<void()> body;
	struct emu_lane *lane;
	size_t until;
};

/* What was put into a stream, in order; the first `gone` were run and forgotten. */
struct emu_lane {
	std::vector<struct emu_op> ops;
	size_t gone = 0, done = 0; /* done: of ops */
	size_t end(void) const
	{
		return gone + ops.size();
	}
};

/* What a capture keeps: lanes[0] is that of the stream in which it began. */
struct emu_program {
	std::vector<std::unique_ptr<struct emu_lane>> lanes;
	bool open = true;
};

typedef std::shared_ptr<struct emu_program> program;

struct emu_stream {
	struct emu_stream_head head;
	struct emu_lane live;
	program capture; /* not NULL: capturing, into: */
	struct emu_lane *captured;
};

struct emu_event {
	struct emu_lane *lane;
	size_t at;
	program capture;
	std::shared_ptr<double> ms; /* when the lane came to it; NULL: not asked for */
};
struct emu_graph {
	program made;
};

static std::vector<struct emu_stream *> &streams(void)
{
	static std::vector<struct emu_stream *> all;
	return all;
}

/* ---- running --------------------------------------------------------------------------------- */

/* really: else only goes where a run would go. */
static void run(struct emu_lane *lane, size_t until, bool really)
{
	while (lane->gone + lane->done < until) {
		struct emu_op &op = lane->ops[lane->done];
		if (op.lane)
			run(op.lane, op.until, really);
		else if (really && !emu_is_lost())
			op.body();
		lane->done++;
	}
}

static void run_live(struct emu_lane *live, size_t until)
{
	if (live->gone + live->done >= until)
		return;
	emu_memory_open();
	run(live, until, true);
	emu_check_guards();
	emu_memory_close();
	for (struct emu_stream *each : streams()) {
		struct emu_lane &lane = each->live;
		lane.ops.erase(lane.ops.begin(), lane.ops.begin() + (ptrdiff_t)lane.done);
		lane.gone += lane.done;
		lane.done = 0;
	}
}

void emu_run_all(void)
{
	for (struct emu_stream *s : streams())
		run_live(&s->live, s->live.end());
}

static struct emu_lane *lane_of(cudaStream_t stream)
{
	return stream->capture ? stream->captured : &stream->live;
}

bool emu_is_capturing(cudaStream_t stream)
{
	return stream->capture != NULL;
}

cudaError_t emu_call(cudaStream_t stream, std::function<void()> body)
{
	if (!emu_is_lost())
		lane_of(stream)->ops.push_back({ body, NULL, 0 });
	return emu_result(cudaSuccess);
}

/* ---- streams and events ---------------------------------------------------------------------- */

static void enqueue(void *stream, void (*run)(void *arg), void *arg)
{
	(void)emu_call((cudaStream_t)stream, [=] { run(arg); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	*out = new emu_stream();
	(*out)->head.enqueue = enqueue;
	streams().push_back(*out);
	return emu_result(cudaSuccess);
}

/* What is in it is done before it goes. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	emu_run_all();
	for (size_t i = 0; i < streams().size(); i++)
		if (streams()[i] == stream)
			streams().erase(streams().begin() + (ptrdiff_t)i);
	delete stream;
	return emu_result(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	if (!stream) /* the default one, in which nothing is */
		return emu_result(cudaSuccess);
	if (stream->capture)
		return emu_result(cudaErrorStreamCaptureInvalidated);
	run_live(&stream->live, stream->live.end());
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	*out = new emu_event();
	if (!(flags & cudaEventDisableTiming))
		(*out)->ms.reset(new double(0));
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	delete event;
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	if (std::shared_ptr<double> ms = event->ms)
		(void)emu_call(stream, [ms] {
			*ms =
				std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
		});
	event->lane = lane_of(stream);
	event->at = event->lane->end();
	event->capture = stream->capture;
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	if (event->capture)
		return emu_result(cudaErrorStreamCaptureInvalidated);
	if (event->lane)
		run_live(event->lane, event->at);
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
	if (!start->ms || !end->ms || *start->ms <= 0 || *end->ms <= 0)
		return emu_result(cudaErrorInvalidValue);
	*ms = (float)(*end->ms - *start->ms);
	return emu_result(cudaSuccess);
}

/* A stream that waits for an event of a capture joins it. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	if (!event->lane || event->lane == lane_of(stream))
		return emu_result(cudaSuccess);
	if (event->capture && event->capture->open && !stream->capture) {
		event->capture->lanes.emplace_back(new emu_lane());
		stream->capture = event->capture;
		stream->captured = event->capture->lanes.back().get();
	}
	if (stream->capture != event->capture || (event->capture && !event->capture->open))
		return emu_result(cudaErrorInvalidValue);
	lane_of(stream)->ops.push_back({ NULL, event->lane, event->at });
	return emu_result(cudaSuccess);
}

/* ---- recording ------------------------------------------------------------------------------- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	if (stream->capture)
		return emu_result(cudaErrorInvalidValue);
	stream->capture = std::make_shared<struct emu_program>();
	stream->capture->lanes.emplace_back(new emu_lane());
	stream->captured = stream->capture->lanes[0].get();
	return emu_result(cudaSuccess);
}

/* Runs, or goes through, a program. Returns whether the first stream waits for all that the others do. */
static bool go_through(struct emu_program *p, bool really)
{
	bool all = true;
	for (auto &lane : p->lanes)
		lane->done = 0;
	run(p->lanes[0].get(), p->lanes[0]->end(), really);
	for (auto &lane : p->lanes)
		all &= lane->done == lane->ops.size();
	return all;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	program made = stream->capture;
	if (!made || made->lanes[0].get() != stream->captured)
		return emu_result(cudaErrorInvalidValue);
	made->open = false;
	for (struct emu_stream *s : streams())
		if (s->capture == made) {
			s->capture = NULL;
			s->captured = NULL;
		}
	*out = new emu_graph{ made };
	return emu_result(go_through(made.get(), false) ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	*out = new emu_graph(*graph);
	return emu_result(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	delete graph;
	return emu_result(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	delete exec;
	return emu_result(cudaSuccess);
}

/* A host that runs further ahead than a test allows it to is an error at once. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	static long waiting, launched; /* waiting: launched, not run yet */
	emu_lose_at("ABLATE_EMU_LOST_AT_STEP", ++launched);
	if (emu_is_lost())
		return emu_result(cudaSuccess);
	program kept = exec->made;
	if (waiting >= emu_setting("ABLATE_EMU_AHEAD", LONG_MAX))
		return emu_lose(cudaErrorLaunchOutOfResources);
	waiting++;
	return emu_call(stream, [=] {
		waiting--;
		(void)go_through(kept.get(), true);
	});
}
