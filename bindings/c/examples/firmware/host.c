/* The four functions that underpass.h declares under UNDERPASS_NO_OS. */
#include "host.h"
#include "board.h"
#include <underpass.h>

/* Memory. A list of what is free, in the order of addresses; the first piece that is large enough is taken, and pieces that
 * touch become one. A piece is a whole number of units, and begins where one can. */
typedef struct unit {
    struct unit *next;
    size_t units;
} unit;

#define UNITS (HEAP_SIZE / sizeof(unit))

static unit memory[UNITS] __attribute__((aligned(64)));
static unit *first_free;
static int is_begun;
heap_books heap = {0, 0, HEAP_SIZE, 0, 0};

static size_t units_of(size_t size) {
    return (size + sizeof(unit) - 1) / sizeof(unit);
}

/* How many units from a piece on an address is found that is a multiple of alignment. */
static size_t units_before(const unit *piece, size_t alignment) {
    return alignment <= sizeof(unit) ? 0 : (-(uintptr_t)piece & (alignment - 1)) / sizeof(unit);
}

void *underpass_host_allocate(size_t size, size_t alignment) {
    const size_t wanted = units_of(size);
    unit **link, *piece, *taken;
    size_t before = 0, behind;
    if (!is_begun) {
        memory[0].units = UNITS;
        first_free = memory;
        is_begun = 1;
    }
    if (alignment > heap.alignment) heap.alignment = alignment;
    for (link = &first_free; (piece = *link) != NULL; link = &piece->next) {
        before = units_before(piece, alignment);
        if (piece->units >= before && piece->units - before >= wanted) break;
    }
    if (piece == NULL || size > heap.ceiling || heap.in_use + wanted * sizeof(unit) > heap.ceiling) {
        heap.refused++;
        return NULL;
    }
    /* What is left of the piece behind what is taken, and before it, stays in the list. */
    taken = piece + before;
    behind = piece->units - before - wanted;
    if (behind > 0) {
        taken[wanted].units = behind;
        taken[wanted].next = piece->next;
        piece->next = taken + wanted;
    }
    if (before > 0) {
        piece->units = before;
    } else {
        *link = piece->next;
    }
    heap.in_use += wanted * sizeof(unit);
    if (heap.in_use > heap.most) heap.most = heap.in_use;
    return taken;
}

void underpass_host_release(void *released, size_t size, size_t alignment) {
    unit *const piece = released, *before = NULL, *after;
    (void)alignment;
    piece->units = units_of(size);
    heap.in_use -= piece->units * sizeof(unit);
    for (after = first_free; after != NULL && after < piece; after = after->next) before = after;
    piece->next = after;
    if (after != NULL && piece + piece->units == after) {
        piece->units += after->units;
        piece->next = after->next;
    }
    if (before == NULL) {
        first_free = piece;
    } else if (before + before->units == piece) {
        before->units += piece->units;
        before->next = piece->next;
    } else {
        before->next = piece;
    }
}

/* Randomness. This board has no generator, so it is that of the machine that debugs it. Put that of your device here, and
 * nothing that computes numbers from a fixed beginning: whoever guesses them has the keys. */
int entropy_is_ready;

int32_t underpass_host_entropy(uint8_t *out, size_t len) {
    return entropy_is_ready ? read_from_debugger("/dev/urandom", out, len) : -1;
}

/* A panic. A device in the field would write this where the next start finds it, and reset itself. */
void underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line) {
    say("panic: ");
    say_some(message, message_len);
    say(" at ");
    say_some(file, file_len);
    say(":");
    say_number(line);
    say("\n");
    end(STATUS_OF_A_PANIC);
}
