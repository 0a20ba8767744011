/* The start of a Cortex-M4F, and semihosting: what the board asks of the machine that debugs it, which is qemu here. */
#include "board.h"

extern uint32_t stack_begin[], stack_end[], data_begin[], data_end[], data_in_flash[], bss_begin[], bss_end[];

__attribute__((noreturn)) void reset(void);
__attribute__((noreturn)) static void fault(void);

/* The first words of the flash: the stack, where to start, and what to do about NMI and the four faults. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[6])(void);
} vectors = {stack_begin, {reset, fault, fault, fault, fault, fault}};

void reset(void) {
    volatile uint32_t *const coprocessors = (volatile uint32_t *)0xe000ed88u;
    uint32_t *from = data_in_flash, *to;
    *coprocessors |= 0xfu << 20; /* The floating point unit: the library is built for it, as the name of its target says. */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (to = data_begin; to != data_end;) *to++ = *from++;
    for (to = bss_begin; to != bss_end;) *to++ = 0;
    end(main());
}

static void fault(void) {
    say("fault\n");
    end(3);
}

static int32_t semihosting(uint32_t operation, const void *parameters) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void say(const char *text) {
    semihosting(0x04, text);
}

void say_some(const char *text, size_t len) {
    char one[2] = {0, 0};
    for (size_t i = 0; i < len; i++) {
        one[0] = text[i];
        say(one);
    }
}

void say_number(uint32_t number) {
    char digits[11], *first = digits + 10;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    say(first);
}

void end(int status) {
    const uint32_t parameters[2] = {0x20026, (uint32_t)status};
    semihosting(0x20, parameters);
    for (;;) {}
}

int read_from_debugger(const char *path, void *out, size_t len) {
    uint32_t length = 0, parameters[3] = {(uint32_t)path, 1, 0};
    int32_t file, left;
    while (path[length] != 0) length++;
    parameters[2] = length;
    file = semihosting(0x01, parameters);
    if (file < 0) return -1;
    parameters[0] = (uint32_t)file, parameters[1] = (uint32_t)out, parameters[2] = len;
    left = semihosting(0x06, parameters);
    semihosting(0x02, parameters);
    return left == 0 ? 0 : -1;
}

static const uint32_t MARK = 0x5ac3a53cu;

/* Both leave alone what lies close below their own frame: they use it themselves. */
static uint32_t *below_this_frame(void) {
    return (uint32_t *)__builtin_frame_address(0) - 32;
}

__attribute__((noinline)) void stack_mark(void) {
    for (volatile uint32_t *at = stack_end; at < below_this_frame(); at++) *at = MARK;
}

__attribute__((noinline)) uint32_t stack_most(void) {
    const volatile uint32_t *at = stack_end;
    while (at < below_this_frame() && *at == MARK) at++;
    return (uint32_t)((uint8_t *)__builtin_frame_address(0) - (const uint8_t *)at);
}

/* What compilers call without being asked to: on ARM, clang by the second set of names. With a C library these come from
 * there. */
void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
void __aeabi_memcpy(void *to, const void *from, size_t len);
void __aeabi_memcpy4(void *to, const void *from, size_t len);
void __aeabi_memcpy8(void *to, const void *from, size_t len);
void __aeabi_memclr(void *to, size_t len);
void __aeabi_memclr4(void *to, size_t len);
void __aeabi_memclr8(void *to, size_t len);

void *memcpy(void *to, const void *from, size_t len) {
    uint8_t *out = to;
    const uint8_t *in = from;
    while (len-- > 0) *out++ = *in++;
    return to;
}

void *memset(void *to, int byte, size_t len) {
    uint8_t *out = to;
    while (len-- > 0) *out++ = (uint8_t)byte;
    return to;
}

void __aeabi_memcpy(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memcpy4(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memcpy8(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memclr(void *to, size_t len) { memset(to, 0, len); }
void __aeabi_memclr4(void *to, size_t len) { memset(to, 0, len); }
void __aeabi_memclr8(void *to, size_t len) { memset(to, 0, len); }
