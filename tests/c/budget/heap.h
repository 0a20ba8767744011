/* What is taken from malloc, in bytes that were asked for. */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>

extern size_t heap_live;   /* bytes now */
extern size_t heap_blocks; /* blocks now */
extern size_t heap_peak;   /* the most bytes since it was set */
extern size_t heap_calls;  /* blocks that were ever taken */

#endif
