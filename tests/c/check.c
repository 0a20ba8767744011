/* Runs the tables of tests and counts, in the words that tests/run.sh reads. */
#include "check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

/* Statuses lie in this range; there is room for some that are not there yet. */
enum { LOWEST = -128, HIGHEST = 128 };

static jmp_buf end_of_test;
static int is_in_test;
static unsigned char seen[HIGHEST - LOWEST + 1];

static void fail(const char *file, int line)
{
    printf("  at %s:%d\n", file, line);
    fflush(stdout);
    if (!is_in_test) abort();
    longjmp(end_of_test, 1);
}

void check_true(const char *file, int line, const char *what, int holds)
{
    if (holds) return;
    printf("\n  not so: %s\n", what);
    fail(file, line);
}

void check_equal(const char *file, int line, const char *what, uint64_t left, uint64_t right)
{
    if (left == right) return;
    printf("\n  not so: %s: %llu (%llx), %llu (%llx)\n", what, (unsigned long long)left, (unsigned long long)left,
           (unsigned long long)right, (unsigned long long)right);
    fail(file, line);
}

void check_text(const char *file, int line, const char *what, const char *left, const char *right)
{
    if (strcmp(left, right) == 0) return;
    printf("\n  not so: %s is \"%s\", not \"%s\"\n", what, left, right);
    fail(file, line);
}

void check_same(const char *file, int line, const char *what, const void *left, const void *right, size_t len)
{
    size_t at;
    const uint8_t *l = (const uint8_t *)left, *r = (const uint8_t *)right;
    if (memcmp(left, right, len) == 0) return;
    for (at = 0; l[at] == r[at]; at++) {}
    printf("\n  not so: %s: byte %lu of %lu is %02x, %02x\n", what, (unsigned long)at, (unsigned long)len, l[at], r[at]);
    fail(file, line);
}

void check_status(const char *file, int line, const char *call, const char *name, int32_t expected, int32_t status)
{
    check_note(status);
    if (status == expected) return;
    printf("\n  %s\n  returned %ld (%s), not %s (%ld)\n", call, (long)status, underpass_strerror(status), name,
           (long)expected);
    fail(file, line);
}

void check_note(int32_t status)
{
    if (status >= LOWEST && status <= HIGHEST) seen[status - LOWEST] = 1;
}

int check_was_seen(int32_t status)
{
    return status >= LOWEST && status <= HIGHEST && seen[status - LOWEST];
}

/* The pattern at a place: no two neighbours alike, and no zeros. */
static uint8_t pattern(size_t at)
{
    return (uint8_t)(0xa1 + at * 37 % 83);
}

void stain(void *memory, size_t len)
{
    size_t at;
    for (at = 0; at < len; at++) ((uint8_t *)memory)[at] = pattern(at);
}

int is_stained(const void *memory, size_t len)
{
    size_t at;
    /* A struct is looked at from behind its size: the pattern may begin at 0 or at 4. */
    size_t begin = len > 0 && ((const uint8_t *)memory)[0] == pattern(4) ? 4 : 0;
    for (at = 0; at < len; at++) {
        if (((const uint8_t *)memory)[at] != pattern(begin + at)) return 0;
    }
    return 1;
}

void *exactly(size_t len)
{
    void *memory = malloc(len > 0 ? len : 1);
    if (memory == NULL) abort();
    stain(memory, len);
    return memory;
}

void *copy_of(const void *memory, size_t len)
{
    void *copy = exactly(len);
    memcpy(copy, memory, len);
    return copy;
}

static unsigned passed, failed;

static void run_one(const check_test *test)
{
    printf("test %s ... ", test->name);
    fflush(stdout);
    is_in_test = 1;
    if (setjmp(end_of_test) == 0) {
        test->run();
        passed++;
        printf("ok\n");
    } else {
        failed++;
        printf("test %s ... FAILED\n", test->name);
    }
    is_in_test = 0;
    fflush(stdout);
}

/* Without words all tests; else those whose names contain one of them. */
static int is_wanted(const char *name, int argc, char **argv)
{
    int arg;
    for (arg = 1; arg < argc; arg++) {
        if (strstr(name, argv[arg]) != NULL) return 1;
    }
    return argc < 2;
}

int check_all(const check_test *const *tables, int argc, char **argv)
{
    const check_test *test;
    for (; *tables != NULL; tables++) {
        for (test = *tables; test->name != NULL; test++) {
            if (is_wanted(test->name, argc, argv)) run_one(test);
        }
    }
    printf("\ntest result: %s. %u passed; %u failed; 0 ignored\n", failed == 0 ? "ok" : "FAILED", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
