/* How deep each function of the library goes into the stack, from the frame of whoever calls it. */
#ifndef DEPTH_H
#define DEPTH_H

#include <stddef.h>
#include <stdint.h>

/* Paints the stack below `frame`. */
void depth_paint(const void *frame);
/* Books how far below `frame` the paint is gone, for the function of that number. */
void depth_book(const void *frame, size_t function);

/* The functions, by wraps.awk: NULL is behind the last. */
extern const char *const depth_names[];
enum { DEPTH_MOST_FUNCTIONS = 256 };

#endif
