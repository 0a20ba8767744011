/* What the library asks of the firmware: memory, randomness, an end. And what is to be seen of them from outside. */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

/* The memory that the library may have, in bytes, with what it costs to keep books of it. */
#define HEAP_SIZE (80u * 1024u)

typedef struct heap_books {
    size_t in_use;    /* Bytes that the library has. */
    size_t most;      /* The most that it had since somebody set this back. */
    size_t ceiling;   /* No more than this is given. */
    size_t alignment; /* The greatest that was asked for. */
    uint32_t refused; /* How often there was none. */
} heap_books;

extern heap_books heap;

/* Whether the source of randomness has begun to give. A generator in hardware may take a moment after the start. */
extern int entropy_is_ready;

/* What the firmware ends with after a panic. */
#define STATUS_OF_A_PANIC 70

#endif
