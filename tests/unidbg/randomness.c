/* Loaded before the library of the host in tests: `getrandom` as they ask for it, so that two builds of the library get the same
 * bytes. Until `test_seed` is called it gives what the system gives. */
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int seeded;
static uint64_t state;

/* From here on the bytes are those of this seed; see Randomness.kt. */
void test_seed(uint64_t seed) {
    seeded = 1;
    state = seed;
}

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    unsigned char *bytes = buffer;
    size_t i;
    if (!seeded) return syscall(SYS_getrandom, buffer, length, flags);
    for (i = 0; i < length; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (unsigned char)(state >> 56);
    }
    return (ssize_t)length;
}
