/* Stands between the program and malloc: --wrap of the linker leads all calls here, those of the library too. What is counted
 * is what was asked for, without what malloc itself adds. */
#include "heap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void __real_free(void *memory);

size_t heap_live, heap_blocks, heap_peak, heap_calls;

/* Stands before each block. */
typedef struct head {
    void *whole; /* what the real malloc gave */
    size_t size;
    uint64_t mark; /* of a block that is ours */
} head;
#define MARK UINT64_C(0x6f75722068656170)
enum { LEAST = 16 };

static void *take(size_t align, size_t size)
{
    char *whole = __real_malloc(sizeof(head) + align + size);
    uintptr_t at;
    head *block;
    if (whole == NULL) return NULL;
    at = ((uintptr_t)whole + sizeof(head) + align - 1) & ~(uintptr_t)(align - 1);
    block = (head *)at - 1;
    block->whole = whole;
    block->size = size;
    block->mark = MARK;
    heap_live += size;
    heap_blocks++;
    heap_calls++;
    if (heap_live > heap_peak) heap_peak = heap_live;
    return (void *)at;
}

void *__wrap_malloc(size_t size)
{
    return take(LEAST, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *memory;
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    memory = take(LEAST, count * size);
    return memory == NULL ? NULL : memset(memory, 0, count * size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
    void *memory = take(align < LEAST ? LEAST : align, size);
    if (memory == NULL) return ENOMEM;
    *out = memory;
    return 0;
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return take(align < LEAST ? LEAST : align, size);
}

void *__wrap_memalign(size_t align, size_t size)
{
    return take(align < LEAST ? LEAST : align, size);
}

void __wrap_free(void *memory)
{
    head *block = (head *)memory - 1;
    if (memory == NULL) return;
    if (block->mark != MARK) abort();
    block->mark = 0;
    heap_live -= block->size;
    heap_blocks--;
    __real_free(block->whole);
}

/* As if no block could grow where it lies: both are there for a moment. */
void *__wrap_realloc(void *memory, size_t size)
{
    void *moved = take(LEAST, size);
    size_t had;
    if (moved == NULL || memory == NULL) return moved;
    had = ((head *)memory - 1)->size;
    memcpy(moved, memory, had < size ? had : size);
    __wrap_free(memory);
    return moved;
}
