/* emu_stream.cc - streams, events and recording of the pretended device. It is as late as a device may be: what is put
 * into a stream is run when somebody waits for that stream, or when another stream that is run waits for an event in
 * it, and no sooner. So a host that reads before it waits, or a stream that does not wait for another, finds nothing
 * there. A recorded step is replayed in the same way. */
#include "tests/cuda_emu/emu_private.h"
#include "tests/cuda_emu/emu_stream.h"

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

static void run_live(struct emu_stream *s)
{
	if (s->live.done == s->live.ops.size())
		return;
	emu_memory_open();
	run(&s->live, s->live.end(), true);
	emu_check_guards();
	emu_memory_close();
	for (struct emu_stream *each : streams())
		if (each->live.done == each->live.ops.size()) {
			each->live.gone += each->live.done;
			each->live.done = 0;
			each->live.ops.clear();
		}
}

void emu_run_all(void)
{
	for (struct emu_stream *s : streams())
		run_live(s);
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
	*out = new emu_stream();
	(*out)->head.enqueue = enqueue;
	streams().push_back(*out);
	return cudaSuccess;
}

/* What is in it is done before it goes. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	emu_run_all();
	for (size_t i = 0; i < streams().size(); i++)
		if (streams()[i] == stream)
			streams().erase(streams().begin() + (ptrdiff_t)i);
	delete stream;
	return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	if (stream->capture)
		return emu_result(cudaErrorStreamCaptureInvalidated);
	run_live(stream);
	return emu_result(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
	*out = new emu_event();
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	delete event;
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	event->lane = lane_of(stream);
	event->at = event->lane->end();
	event->capture = stream->capture;
	return emu_result(cudaSuccess);
}

/* A stream that waits for an event of a capture joins it. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
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
	*out = new emu_graph(*graph);
	return emu_result(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	delete graph;
	return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	delete exec;
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	program kept = exec->made;
	return emu_call(stream, [=] { (void)go_through(kept.get(), true); });
}
