/* emu_fiber.h - switching between stacks: a fiber runs a function on a stack of its own until it switches away.
 *
 * On x86-64 the switch is a dozen instructions, because a kernel with barriers makes thousands of them per block;
 * elsewhere it is swapcontext. AddressSanitizer is told of each switch; of swapcontext it would have to find out by
 * itself, and forgets what it knows of the whole stack each time. */
#ifndef ABLATE_EMU_FIBER_H
#define ABLATE_EMU_FIBER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#ifdef ABLATE_SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

struct fiber_context {
	void *stack_pointer;
#ifdef ABLATE_SANITIZED
	void *fake_stack; /* the sanitizer's, of variables that may outlive their function; kept from one run to the next */
	const void *stack;
	size_t bytes;
#endif
};

extern "C" void emu_switch(void **save, void *load);
asm(".text\n.type emu_switch,@function\n.hidden emu_switch\nemu_switch:\n"
    "\tpushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
    "\tmovq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n"
    "\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret\n");

#ifdef ABLATE_SANITIZED
static struct fiber_context *fiber_left; /* by the switch under way */
#endif

/* A fiber's entry calls this first; fiber_switch does so where it comes back. */
static inline void fiber_arrived(struct fiber_context *here)
{
#ifdef ABLATE_SANITIZED
	__sanitizer_finish_switch_fiber(here->fake_stack, &fiber_left->stack, &fiber_left->bytes);
#else
	(void)here;
#endif
}

static inline void fiber_switch(struct fiber_context *save, struct fiber_context *load)
{
#ifdef ABLATE_SANITIZED
	fiber_left = save;
	__sanitizer_start_switch_fiber(&save->fake_stack, load->stack, load->bytes);
#endif
	emu_switch(&save->stack_pointer, load->stack_pointer);
	fiber_arrived(save);
}

/* The first switch to f calls entry, which never returns. */
static inline void fiber_make(struct fiber_context *f, char *stack, size_t bytes, void (*entry)(void))
{
	uintptr_t top = ((uintptr_t)stack + bytes) / 16 * 16;
	void **sp = (void **)top;
#ifdef ABLATE_SANITIZED
	f->stack = stack;
	f->bytes = bytes;
	ASAN_UNPOISON_MEMORY_REGION(stack, bytes); /* a fiber that was left in the middle */
#endif
	*--sp = NULL; /* where entry would return to; keeps the stack as a call leaves it */
	*--sp = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--sp = NULL;
	f->stack_pointer = sp;
}

#else
#include <ucontext.h>

struct fiber_context {
	ucontext_t at;
};

static inline void fiber_switch(struct fiber_context *save, struct fiber_context *load)
{
	(void)swapcontext(&save->at, &load->at);
}

static inline void fiber_arrived(struct fiber_context *here)
{
	(void)here;
}

static inline void fiber_make(struct fiber_context *f, char *stack, size_t bytes, void (*entry)(void))
{
	(void)getcontext(&f->at);
	f->at.uc_stack.ss_sp = stack;
	f->at.uc_stack.ss_size = bytes;
	f->at.uc_link = NULL;
	makecontext(&f->at, entry, 0);
}

#endif

#endif
