/* What this board can: print, end, tell how deep its stack was, and take files of the machine that debugs it. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

int main(void);

/* Prints text. */
void say(const char *text);
void say_some(const char *text, size_t len);
void say_number(uint32_t number);

/* Ends the program. qemu takes the status for its own. */
__attribute__((noreturn)) void end(int status);

/* Marks the stack that nobody uses now. Later, stack_most() is how many bytes of it were used meanwhile, at most. */
void stack_mark(void);
uint32_t stack_most(void);

/* Reads len bytes of a file of the machine that debugs this one; 0: done. */
int read_from_debugger(const char *path, void *out, size_t len);

#endif
