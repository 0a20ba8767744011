/* A test is a function that ends early when something is not as it should be. A file of tests lists them in a table, which
 * check_all() runs. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <underpass.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

#define TEST(name) static void name(void)
#define ENTRY(name) { #name, name }
#define LAST_ENTRY { NULL, NULL }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The condition holds. */
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition) ? 1 : 0)
/* Two integers are equal. */
#define EQ(left, right) check_equal(__FILE__, __LINE__, #left " == " #right, (uint64_t)(left), (uint64_t)(right))
/* Two texts are equal. */
#define TEXT(left, right) check_text(__FILE__, __LINE__, #left, (left), (right))
/* Two stretches of memory are equal. */
#define SAME(left, right, len) check_same(__FILE__, __LINE__, #left " == " #right, (left), (right), (len))
/* The call returns this status. Which statuses were seen is remembered for the last test of all. */
#define STATUS(expected, call) check_status(__FILE__, __LINE__, #call, #expected, (expected), (call))
#define OK(call) STATUS(UNDERPASS_OK, call)
/* The call is refused with this status and leaves all of `out` alone. */
#define REFUSED(expected, out, call)                                                 \
    do {                                                                             \
        stain(&(out), sizeof(out));                                                  \
        STATUS(expected, call);                                                      \
        check_true(__FILE__, __LINE__, #call " wrote nothing", is_stained(&(out), sizeof(out))); \
    } while (0)
/* The same where `out` begins with its size. */
#define REFUSED_STRUCT(expected, out, call)                                          \
    do {                                                                             \
        stain(&(out), sizeof(out));                                                  \
        (out).size = (uint32_t)sizeof(out);                                          \
        STATUS(expected, call);                                                      \
        EQ((out).size, sizeof(out));                                                 \
        check_true(__FILE__, __LINE__, #call " wrote nothing",                       \
                   is_stained((const uint8_t *)&(out) + 4, sizeof(out) - 4));        \
    } while (0)

void check_true(const char *file, int line, const char *what, int holds);
void check_equal(const char *file, int line, const char *what, uint64_t left, uint64_t right);
void check_text(const char *file, int line, const char *what, const char *left, const char *right);
void check_same(const char *file, int line, const char *what, const void *left, const void *right, size_t len);
void check_status(const char *file, int line, const char *call, const char *name, int32_t expected, int32_t status);

/* Remembers that a status was seen: for threads, which must not end a test early. */
void check_note(int32_t status);
/* Whether any call returned this status so far. */
int check_was_seen(int32_t status);

/* Runs the tests of tables that end with NULL, and counts, in the words that tests/run.sh reads: the end of main(). */
int check_all(const check_test *const *tables, int argc, char **argv);

/* Fills memory with a pattern that nothing writes by chance, and asks whether it is still there. */
void stain(void *memory, size_t len);
int is_stained(const void *memory, size_t len);

/* Memory of exactly this size on the heap, where a byte too far is noticed; with the pattern, or a copy. */
void *exactly(size_t len);
void *copy_of(const void *memory, size_t len);

#ifdef __cplusplus
}
#endif
#endif
